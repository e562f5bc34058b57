package raft

import (
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/raft/core"
)

// Bugs are the bugs that can be planted in the built-in Raft, by name. This is the one list of them: tests, the suite
// that hunts them and the README's table come from it.
func Bugs() []harness.Bug {
	return []harness.Bug{
		{
			Name: "ack-before-commit", Layer: "api", Source: "Raft §5.3", About: "answers before a majority has the entry",
			Property: "linear", Hunt: "--nemesis partition:isolate@leader --time-limit 10s",
		},
		{
			Name: "ack-before-fsync", Layer: "log", Source: "Raft §5, Figure 2 (persistent state)",
			About: "answers before the log is on disk", Property: "linear or leader",
			Hunt: "--nemesis kill@all=300ms/2s --time-limit 15s",
		},
		{
			Name: "apply-twice", Layer: "sessions", Source: "Raft §8; Ongaro's thesis 6.3",
			About: "a command that is proposed again is applied again", Property: "linear",
			Hunt: "--latency 20ms --keys 2 --clients 20 --rate 0 --mix read=50,write=50 --nemesis pause@minority=500ms/500ms " +
				"--time-limit 20s",
		},
		{
			Name: "cas-unchecked", Layer: "api", Source: "register semantics", About: "sets without comparing",
			Property: "linear", Hunt: "--nemesis none --time-limit 10s",
		},
		{
			Name: "commit-old-term", Layer: "core", Source: "Raft §5.4.2, Figure 8",
			About: "commits entries of former terms by counting replicas (Figure 8)", Property: "linear or state",
			Hunt: "--nodes 3 --rate 40 --mix read=50,write=50 --op-timeout 500ms " +
				"--target-flag heartbeat=25ms,election-timeout=75ms,check-quorum=false " +
				"--nemesis partition:isolate@leader=20ms/0s --time-limit 60s",
		},
		{
			Name: "forget-vote", Layer: "core", Source: "Raft §5.2, Figure 2 (votedFor)", About: "the vote is lost on restart",
			Property: "leader",
			Hunt: "--nodes 3 --latency 50ms --target-flag election-timeout=200ms " +
				"--nemesis partition:isolate@leader=40ms/0s+kill@one=20ms/400ms --time-limit 30s",
		},
		{
			Name: "lease-read", Layer: "core", Source: "Ongaro's thesis 6.4.1", About: "a paused leader trusts its lease",
			Property: "linear",
			Hunt: "--target-flag election-timeout=300ms " +
				"--nemesis partition:halves@leader=2500ms/300ms+pause@leader=1500ms/100ms --time-limit 40s",
		},
		{
			Name: "no-step-down", Layer: "core", Source: "Raft §5.1", About: "a leader ignores higher terms",
			Property: "linear", Hunt: "--nemesis pause@leader=1s/1s --time-limit 20s",
		},
		{
			Name: "quorum-minus-one", Layer: "core", Source: "Raft §5.2", About: "N/2 nodes are enough for a majority",
			Property: "linear or leader", Hunt: "--nemesis partition:halves@leader --time-limit 15s",
		},
		{
			Name: "stale-read", Layer: "core", Source: "Raft §8", About: "reads are served from any node's own state",
			Property: "linear", Hunt: "--nemesis partition --time-limit 10s",
		},
		{
			Name: "two-votes", Layer: "core", Source: "Raft §5.2", About: "votes for every candidate of a term",
			Property: "leader",
			Hunt:     "--latency 20ms --nemesis kill@leader=400ms/500ms --time-limit 15s --launch-timeout 10s",
		},
		{
			Name: "vote-stale-log", Layer: "core", Source: "Raft §5.4.1", About: "elects candidates whose log is behind",
			Property: "linear", Hunt: "--nemesis partition:halves@leader=1s/0s --time-limit 30s",
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
