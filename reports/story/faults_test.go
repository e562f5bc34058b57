package story

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestFaultSentence(t *testing.T) {
	links := func(pairs ...string) (all []history.Link) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, history.Link{From: pairs[i], To: pairs[i+1]})
		}
		return all
	}
	both := func(pairs ...string) (all []history.Link) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, links(pairs[i], pairs[i+1], pairs[i+1], pairs[i])...)
		}
		return all
	}
	for want, f := range map[string]struct {
		f     string
		takes history.Takes
	}{
		"n4 was paused from 1.000 s to 2.000 s.":                               {"pause", history.Takes{Down: []string{"n4"}}},
		"n1 and n2 were killed at 1.000 s and started again by 2.000 s.":       {"kill", history.Takes{Down: []string{"n1", "n2"}}},
		"n1, n2 and n3 were unplugged from 1.000 s to 2.000 s.":                {"unplug", history.Takes{Down: []string{"n1", "n2", "n3"}}},
		"n1 was down (shake) from 1.000 s to 2.000 s.":                         {"shake", history.Takes{Down: []string{"n1"}}},
		"n1 was cut off from n2 n3 from 1.000 s to 2.000 s.":                   {"partition:isolate", history.Takes{Cut: both("n1", "n2", "n3", "n1")}},
		"n4 and n5 were cut off from n1 n2 n3 from 1.000 s to 2.000 s.":        {"partition", history.Takes{Cut: both("n1", "n4", "n1", "n5", "n2", "n4", "n2", "n5", "n3", "n4", "n3", "n5")}},
		"Links were cut (n1>n2) from 1.000 s to 2.000 s.":                      {"partition:one-way", history.Takes{Cut: links("n1", "n2")}},
		"Links were cut (n1>n2, n2>n1, n2>n3) from 1.000 s to 2.000 s.":        {"partition", history.Takes{Cut: append(both("n1", "n2"), links("n2", "n3")...)}},
		"Links lost packets (n1>n2) from 1.000 s to 2.000 s.":                  {"loss", history.Takes{Lossy: links("n1", "n2")}},
		"Links were slow (n1>n2, n2>n1, n1>n3, n3>n1 and 2 more) from 1.000 s": {"delay", history.Takes{Slow: both("n1", "n2", "n1", "n3", "n1", "n4")}},
		"Links garbled packets (n1>n2) from 1.000 s to 2.000 s.":               {"reorder", history.Takes{Garbled: links("n1", "n2")}},
		"The fault compact was in force from 1.000 s to 2.000 s.":              {"compact", history.Takes{}},
	} {
		require.Contains(t, FaultSentence(history.Fault{F: f.f, Took: f.takes, InForce: time.Second, Healed: 2 * time.Second}), want)
	}
	never := history.Fault{F: "pause", Took: history.Takes{Down: []string{"n1"}}, InForce: time.Second, Healed: history.Never}
	require.Equal(t, "n1 was paused from 1.000 s until the end.", FaultSentence(never))
	never.F = "kill"
	require.Equal(t, "n1 was killed at 1.000 s.", FaultSentence(never))
}
