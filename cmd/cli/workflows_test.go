package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
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
	require.NoError(t, index.WriteSuite(dir, s))

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

// A night is put beside the nights before it, so that its index says since when something is red. What is missing makes
// it red too.
func TestANightBesideOthers(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	program, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	_, source, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(source), "..", "..", ".github", "night")
	require.NoError(t, os.Mkdir("bin", 0o755))
	require.NoError(t, os.WriteFile("bin/sunder", fmt.Appendf(nil, "#!/bin/sh\nSUNDER_TEST_MAIN=1 GITHUB_ACTIONS= exec %s \"$@\"\n", program), 0o755))
	night := func(parts ...reports.Status) string {
		require.NoError(t, os.RemoveAll("shards"))
		for i, status := range parts {
			part := leave(t, i+1, 2, status)
			verdict := map[reports.Status]string{reports.Passed: "valid", reports.Failed: "invalid"}[status]
			require.NoError(t, os.WriteFile(filepath.Join(part, "run", "results.json"), fmt.Appendf(nil, `{"summary":{"target":"etcd","nemesis":"part %d","verdict":%q}}`, i+1, verdict), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(part, "run", "history.jsonl.zst"), []byte("x"), 0o644))
			require.NoError(t, os.CopyFS(filepath.Join("shards", fmt.Sprint("shard-", i+1)), os.DirFS(part)))
		}
		out, err := exec.CommandContext(t.Context(), script, "shards", "nights").CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	night(reports.Passed, reports.Passed)
	made, err := os.Readlink("nights/latest")
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join("nights", made), "nights/20200101T000000"))
	require.Contains(t, night(reports.Passed, reports.Failed), "the night ended with 1")

	page, err := os.ReadFile("nights/index.html")
	require.NoError(t, err)
	require.Contains(t, string(page), "1 of 2 cells are not green", "the header")
	require.Contains(t, string(page), `<a href="20200101T000000/run-2/report.html">last green</a>`, "since when")
	require.NoFileExists(t, "nights/20200101T000000/run-2/history.jsonl.zst", "only the newest night is whole")
	require.FileExists(t, "nights/latest/run-2/history.jsonl.zst")

	made, err = os.Readlink("nights/latest")
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join("nights", made), "nights/20200102T000000"))
	require.Contains(t, night(reports.Passed), "the night ended with 255")
	page, err = os.ReadFile("nights/index.html")
	require.NoError(t, err)
	require.Contains(t, string(page), "part 2 of night", "the part that is missing")
}

// action is what a composite action of GitHub's has.
type action struct {
	Inputs map[string]struct {
		Default  string `yaml:"default"`
		Required bool   `yaml:"required"`
	} `yaml:"inputs"`
	Runs struct {
		Steps []struct {
			Uses string            `yaml:"uses"`
			Run  string            `yaml:"run"`
			Env  map[string]string `yaml:"env"`
		} `yaml:"steps"`
	} `yaml:"runs"`
}

// The action for other repositories installs sunder and runs a suite, as its steps say; those of others are pinned as
// ours are. The suite is the one that the page about it has.
func TestTheActionForOthers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".github", "actions", "suite", "action.yml"))
	require.NoError(t, err)
	var a action
	require.NoError(t, yaml.Unmarshal(text, &a))
	require.True(t, a.Inputs["suite"].Required)
	page, err := os.ReadFile(filepath.Join(root, "docs", "installing.md"))
	require.NoError(t, err)
	suites := regexp.MustCompile("(?s)```yaml\n(about: .*?)```").FindSubmatch(page)
	require.NotNil(t, suites)
	bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
	program, err := filepath.Abs(os.Args[0])
	require.NoError(t, err)
	t.Chdir(root)
	suite := filepath.Join(bin, "nightly.yaml")
	require.NoError(t, os.WriteFile(suite, suites[1], 0o600))
	write := func(name, script string) {
		require.NoError(t, os.MkdirAll(filepath.Join(bin, "bin"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(bin, "bin", name), []byte("#!/bin/sh\n"+script), 0o755))
	}
	write("go", "echo go \"$@\" >>"+said+"; echo "+bin)
	write("sudo", "echo sudo \"$@\" >>"+said)
	write("sysctl", "echo 1")
	write("sunder", "SUNDER_TEST_MAIN=1 GITHUB_ACTIONS= exec "+program+" \"$@\" --list")
	inputs := map[string]string{"suite": suite, "flags": "--seed 2", "version": a.Inputs["version"].Default}
	var out []byte
	for _, step := range a.Runs.Steps {
		if step.Uses != "" {
			require.Regexp(t, `^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`, step.Uses)
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", step.Run)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(bin, "bin")+":"+os.Getenv("PATH"))
		for name, value := range step.Env {
			for input, given := range inputs {
				value = strings.ReplaceAll(value, "${{ inputs."+input+" }}", given)
			}
			require.NotContains(t, value, "${{")
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		require.NotContains(t, step.Run, "${{", "what is given must not become a script")
		more, err := cmd.CombinedOutput()
		require.NoError(t, err, string(more))
		out = append(out, more...)
	}
	require.Equal(t, 9, strings.Count(string(out), "seed "), "%s", out)
	text, err = os.ReadFile(said)
	require.NoError(t, err)
	require.Contains(t, string(text), "go install github.com/sunder-dev/sunder/cmd/sunder@latest\n")
	require.Contains(t, string(text), "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n")
}
