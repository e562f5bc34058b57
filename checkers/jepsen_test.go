package checkers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history/jepsen"
)

// The verdicts on the histories that porcupine is tested with, as Jepsen recorded them of etcd 0.4, are those that
// its tests demand. They come with its module.
func TestPorcupinesHistories(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anishathalye/porcupine").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))
	source, err := os.ReadFile(filepath.Join(dir, "porcupine_test.go"))
	require.NoError(t, err)
	expected := regexp.MustCompile(`checkJepsen\(t, (\d+), (true|false)\)`).FindAllSubmatch(source, -1)
	require.Greater(t, len(expected), 100)
	for _, e := range expected {
		var n int
		_, err := fmt.Sscan(string(e[1]), &n)
		require.NoError(t, err)
		text, err := os.ReadFile(filepath.Join(dir, "test_data", "jepsen", fmt.Sprintf("etcd_%03d.log", n)))
		require.NoError(t, err)
		h, err := jepsen.ReadLog(bytes.NewReader(text), "log")
		require.NoError(t, err)
		want := Invalid
		if string(e[2]) == "true" {
			want = Valid
		}
		r := check(t, "linear", h)
		require.Equal(t, want, r.Verdict, "log %d: %s", n, r.Why)
		if want == Invalid {
			line, err := unmarshalTimeline(r.Attach[0])
			require.NoError(t, err)
			require.True(t, line.Confirmed, "log %d", n)
			require.LessOrEqual(t, len(line.Ops), 20)
		}

		// And what is written for Knossos is the same history.
		var edn bytes.Buffer
		require.NoError(t, jepsen.WriteEDN(&edn, h, nil))
		again, err := jepsen.ReadEDN(&edn, "edn")
		require.NoError(t, err)
		require.Equal(t, want, check(t, "linear", again).Verdict)
	}
}
