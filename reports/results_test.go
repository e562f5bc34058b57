package reports

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// Results are written where the run is, whatever way leads there, and trouble is read from them again.
func TestResults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	latest := filepath.Join(filepath.Dir(dir), "latest")
	require.NoError(t, os.Symlink("run", latest))
	h := &history.History{}
	require.NoError(t, h.Append(history.Event{Process: history.Controller, Kind: history.Note, F: history.FTest, Value: json.RawMessage(
		`{"version":1,"target":"raft","fleet":"local","workload":"register","nemesis":"none","seed":1,"checkers":["linear"],
			"nodes":["n1"],"clients":1,"started":"2026-11-22T01:02:03Z","command":"sunder run"}`)}))
	run := Run{Dir: latest, History: h, Trouble: "out of paper", Results: []checkers.Result{{
		Checker: "future", Verdict: checkers.Invalid, Why: "so it is",
	}}}
	require.NoError(t, run.WriteResults())
	b, err := os.ReadFile(filepath.Join(dir, ResultsFile))
	require.NoError(t, err)
	var out results
	require.NoError(t, json.Unmarshal(b, &out))
	require.Equal(t, checkers.Invalid, out.Verdict)
	require.Equal(t, "out of paper", Trouble(dir))
	require.Empty(t, Trouble(filepath.Dir(dir)))
}
