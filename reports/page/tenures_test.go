package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/reportstest"
)

// The page shows the holder that did not know, whom it did not know of, and what became of its writes: that whose
// writes were accepted before all others.
func TestTenuresAreDrawn(t *testing.T) {
	at := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }
	held := func(process int, lock string, token uint64, from, until int, how checkers.Ending) checkers.Tenure {
		return checkers.Tenure{
			Lock: lock, Process: process, Node: "c<1>", Token: token, From: at(from), Until: at(until), Perhaps: history.Never, Ended: how,
		}
	}
	tenures := checkers.Tenures{
		All: []checkers.Tenure{
			held(1, "a", 7, 1000, 4000, checkers.Told), held(2, "a", 8, 3000, 3500, checkers.Released),
			held(3, "b", 1, 5000, 9000, checkers.Refused), held(4, "b", 2, 7000, 7100, checkers.NotHeardOf),
		},
		Writes: []checkers.GuardedWrite{
			{Guarded: history.Guarded{Lock: "a", Token: 7}, At: at(3900), Tenure: 0},
			{Guarded: history.Guarded{Lock: "b", Token: 1, Accepted: true}, At: at(8900), Tenure: 2},
		},
		Overlaps: []checkers.Overlap{{Holder: 0, Next: 1}, {Holder: 2, Next: 3}},
	}
	page := func(found checkers.Tenures) string {
		b := reportstest.NewBuilder(t)
		b.Note(history.Controller, history.FTest, "", history.Test{
			Version: 1, Checkers: []string{"mutex"}, Nodes: []string{"n1"}, Companions: []string{"c1"},
		})
		b.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
		data, err := json.Marshal(found)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, Write(reports.Run{Dir: dir, History: &b.History, Results: []checkers.Result{{
			Checker: "mutex", Verdict: checkers.Invalid, Why: "two", Attach: []checkers.Attachment{{Kind: checkers.KindTenures, Data: data}},
		}}}, nil))
		text, err := os.ReadFile(filepath.Join(dir, reports.HTMLFile))
		require.NoError(t, err)
		return string(text)
	}
	text := page(tenures)
	require.Contains(t, text, "b: process 3 at c&lt;1&gt; did not know that process 4 at c&lt;1&gt; had acquired it")
	require.Contains(t, text, `class="tenure overlap"`)
	require.Contains(t, text, `class="tenure perhaps"`)
	require.Contains(t, text, `class="written"`)
	require.Contains(t, text, "<td>0 accepted, 1 refused</td>")
	require.Contains(t, text, "<td>1 accepted, 0 refused</td>")
	tenures.Writes = tenures.Writes[:1]
	text = page(tenures)
	require.Contains(t, text, "a: process 1 at c&lt;1&gt; did not know")
	require.Contains(t, text, `class="refused" text-anchor="middle">×`)

	require.NotContains(t, page(checkers.Tenures{All: tenures.All}), "did not know")
	tenures.Overlaps[1].Next = 9
	require.Contains(t, page(tenures), "tenures", "what cannot be drawn is shown as text")
}
