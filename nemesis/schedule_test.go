package nemesis

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

func TestSentences(t *testing.T) {
	for text, want := range map[string]string{
		"at 5s isolate leader for 3s":              "partition:isolate",
		"at 0s partition for 3s":                   "partition",
		"at 1m kill n1,n3 for 500ms":               "kill",
		"when leader-elected halves leader for 1s": "partition:halves",
		"when behind:500/1s loss:most one for 1s":  "loss:most",
	} {
		s, err := Default().ParseSchedule([]byte("faults: [" + `"` + text + `"]`))
		require.NoError(t, err, text)
		v := harness.View{Nodes: harness.NodeNames(5), Up: harness.NodeNames(5), Leaders: []string{"n2"}}
		f := s.Faults[0].Pick.Nemesis.Next(random(), v)
		require.Contains(t, f.Name(), want, text)
	}
	s, err := Default().ParseSchedule([]byte("faults: ['at 1m kill n1,n3 for 500ms']"))
	require.NoError(t, err)
	require.Equal(t, harness.Time(time.Minute), s.Faults[0].At)
	require.Equal(t, harness.Time(500*time.Millisecond), s.Faults[0].For)
	v := harness.View{Nodes: harness.NodeNames(5), Up: harness.NodeNames(5)}
	require.Equal(t, []string{"n1", "n3"}, s.Faults[0].Pick.Nemesis.Next(random(), v).Deeds[0].Nodes)
}

func TestBadSchedules(t *testing.T) {
	for text, want := range map[string]string{
		"faults: [at 5s]":                                      `a fault is written like "at 5s isolate leader for 3s"`,
		"faults: [about 5s kill for 3s]":                       `it begins with "at" or "when", not with "about"`,
		"faults: [at noon kill for 3s]":                        "invalid duration",
		"faults: [at 1s kill for long]":                        "invalid duration",
		"faults: [when noon kill for 3s]":                      "there is no such event",
		"faults: [at 1s kill for 1s, at 1s drown one for 1s]":  `fault 2: "at 1s drown one for 1s": unknown family "drown"`,
		"faults: [at 1s kill nobody for 1s]":                   `kill has no aim "nobody"`,
		"faults: [{at: 1s, for: 1s, fault: {deed: kill}}]":     `unknown field "deed"`,
		"faults:\n\t- at 1s kill for 1s":                       "[2:1]",
		"fault: [at 1s kill for 1s]":                           `unknown field "fault"`,
		"faults: [{at: soon, for: 1s}]":                        "invalid duration",
		"faults: [{at: 1s, for: 1s, when: noon, fault: null}]": "there is no such event",
		"nodes: [n1, n2]\nfaults: [at 1s partition: for 1s]":   "",
		"faults: [at 1s partition:square for 1s]":              `partition has no shape "square"`,
	} {
		_, err := Default().ParseSchedule([]byte(text))
		if want == "" {
			require.Error(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
	_, err := Default().ReadSchedule(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Default().ReadSchedule(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist, "a directory without a run")
}
