package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/reports/score"
)

var updateDocs = flag.Bool("update", false, "write the generated tables of the README anew")

const root = "../.."

// The tables of the README that sunder could print are those that it would print.
func TestGeneratedTables(t *testing.T) {
	c := Default()
	scored, err := score.Read(filepath.Join(root, "docs", "score.json"))
	require.NoError(t, err)
	rows := map[string]score.Row{}
	for _, r := range scored.Rows(sunder.DefaultProfile) {
		rows[r.Bug] = r
	}
	bugs := "| planted bug | in | after | what is wrong | found | half of the runs after |\n| --- | --- | --- | --- | --- | --- |\n"
	for _, b := range c.planted() {
		mark, found, after := "", "–", "–"
		if b.HeldOut {
			mark = " (held out)"
		}
		if b.Simulated {
			found = "by tests of the core"
		}
		if r, ok := rows[b.Name]; ok {
			found, after = fmt.Sprintf("%d of %d", r.Found, r.Runs), score.Seconds(r.Median)
		}
		bugs += fmt.Sprintf("| `%s`%s | %s | %s | %s | %s | %s |\n", b.Name, mark, b.Layer, b.Source, b.About, found, after)
	}
	nemeses := "| nemesis | what it does | shapes | aims | needs |\n| --- | --- | --- | --- | --- |\n"
	each(c.Nemeses, func(name string, f nemesis.Family) {
		var needs []string
		for _, n := range f.Needs() {
			needs = append(needs, "`"+string(n)+"`")
		}
		nemeses += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", name, f.About, strings.Join(f.Shapes, ", "), strings.Join(f.Aims, ", "),
			strings.Join(needs, ", "))
	})
	path := filepath.Join(root, "README.md")
	readme, err := os.ReadFile(path)
	require.NoError(t, err)
	want := string(readme)
	for name, table := range map[string]string{"bugs": bugs, "nemeses": nemeses} {
		begin := "<!-- " + name + ": generated -->\n"
		from := strings.Index(want, begin)
		require.Positive(t, from, "the README has a place for %s", name)
		from += len(begin)
		to := from + strings.Index(want[from:], "<!-- end -->")
		want = want[:from] + table + want[to:]
	}
	if *updateDocs {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(readme), "run: go test ./cmd/cli -run GeneratedTables -update")
}

// Every run in README and docs is one that sunder would begin.
func TestRunsInDocs(t *testing.T) {
	a := app{Catalogue: Default()}
	t.Chdir(root) // where files that they name are
	pages, err := filepath.Glob(filepath.Join("docs", "*.md"))
	require.NoError(t, err)
	seen := 0
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			for line := range strings.Lines(block[1]) {
				line = strings.ReplaceAll(line, "go run ./cmd/sunder", "sunder")
				if args, ok := strings.CutPrefix(line, "sunder score"); ok {
					f := scoreFlags{app: a}
					cmd := f.command()
					require.NoError(t, cmd.ParseFlags(words(args)), "%s: %s", page, line)
					_, _, err := f.plan()
					require.NoError(t, err, "%s: %s", page, line)
					continue
				}
				if typed := regexp.MustCompile(`^(?:.*\| )?sunder (.*)`).FindStringSubmatch(strings.TrimSuffix(line, "\n")); typed != nil {
					understood(t, a, page, words(typed[1]))
				}
				command, ok := strings.CutPrefix(line, "sunder run")
				if !ok || strings.Contains(command, "runs/latest") || strings.Contains(command, "mine.yaml") {
					continue
				}
				seen++
				require.NoError(t, a.try(words(command)), "%s: %s", page, line)
			}
		}
	}
	require.Greater(t, seen, 10)
}

// understood checks that there is a command, and that it has these flags and takes these arguments.
func understood(t *testing.T, a app, page string, args []string) {
	cmd, rest, err := a.newRoot().Find(args)
	require.NoError(t, err, "%s: %v", page, args)
	require.NoError(t, cmd.ParseFlags(rest), "%s: %v", page, args)
	require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), "%s: %v", page, args)
}

// words splits a line as a shell does, without its comment.
func words(line string) (all []string) {
	for _, w := range regexp.MustCompile(`'([^']*)'|(#.*)|(\S+)`).FindAllStringSubmatch(line, -1) {
		if w[2] != "" {
			break
		}
		all = append(all, w[1]+w[3])
	}
	return all
}

// The Go code of the guide and of the README is compiled as it stands, each block in the file that it names.
func TestTheGuideCompiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "adding.md"))
	require.NoError(t, err)
	for _, page := range []string{"README.md", filepath.Join("docs", "bring-your-own.md")} {
		more, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		text = append(text, more...)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var dirs, tests []string
	whole, err := filepath.Abs(root)
	require.NoError(t, err)
	for i, block := range regexp.MustCompile("(?s)```go\n// (\\S+\\.go)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		source := filepath.Join(t.TempDir(), fmt.Sprintf("%d.go", i))
		require.NoError(t, os.WriteFile(source, []byte(block[2]), 0o600))
		overlay.Replace[filepath.Join(whole, block[1])] = source
		switch dir := "./" + filepath.Dir(block[1]); {
		case strings.HasSuffix(block[1], "_test.go"):
			tests = append(slices.DeleteFunc(tests, func(other string) bool { return other == dir }), dir)
		case !slices.Contains(dirs, dir):
			dirs = append(dirs, dir)
		}
	}
	require.Len(t, dirs, 6, "each kind has its code")
	require.Len(t, tests, 1)
	b, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, b, 0o600))
	for _, args := range [][]string{
		append([]string{"build", "-o", os.DevNull, "-overlay", file}, dirs...),
		append([]string{"test", "-vet=off", "-c", "-o", filepath.Join(t.TempDir(), "test"), "-overlay", file}, tests...),
	} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// Every command has an example, and says what it is for.
func TestEveryCommandHasHelp(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		require.NotEmpty(t, c.Short, c.Name())
		if c.Name() != "version" {
			require.NotEmpty(t, c.Example, c.Name())
		}
		for _, below := range c.Commands() {
			look(below)
		}
	}
	look(app{Catalogue: Default()}.newRoot())
}
