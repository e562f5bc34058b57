package checkers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestSingle(t *testing.T) {
	type said struct {
		at   int
		node string
		role string
		term uint64
	}
	for name, c := range map[string]struct {
		said    []said
		verdict Verdict
		why     string
	}{
		"two at once": {
			[]said{{1000, "n1", "leader", 1}, {2000, "n2", "leader", 2}, {3000, "n1", "leader", 1}}, Invalid,
			"two nodes led at once: n1 said at 1.000 s that it leads (term 1), n2 said so at 2.000 s (term 2), and n1 still did at 3.000 s",
		},
		"one after the other":        {[]said{{1000, "n1", "leader", 1}, {1900, "n1", "follower", 2}, {2000, "n2", "leader", 2}}, Valid, "no two led at once"},
		"it never said so again":     {[]said{{1000, "n1", "leader", 1}, {2000, "n2", "leader", 2}, {3000, "n1", "follower", 2}}, Valid, ""},
		"too soon to be told apart":  {[]said{{1000, "n1", "leader", 1}, {2000, "n2", "leader", 2}, {2400, "n1", "leader", 1}}, Valid, ""},
		"too soon after the first":   {[]said{{1000, "n1", "leader", 1}, {1400, "n2", "leader", 2}, {3000, "n1", "leader", 1}}, Valid, ""},
		"it was elected once more":   {[]said{{1000, "n1", "leader", 1}, {2000, "n2", "leader", 2}, {3000, "n1", "leader", 3}}, Valid, ""},
		"it followed in between":     {[]said{{1000, "n1", "leader", 1}, {1500, "n1", "follower", 1}, {2000, "n2", "leader", 2}, {3000, "n1", "leader", 1}}, Valid, ""},
		"before the load":            {[]said{{1, "n1", "leader", 1}, {20, "n2", "leader", 2}, {3000, "n2", "leader", 2}}, Valid, ""},
		"nobody ever said so":        {[]said{{1000, "n1", "follower", 0}}, Unknown, "no node ever said that it leads"},
		"two that say so in no term": {[]said{{1000, "n1", "leader", 0}, {2000, "n2", "leader", 0}, {3000, "n1", "leader", 0}}, Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history.History{}
			note(t, h, 0, history.Controller, history.FTest, "", history.Test{Nodes: []string{"n1", "n2"}, Checkers: []string{"leader:single"}})
			note(t, h, 0, history.Controller, history.FPhase, "", history.PhaseLaunch)
			loads := false
			for _, s := range c.said {
				if !loads && s.at >= 100 {
					note(t, h, 100, history.Controller, history.FPhase, "", history.PhaseLoad)
					loads = true
				}
				note(t, h, s.at, history.Observer, history.FStatus, s.node, history.Status{Role: s.role, Term: s.term})
			}
			e, model, err := Default().Find("leader:single")
			require.NoError(t, err)
			r := e.New(Defaults(), model).Check(t.Context(), h)
			require.Equal(t, c.verdict, r.Verdict, r.Why)
			require.Contains(t, r.Why, c.why)
			require.Equal(t, c.verdict == Invalid, len(r.Ops) == 3)
		})
	}
}

// A node that was down in between may have been elected anew, whatever the term says.
func TestAReignEndsWithTheNode(t *testing.T) {
	h := &history.History{}
	note(t, h, 0, history.Controller, history.FTest, "", history.Test{Nodes: []string{"n1", "n2"}, Checkers: []string{"leader:single"}})
	note(t, h, 0, history.Controller, history.FPhase, "", history.PhaseLoad)
	status := func(at int, node string) {
		note(t, h, at, history.Observer, history.FStatus, node, history.Status{Role: "leader", Term: 1})
	}
	status(1000, "n1")
	note(t, h, 1500, history.Observer, history.FExit, "n1", history.Exit{})
	status(2000, "n2")
	status(3000, "n1")
	require.Equal(t, Valid, single{}.Check(t.Context(), h).Verdict)
	status(4000, "n2")
	require.Equal(t, Invalid, single{}.Check(t.Context(), h).Verdict, "that of n1 began anew at 3 s, in that of n2")
}
