package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bug is a planted mistake. Each is one switch at the place where the right code stands, off
// unless chosen; they are the ground truth that the checkers are measured against.
type Bug string

// The planted bugs of the core. Package node adds those that concern disk and client API.
const (
	// QuorumMinusOne takes N/2 nodes for a majority.
	QuorumMinusOne Bug = "quorum-minus-one"
	// ForgetVote loses votedFor when a node restarts (§5.2 demands it on stable storage).
	ForgetVote Bug = "forget-vote"
	// TwoVotes grants a vote to every candidate of a term that asks.
	TwoVotes Bug = "two-votes"
	// VoteStaleLog leaves out the up-to-date check of §5.4.1.
	VoteStaleLog Bug = "vote-stale-log"
	// CommitOldTerm commits entries of former terms by counting replicas (§5.4.2, Figure 8). A
	// leader that believes in this has no use for the no-op entry at the start of its term,
	// nor for waiting until an entry of its own term is committed before it serves reads.
	CommitOldTerm Bug = "commit-old-term"
	// StaleRead serves reads from the local state of whichever node is asked.
	StaleRead Bug = "stale-read"
	// LeaseRead serves reads from a leader's local state while it heard from a quorum within
	// an election timeout, counted in its own ticks: a process that was paused counts none.
	LeaseRead Bug = "lease-read"
	// NoStepDown lets a leader ignore that others are in a higher term.
	NoStepDown Bug = "no-step-down"
	// CandidateVotesForOthers counts a candidate's own vote, and lets it vote for another candidate too.
	CandidateVotesForOthers Bug = "candidate-votes-for-others"
	// PreVoteElects takes a majority of pre-votes, which promise nothing, for an election.
	PreVoteElects Bug = "pre-vote-elects"
	// VotesCountedTwice counts a voter's vote each time that it comes.
	VotesCountedTwice Bug = "votes-counted-twice"
	// VoteTermOnly compares the last terms of logs and not their lengths; VoteIndexOnly does the opposite; LastTermOff
	// compares the terms of the entries before the last ones.
	VoteTermOnly  Bug = "vote-term-only"
	VoteIndexOnly Bug = "vote-index-only"
	LastTermOff   Bug = "last-term-off"
	// EarlyRead serves reads before the leader has committed an entry of its own term.
	EarlyRead Bug = "early-read"
	// ReadUnconfirmed serves a leader's reads without asking a quorum whether it still leads.
	ReadUnconfirmed Bug = "read-unconfirmed"
	// ReadIndexIgnored lets a follower take its own commit index for that which the leader told.
	ReadIndexIgnored Bug = "read-index-ignored"
	// FollowerLeaseRead lets a follower that hears its leader serve reads by itself.
	FollowerLeaseRead Bug = "follower-lease-read"
	// HeartbeatCommitsUnmatched tells followers the commit index, whether or not their logs are known to agree so far.
	HeartbeatCommitsUnmatched Bug = "heartbeat-commits-unmatched"
	// MatchOnSend counts entries as replicated once they are sent.
	MatchOnSend Bug = "match-on-send"
	// CommitByTwo commits what the leader and one more have, whatever the size of the cluster.
	CommitByTwo Bug = "commit-by-two"
	// AppendUnchecked leaves out the term of the consistency check of AppendEntries.
	AppendUnchecked Bug = "append-unchecked"
	// StaleAppendTruncates cuts the log behind the entries of every AppendEntries.
	StaleAppendTruncates Bug = "stale-append-truncates"
	// OldLeaderObeyed takes in what a leader of a former term sends.
	OldLeaderObeyed Bug = "old-leader-obeyed"
	// RestartCommitsAll takes all that is in the log at the start for committed.
	RestartCommitsAll Bug = "restart-commits-all"
	// ChangesOverlap begins a change of members before the one before it is committed.
	ChangesOverlap Bug = "changes-overlap"
	// ChangeBeforeNoop begins a change of members before the leader has committed an entry of its own term.
	ChangeBeforeNoop Bug = "change-before-noop"
	// ChangeNotRolledBack keeps a change of members in force when another leader's entries replace it.
	ChangeNotRolledBack Bug = "change-not-rolled-back"
	// LearnersCount counts what learners have as replicated.
	LearnersCount Bug = "learners-count"
	// SnapshotOverNewer installs every snapshot that comes, and drops a log that is further.
	SnapshotOverNewer Bug = "snapshot-over-newer"
)

// Bugs is a set of planted bugs; nil is none.
type Bugs map[Bug]bool

// String returns the bugs' names, sorted, separated by commas.
func (b Bugs) String() string {
	names := slices.Sorted(maps.Keys(b))
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, ",")
}

// ParseBugs reads names separated by commas; each must be one of known.
func ParseBugs(list string, known []Bug) (Bugs, error) {
	bugs := Bugs{}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !slices.Contains(known, Bug(name)) {
			return nil, fmt.Errorf("unknown bug %q; known are %q", name, known)
		}
		bugs[Bug(name)] = true
	}
	return bugs, nil
}
