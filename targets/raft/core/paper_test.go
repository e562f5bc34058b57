package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Tests named after the sections of the paper (extended version) and of Ongaro's thesis.

func roles(c *cluster) map[ID]Role {
	all := map[ID]Role{}
	for id, m := range c.nodes {
		all[id] = m.Status().Role
	}
	return all
}

// §5.1: a server that sees a higher term adopts it and becomes a follower.
func Test5_1_HigherTermsAreAdopted(t *testing.T) {
	c := newCluster(3, plain)
	c.campaign(1)
	require.Equal(t, Leader, roles(c)[1])
	c.nodes[1].Step(Message{Type: AppendReply, From: 2, To: 1, Term: 7, Reject: true})
	s := c.nodes[1].Status()
	require.Equal(t, Follower, s.Role)
	require.Equal(t, uint64(7), s.Term)
}

// §5.1: a request with a stale term is refused, and the answer carries the newer term.
func Test5_1_StaleTermsAreRefused(t *testing.T) {
	c := newCluster(3, plain)
	c.campaign(1)
	c.campaign(2)
	require.Equal(t, uint64(2), c.nodes[3].Status().Term)
	before := c.log(3)
	c.nodes[3].Step(Message{Type: Append, From: 1, To: 3, Term: 1, Entries: []Entry{{Index: 1, Term: 1}}})
	replies := c.nodes[3].Ready().Messages
	require.Len(t, replies, 1)
	require.True(t, replies[0].Reject)
	require.Equal(t, uint64(2), replies[0].Term)
	require.Equal(t, before, c.log(3))
}

// §5.1: requests for votes are repeated until they are answered.
func Test5_1_VoteRequestsAreRepeated(t *testing.T) {
	c := newCluster(3, plain)
	c.isolate(1)
	c.campaign(1)
	c.heal()
	require.Equal(t, Candidate, roles(c)[1])
	c.tick(1, 2)
	c.deliver(everything)
	require.Equal(t, Leader, roles(c)[1])
}

// §5.2: a server votes for one candidate a term, first come first served.
func Test5_2_OneVoteATerm(t *testing.T) {
	c := newCluster(3, plain)
	n := c.nodes[3]
	n.Step(Message{Type: Vote, From: 1, To: 3, Term: 1})
	n.Step(Message{Type: Vote, From: 2, To: 3, Term: 1})
	n.Step(Message{Type: Vote, From: 1, To: 3, Term: 1})
	replies := n.Ready().Messages
	require.Len(t, replies, 3)
	require.False(t, replies[0].Reject)
	require.True(t, replies[1].Reject)
	require.False(t, replies[2].Reject, "the same candidate is answered the same")
}

// §5.2: the vote is on stable storage, so that a restart does not vote again.
func Test5_2_VotesOutlastRestarts(t *testing.T) {
	for _, bug := range []Bug{"", ForgetVote} {
		c := newCluster(3, plain, withBug(bug))
		c.nodes[3].Step(Message{Type: Vote, From: 1, To: 3, Term: 1})
		c.settle(3)
		c.start(3)
		c.nodes[3].Step(Message{Type: Vote, From: 2, To: 3, Term: 1})
		replies := c.nodes[3].Ready().Messages
		require.Len(t, replies, 1)
		require.Equal(t, bug == "", replies[0].Reject, "bug %q", bug)
	}
}

// §5.2: a candidate that hears of a leader of its term gives up.
func Test5_2_CandidatesYieldToALeader(t *testing.T) {
	c := newCluster(3, plain)
	c.isolate(2)
	c.nodes[2].Raft.campaign()
	c.settle(2)
	c.mail = nil
	c.campaign(1)
	c.heal()
	require.Equal(t, Candidate, roles(c)[2])
	c.tick(1, 2)
	c.deliver(everything)
	require.Equal(t, Follower, roles(c)[2])
	require.Equal(t, ID(1), c.nodes[2].Status().Leader)
}

// §5.2: election timeouts are drawn anew each time from between one and two times the minimum.
func Test5_2_ElectionTimeoutsAreRandom(t *testing.T) {
	c := newCluster(3, plain)
	seen := map[int]bool{}
	for range 200 {
		c.nodes[1].become(Follower, None)
		timeout := c.nodes[1].timeout
		require.GreaterOrEqual(t, timeout, 10)
		require.Less(t, timeout, 20)
		seen[timeout] = true
	}
	require.Len(t, seen, 10)
}

