package raft

import (
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/raft/core"
)

// The properties of Raft's Figure 3, freshness of reads (§8), and progress once all is healed, that the simulation sees
// broken.
const (
	electionSafety     = "Election Safety"
	leaderAppendOnly   = "Leader Append-Only"
	leaderCompleteness = "Leader Completeness"
	logMatching        = "Log Matching"
	stateMachineSafety = "State Machine Safety"
	readFreshness      = "Read Freshness"
	progress           = "Progress"
)

// Bugs are the bugs that can be planted in the built-in Raft, by name. This is the one list of them: tests, the suite
// that hunts them, the score and the README's table come from it.
func Bugs() []harness.Bug {
	return []harness.Bug{
		{
			Name: "ack-before-commit", Layer: "api", Source: "Raft §5.3",
			About:    "answers before a majority has the entry",
			Property: "linear",
			Hunt:     "--nemesis partition:isolate@leader --time-limit 10s",
		},
		{
			Name: "ack-before-fsync", Layer: "log", Source: "Raft §5, Figure 2 (persistent state)",
			About:    "answers before the log is on disk",
			Property: "linear or leader",
			Hunt:     "--nemesis kill@all=300ms/2s --time-limit 15s",
		},
		{
			Name: "ack-on-forward", Layer: "api", Source: "Raft §8",
			About:    "answers once a command was forwarded to the leader",
			Property: "linear", HeldOut: true,
		},
		{
			Name: "ack-on-step-down", Layer: "api", Source: "hashicorp/raft#561",
			About:    "answers yes to what waits when a leader steps down",
			Property: "linear",
		},
		{
			Name: "answer-any-serial", Layer: "sessions", Source: "Ongaro's thesis 6.3",
			About:    "takes the answer to one command of a session for that to another",
			Property: "linear", HeldOut: true,
		},
		{
			Name: "append-unchecked", Layer: "core", Source: "Raft §5.3, Figure 2 (AppendEntries 2)",
			About:    "does not compare the term of the entry before those that come",
			Property: "linear or state",
			Breaks:   []string{logMatching},
		},
		{
			Name: "apply-twice", Layer: "sessions", Source: "Raft §8; Ongaro's thesis 6.3",
			About:    "a command that is proposed again is applied again",
			Property: "linear",
			Hunt: "--latency 20ms --keys 2 --clients 20 --rate 0 --mix read=50,write=50 --nemesis " +
				"pause@minority=500ms/500ms --time-limit 20s",
		},
		{
			Name: "candidate-votes-for-others", Layer: "core", Source: "Raft §5.2",
			About:    "a candidate votes for itself and for another one",
			Property: "leader or linear", HeldOut: true,
			Breaks: []string{electionSafety},
		},
		{
			Name: "cas-compares-early", Layer: "api", Source: "register semantics",
			About:    "compares when a request comes in, and sets when it is applied",
			Property: "linear", HeldOut: true,
		},
		{
			Name: "cas-unchecked", Layer: "api", Source: "register semantics",
			About:    "sets without comparing",
			Property: "linear",
			Hunt:     "--nemesis none --time-limit 10s",
		},
		{
			Name: "change-before-noop", Layer: "members", Source: "raft-dev, 10 July 2015",
			About:     "changes members before the leader has committed an entry of its own term",
			Property:  "linear or state",
			Breaks:    []string{leaderCompleteness, stateMachineSafety, electionSafety},
			Simulated: true,
		},
		{
			Name: "change-not-rolled-back", Layer: "members", Source: "Ongaro's thesis 4.1",
			About:     "a change of members stays in force when another leader's entries replace it",
			Property:  "linear or state",
			Breaks:    []string{leaderCompleteness, stateMachineSafety, electionSafety},
			Simulated: true,
		},
		{
			Name: "changes-overlap", Layer: "members", Source: "Ongaro's thesis 4.1",
			About:     "changes members before the last change is committed",
			Property:  "linear or state",
			Breaks:    []string{leaderCompleteness, stateMachineSafety, electionSafety, readFreshness},
			Simulated: true,
		},
		{
			Name: "commit-by-two", Layer: "core", Source: "Raft §5.3",
			About:    "commits what the leader and one more have, whatever the size of the cluster",
			Property: "linear or state", HeldOut: true,
			Breaks: []string{leaderCompleteness, stateMachineSafety},
		},
		{
			Name: "commit-old-term", Layer: "core", Source: "Raft §5.4.2, Figure 8",
			About:    "commits entries of former terms by counting replicas (Figure 8)",
			Property: "linear or state",
			Breaks:   []string{leaderCompleteness, readFreshness},
			Hunt: "--nodes 3 --rate 40 --mix read=50,write=50 --op-timeout 500ms --target-flag " +
				"heartbeat=25ms,election-timeout=75ms,check-quorum=false --nemesis " +
				"partition:isolate@leader=20ms/0s --time-limit 60s",
		},
		{
			Name: "compact-forgets-vote", Layer: "log", Source: "Raft §7, Figure 2 (persistent state)",
			About:    "a new log file begins without term and vote",
			Property: "leader or linear", HeldOut: true,
		},
		{
			Name: "dirty-read", Layer: "api", Source: "Raft §8",
			About:    "serves reads from entries that are not committed",
			Property: "linear",
		},
		{
			Name: "early-read", Layer: "core", Source: "etcd-io/etcd#12762; Ongaro's thesis 6.4",
			About:    "serves reads before the leader has committed an entry of its own term",
			Property: "linear",
			Breaks:   []string{readFreshness},
		},
		{
			Name: "flush-late", Layer: "log", Source: "Redis, appendfsync everysec; Raft §5",
			About:    "writes the log to disk twenty times a second",
			Property: "linear or leader", HeldOut: true,
		},
		{
			Name: "follower-lease-read", Layer: "core", Source: "Ongaro's thesis 6.4",
			About:    "a follower that hears its leader serves reads by itself",
			Property: "linear", HeldOut: true,
			Breaks: []string{readFreshness},
		},
		{
			Name: "forget-vote", Layer: "core", Source: "Raft §5.2, Figure 2 (votedFor)",
			About:    "the vote is lost on restart",
			Property: "leader",
			Breaks:   []string{electionSafety},
			Hunt: "--nodes 3 --latency 50ms --target-flag election-timeout=200ms --nemesis " +
				"partition:isolate@leader=40ms/0s+kill@one=20ms/400ms --time-limit 30s",
		},
		{
			Name: "heartbeat-commits-unmatched", Layer: "core", Source: "Raft Figure 2 (AppendEntries 5)",
			About:    "a heartbeat commits entries that are not the leader's",
			Property: "linear or state",
			Breaks:   []string{stateMachineSafety},
		},
		{
			Name: "last-term-off", Layer: "core", Source: "Raft §5.4.1",
			About:    "elections compare the terms of the entries before the last ones",
			Property: "linear or state", HeldOut: true,
			Breaks: []string{leaderCompleteness, stateMachineSafety},
		},
		{
			Name: "lease-read", Layer: "core", Source: "Ongaro's thesis 6.4.1",
			About:    "a paused leader trusts its lease",
			Property: "linear",
			Breaks:   []string{readFreshness},
			Hunt: "--target-flag election-timeout=300ms --nemesis " +
				"partition:halves@leader=2500ms/300ms+pause@leader=1500ms/100ms --time-limit 40s",
		},
		{
			Name: "learners-count", Layer: "members", Source: "Ongaro's thesis 4.2.1",
			About:     "counts what learners have as replicated",
			Property:  "linear or state",
			Breaks:    []string{leaderCompleteness, stateMachineSafety, electionSafety, readFreshness},
			Simulated: true,
		},
		{
			Name: "match-on-send", Layer: "core", Source: "Raft §5.3",
			About:    "counts entries as replicated once they are sent",
			Property: "linear or state",
			Breaks:   []string{leaderCompleteness, stateMachineSafety},
		},
		{
			Name: "no-on-step-down", Layer: "api", Source: "hashicorp/consul#2893, hashicorp/raft#561",
			About:    "says of what waits when a leader steps down that it did not happen",
			Property: "linear",
		},
		{
			Name: "no-step-down", Layer: "core", Source: "Raft §5.1",
			About:    "a leader ignores higher terms",
			Property: "linear",
			Breaks:   []string{readFreshness},
			Hunt:     "--nemesis pause@leader=1s/1s --time-limit 20s",
		},
		{
			Name: "old-leader-obeyed", Layer: "core", Source: "Raft §5.1, Figure 2 (AppendEntries 1)",
			About:    "takes in what a leader of a former term sends",
			Property: "linear or state",
			Breaks:   []string{stateMachineSafety, leaderCompleteness, logMatching},
		},
		{
			Name: "pre-vote-elects", Layer: "core", Source: "Ongaro's thesis 9.6",
			About:    "takes a majority of pre-votes for an election",
			Property: "leader or linear",
			Breaks:   []string{electionSafety, leaderCompleteness},
		},
		{
			Name: "quorum-minus-one", Layer: "core", Source: "Raft §5.2",
			About:    "N/2 nodes are enough for a majority",
			Property: "linear or leader",
			Breaks:   []string{electionSafety, leaderCompleteness, stateMachineSafety, readFreshness},
			Hunt:     "--nemesis partition:halves@leader --time-limit 15s",
		},
		{
			Name: "read-before-apply", Layer: "api", Source: "Ongaro's thesis 6.4 (step 4)",
			About:    "serves a read before its index is applied",
			Property: "linear",
		},
		{
			Name: "read-cache", Layer: "api", Source: "register semantics",
			About:    "serves a key that was read a moment ago from memory",
			Property: "linear", HeldOut: true,
		},
		{
			Name: "read-index-ignored", Layer: "core", Source: "Ongaro's thesis 6.4",
			About:    "a follower waits for its own commit index, not for the leader's",
			Property: "linear", HeldOut: true,
			Breaks: []string{readFreshness},
		},
		{
			Name: "read-unconfirmed", Layer: "core", Source: "Raft §8",
			About:    "a leader serves reads without asking whether it still leads",
			Property: "linear",
			Breaks:   []string{readFreshness},
		},
		{
			Name: "replay-drops-last", Layer: "log", Source: "Raft §5, Figure 2 (persistent state)",
			About:    "the last entry of the log is lost on restart",
			Property: "linear or state",
		},
		{
			Name: "restart-commits-all", Layer: "core", Source: "Raft Figure 2 (volatile state)",
			About:    "takes all that is in the log at the start for committed",
			Property: "linear or state",
			Breaks:   []string{leaderCompleteness, readFreshness, stateMachineSafety},
		},
		{
			Name: "retry-is-new", Layer: "sessions", Source: "etcd-io/etcd#14890 and #18424; Raft §8",
			About:    "proposes a command again as another one",
			Property: "linear", HeldOut: true,
		},
		{
			Name: "sessions-expire-by-clock", Layer: "sessions", Source: "Ongaro's thesis 6.3",
			About:    "nodes forget sessions by their own clocks",
			Property: "linear or state", HeldOut: true,
		},
		{
			Name: "sessions-expire-early", Layer: "sessions", Source: "Ongaro's thesis 6.3",
			About:    "sessions are forgotten while their commands may still come again",
			Property: "linear",
		},
		{
			Name: "snapshot-behind-its-index", Layer: "snapshots", Source: "etcd-io/etcd#13766; Raft §7",
			About:    "a snapshot has the state of some time before its index",
			Property: "linear or state",
		},
		{
			Name: "snapshot-loses-sessions", Layer: "snapshots", Source: "Raft §8; Ongaro's thesis 6.3",
			About:    "snapshots leave the clients' sessions out",
			Property: "linear or state",
		},
		{
			Name: "snapshot-over-newer", Layer: "snapshots", Source: "Raft §7, Figure 13 (InstallSnapshot 6)",
			About:    "installs every snapshot, and drops a log that is further",
			Property: "linear or state", HeldOut: true,
			Breaks: []string{leaderCompleteness, stateMachineSafety, progress},
		},
		{
			Name: "stale-append-truncates", Layer: "core", Source: "Raft §5.3, Figure 2 (AppendEntries 3)",
			About:    "every message of the leader cuts the log behind it",
			Property: "linear or state",
			Breaks:   []string{leaderAppendOnly, leaderCompleteness, stateMachineSafety},
		},
		{
			Name: "stale-read", Layer: "core", Source: "Raft §8",
			About:    "reads are served from any node's own state",
			Property: "linear",
			Breaks:   []string{readFreshness},
			Hunt:     "--nemesis partition --time-limit 10s",
		},
		{
			Name: "term-and-vote-apart", Layer: "log", Source: "hashicorp/raft#661",
			About:    "the vote is stored with the next record, the term at once",
			Property: "leader",
		},
		{
			Name: "two-votes", Layer: "core", Source: "Raft §5.2",
			About:    "votes for every candidate of a term",
			Property: "leader",
			Breaks:   []string{electionSafety},
			Hunt:     "--latency 20ms --nemesis kill@leader=400ms/500ms --time-limit 15s --launch-timeout 10s",
		},
		{
			Name: "vote-index-only", Layer: "core", Source: "Raft §5.4.1",
			About:    "elections compare the lengths of logs, and not their last terms",
			Property: "linear or state", HeldOut: true,
			Breaks: []string{leaderCompleteness, stateMachineSafety},
		},
		{
			Name: "vote-stale-log", Layer: "core", Source: "Raft §5.4.1",
			About:    "elects candidates whose log is behind",
			Property: "linear",
			Breaks:   []string{leaderCompleteness},
			Hunt:     "--nemesis partition:halves@leader=1s/0s --time-limit 30s",
		},
		{
			Name: "vote-term-only", Layer: "core", Source: "Raft §5.4.1",
			About:    "elections compare the last terms of logs, and not their lengths",
			Property: "linear or state",
			Breaks:   []string{leaderCompleteness},
		},
		{
			Name: "votes-counted-twice", Layer: "core", Source: "ktoso/akka-raft#45",
			About:    "counts a vote each time that it comes",
			Property: "leader or linear", HeldOut: true,
			Breaks: []string{electionSafety, leaderCompleteness, stateMachineSafety},
		},
	}
}

// parseBugs reads the names of planted bugs, separated by commas.
func parseBugs(list string) (core.Bugs, error) {
	var known []core.Bug
	for _, b := range Bugs() {
		known = append(known, core.Bug(b.Name))
	}
	return core.ParseBugs(list, known)
}
