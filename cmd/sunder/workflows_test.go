package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/reports"
)

// The night opens one issue for each cell that fails, and comments on the one that is open. What a target says
// reaches it as text, however much it is.
func TestIssuesOfANight(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no jq in CI")
		}
		t.Skip("there is no jq here")
	}
	dir, bin := t.TempDir(), t.TempDir()
	s := reports.Suite{Name: "nightly"}
	outcome := func(class string, status reports.Status, why string) {
		s.Outcomes = append(s.Outcomes, reports.Outcome{Name: fmt.Sprint(class, " seed ", len(s.Outcomes)), Class: class, Status: status, Expect: "valid", Why: why, Command: "sunder run"})
	}
	outcome("etcd/docker", reports.Failed, "line 1\n# no heading\r$(touch "+bin+"/pwned) `touch "+bin+"/pwned`")
	outcome("etcd/docker", reports.Broken, "also")
	outcome("raft/local", reports.Passed, "well")
	outcome("consul/docker", reports.Unknown, "no time")
	for range 60 {
		outcome("big", reports.Failed, strings.Repeat("x", 4000))
	}
	outcome("zookeeper", reports.Failed, "the last one")
	require.NoError(t, s.Write(dir))

	said := filepath.Join(bin, "said")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "gh"), fmt.Appendf(nil, `#!/bin/bash
if [ "$2" = list ]; then echo '[{"number":7,"title":"nightly: etcd/docker fails"},{"number":8,"title":"nightly: etcd fails"}]'; exit; fi
for last; do :; done
echo "$@" >>%[1]s; cat "$last" >>%[1]s
`, said), 0o755))
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "..", ".github", "issues"), dir, "https://example.invalid/run/1")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile(said)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "issue create "))
	require.Contains(t, string(text), "issue comment 7 --body-file")
	require.Contains(t, string(text), "issue create --title nightly: zookeeper fails --body-file")
	require.Contains(t, string(text), "\n      # no heading\n      $(touch")
	require.NotContains(t, string(text), "raft/local")
	require.NotContains(t, string(text), "consul/docker")
	require.NoFileExists(t, filepath.Join(bin, "pwned"))
	require.Less(t, len(text), 2*65_536)
}