// §5.3: an entry is committed once a majority has it, and followers learn of it.
func Test5_3_MajoritiesCommit(t *testing.T) {
	c := newCluster(5)
	c.campaign(1)
	c.isolate(4)
	c.isolate(5)
	require.True(t, c.propose(1, "a"))
	c.deliver(everything)
	for id := ID(1); id <= 3; id++ {
		require.Equal(t, uint64(2), c.nodes[id].Status().Committed, "%v", id)
	}
	c.isolate(3)
	require.True(t, c.propose(1, "b"))
	c.deliver(everything)
	require.Equal(t, uint64(2), c.nodes[1].Status().Committed, "two of five are no majority")
}

// §5.3, Figure 7: whatever a follower's log lacks or has too much, it ends up as the leader's.
func Test5_3_Figure7LogsConverge(t *testing.T) {
	leader := []uint64{1, 1, 1, 4, 4, 5, 5, 6, 6, 6}
	for name, follower := range map[string][]uint64{
		"a": {1, 1, 1, 4, 4, 5, 5, 6, 6},
		"b": {1, 1, 1, 4},
		"c": {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
		"d": {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},
		"e": {1, 1, 1, 4, 4, 4, 4},
		"f": {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},
	} {
		c := newCluster(3, plain)
		c.setLog(1, leader...)
		c.setLog(2, follower...)
		c.nodes[1].Term = 7
		c.isolate(2) // the third node elects and commits with the leader
		c.campaign(1)
		require.Equal(t, Leader, roles(c)[1], name)
		c.heal()
		c.tick(1, 8)
		c.deliver(everything)
		require.Equal(t, c.log(1), c.log(2), name)
		require.Equal(t, "1 1 1 4 4 5 5 6 6 6 8", c.log(2), name)
	}
}

// §5.3: an Append that was overtaken by a later one does not cut the log short.
func Test5_3_OldAppendsDoNotTruncate(t *testing.T) {
	c := newCluster(3, plain)
	n := c.nodes[2]
	e := []Entry{{Index: 1, Term: 1}, {Index: 2, Term: 1}, {Index: 3, Term: 1}}
	n.Step(Message{Type: Append, From: 1, To: 2, Term: 1, Entries: e})
	n.Step(Message{Type: Append, From: 1, To: 2, Term: 1, Entries: e[:1]})
	require.Equal(t, "1 1 1", c.log(2))
}

// §5.4.1: a candidate whose log is behind gets no vote.
func Test5_4_1_StaleLogsAreNotElected(t *testing.T) {
	for _, c := range []struct {
		voter, candidate []uint64
		granted          bool
	}{
		{[]uint64{1}, []uint64{1}, true},
		{[]uint64{1}, []uint64{1, 1}, true},
		{[]uint64{1, 1}, []uint64{1}, false},
		{[]uint64{1, 1}, []uint64{2}, true},
		{[]uint64{2}, []uint64{1, 1}, false},
	} {
		for _, bug := range []Bug{"", VoteStaleLog} {
			cl := newCluster(3, plain, withBug(bug))
			cl.setLog(1, c.candidate...)
			cl.setLog(2, c.voter...)
			cl.isolate(3)
			cl.nodes[1].Term = 5
			cl.campaign(1)
			require.Equal(t, c.granted || bug != "", roles(cl)[1] == Leader, "voter %v, candidate %v, bug %q", c.voter, c.candidate, bug)
		}
	}
}

// §5.4.2: a leader commits entries of former terms only along with one of its own.
func Test5_4_2_OldTermsAreNotCommittedByCounting(t *testing.T) {
	for _, bug := range []Bug{"", CommitOldTerm} {
		c := newCluster(3, plain, withBug(bug))
		c.setLog(1, 1, 2)
		c.setLog(2, 1)
		c.nodes[1].Raft.elect(false)
		n := c.nodes[1]
		n.Step(Message{Type: VoteReply, From: 2, To: 1, Term: n.Term})
		require.Equal(t, Leader, n.Status().Role)
		n.Step(Message{Type: AppendReply, From: 2, To: 1, Term: n.Term, Index: 2})
		require.Equal(t, bug == CommitOldTerm, n.Status().Committed == 2, "bug %q", bug)
	}
}

// §6, thesis §4.2.3: a server that hears its leader does not vote, and keeps its term.
func Test6_DisruptiveServersAreIgnored(t *testing.T) {
	c := newCluster(3)
	c.campaign(1)
	c.nodes[2].Step(Message{Type: Vote, From: 3, To: 2, Term: 9, Index: 9, LogTerm: 9})
	c.nodes[1].Step(Message{Type: Vote, From: 3, To: 1, Term: 9, Index: 9, LogTerm: 9})
	require.Equal(t, uint64(1), c.nodes[2].Status().Term)
	require.Equal(t, Leader, roles(c)[1])
}

// Thesis §6.2: a leader without contact to a quorum steps down within an election timeout.
func TestThesis6_2_LeadersWithoutQuorumStepDown(t *testing.T) {
	c := newCluster(3)
	c.campaign(1)
	c.isolate(1)
	c.tick(1, 9)
	require.Equal(t, Leader, roles(c)[1])
	c.tick(1, 1)
	require.Equal(t, Follower, roles(c)[1])
}

// Thesis §9.6: a server that cannot win does not raise terms.
func TestThesis9_6_PreVoteKeepsTerms(t *testing.T) {
	c := newCluster(3)
	c.campaign(1)
	c.isolate(3)
	c.tick(3, 200)
	require.Equal(t, uint64(1), c.nodes[3].Status().Term)
	c.heal()
	c.tick(1, 2)
	c.deliver(everything)
	require.Equal(t, Leader, roles(c)[1])
	require.Equal(t, uint64(1), c.nodes[1].Status().Term)
}

// §7: a snapshot that the log already covers leaves the log alone.
func Test7_SnapshotsThatBringNothingNew(t *testing.T) {
	c := newCluster(3, plain)
	c.setLog(2, 1, 1, 1)
	c.nodes[2].Step(Message{Type: Install, From: 1, To: 2, Term: 1, Snapshot: &Snapshot{Index: 2, Term: 1}})
	rd := c.nodes[2].Ready()
	require.Nil(t, rd.Snapshot)
	require.Equal(t, uint64(2), c.nodes[2].Status().Committed)
	require.Equal(t, "1 1 1", c.log(2))
}

// A follower compacted beyond what a leader probes for answers with what is committed.
func Test7_CompactedFollowersAnswerWithTheirCommit(t *testing.T) {
	c := newCluster(3, plain)
	c.setLog(2, 1, 1, 1)
	c.nodes[2].Step(Message{Type: Install, From: 1, To: 2, Term: 1, Snapshot: &Snapshot{Index: 9, Term: 1}})
	c.settle(2)
	c.mail = nil
	c.nodes[2].Step(Message{Type: Append, From: 1, To: 2, Term: 1, Index: 4, LogTerm: 1})
	replies := c.nodes[2].Ready().Messages
	require.Len(t, replies, 1)
	require.False(t, replies[0].Reject)
	require.Equal(t, uint64(9), replies[0].Index)
}

func TestConfigIsValidated(t *testing.T) {
	good := newCluster(3).nodes[1].cfg
	for name, spoil := range map[string]func(*Config){
		"no id":              func(c *Config) { c.ID = None },
		"not a peer":         func(c *Config) { c.ID = 9 },
		"no heartbeat":       func(c *Config) { c.HeartbeatTicks = 0 },
		"election too short": func(c *Config) { c.ElectionTicks = c.HeartbeatTicks },
		"no entries":         func(c *Config) { c.MaxEntries = 0 },
		"no randomness":      func(c *Config) { c.Rand = nil },
	} {
		cfg := good
		spoil(&cfg)
		_, err := New(cfg, Stored{}, nil)
		require.ErrorContains(t, err, "raft: ", name)
	}
}

func TestParseBugs(t *testing.T) {
	bugs, err := ParseBugs("two-votes, stale-read", []Bug{TwoVotes, StaleRead})
	require.NoError(t, err)
	require.Equal(t, "stale-read,two-votes", bugs.String())
	_, err = ParseBugs("two-boats", []Bug{TwoVotes})
	require.ErrorContains(t, err, `unknown bug "two-boats"`)
}

// A new leader's first Append that was lost is repeated from where it was, not from the beginning
// of the log.
func Test5_3_LostProbesAreRepeated(t *testing.T) {
	c := newCluster(3, plain)
	c.campaign(1)
	for range 5 {
		c.propose(1, "x")
		c.deliver(everything)
	}
	c.isolate(3)
	c.campaign(2)
	require.Equal(t, Leader, roles(c)[2])
	c.heal()
	c.takeTrace()
	for range 3 {
		c.tick(2, 2)
		c.deliver(everything)
	}
	require.Equal(t, c.log(2), c.log(3))
	trace := c.takeTrace()
	require.Contains(t, trace, "n2->n3 Append term=2 prev=6/1")
	require.NotContains(t, trace, "n2->n3 Append term=2 prev=0/0")
}

// A follower that lacks an entry gets it in an idle cluster too, whatever became of the messages.
func Test5_3_IdleFollowersCatchUp(t *testing.T) {
	c := newCluster(3, plain)
	c.campaign(1)
	c.propose(1, "x")
	c.mail = nil // all Appends are lost
	p := c.nodes[1].progress[3]
	p.inflight = 0 // as after answers to what was sent twice
	for range 3 {
		c.tick(1, 2)
		c.deliver(everything)
	}
	require.Equal(t, c.log(1), c.log(3))
}
