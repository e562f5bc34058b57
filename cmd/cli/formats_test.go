package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness/history"
)

const (
	staleJSONL = `{"at":1,"process":0,"kind":"invoke","f":"write","key":"x","value":1}
{"at":2,"process":0,"kind":"ok","f":"write","key":"x","value":1}
{"at":3,"process":1,"kind":"invoke","f":"write","key":"x","value":2}
{"at":4,"process":1,"kind":"ok","f":"write","key":"x","value":2}
{"at":5,"process":2,"kind":"invoke","f":"read","key":"x"}
{"at":6,"process":2,"kind":"ok","f":"read","key":"x","value":1}
`
	staleEDN = `[{:process 0, :type :invoke, :f :write, :value 1} {:process 0, :type :ok, :f :write, :value 1}
 {:process 1, :type :invoke, :f :write, :value 2} {:process 1, :type :ok, :f :write, :value 2}
 {:process 2, :type :invoke, :f :read, :value nil} {:process 2, :type :ok, :f :read, :value 1}]`
	staleLog = "INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1\nINFO  jepsen.util - " +
		"0\t:invoke\t:write\t2\nINFO  jepsen.util - 0\t:ok\t:write\t2\nINFO  jepsen.util - 1\t:invoke\t:read\tnil\nINFO  jepsen.util - 1\t:ok\t:read\t1\n"
)

func writeFile(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// The same violation is found in whatever way it was recorded, by name of the format or without.
func TestForeignHistories(t *testing.T) {
	for name, text := range map[string]string{"sunder": staleJSONL, "jepsen": staleEDN, "log": staleLog} {
		path := writeFile(t, "history."+name, text)
		for _, args := range [][]string{{"check", path}, {"check", path, "--input", name}, {"check", path, "--engine", "porcupine"}, {"check", path, "--engine", "compact"}} {
			code, stdout, stderr := typed(t, args...)
			require.Equal(t, child.Invalid, code, "%v: %s%s", args, stdout, stderr)
			require.Contains(t, stdout, "no order of 3 operations explains read -> 1")
			require.Contains(t, stdout, "3 of its 3 operations, which no order explains")
			require.Regexp(t, `\n    ! +\|---\|  read -> 1  process \d`, stdout)
		}
	}
	compressed, err := history.Compress(writeFile(t, "history.jsonl", staleJSONL))
	require.NoError(t, err)
	code, stdout, stderr := typed(t, "check", compressed)
	require.Equal(t, child.Invalid, code, "%s%s", stdout, stderr)

	dir := filepath.Dir(writeFile(t, "history.edn", staleEDN))
	code, _, _ = typed(t, "check", dir)
	require.Equal(t, child.Invalid, code, "a directory of Jepsen's will do")

	for want, args := range map[string][]string{
		"no such format":          {"check", dir, "--input", "xml"},
		"no such engine":          {"check", dir, "--engine", "knossos"},
		"a line is one JSON":      {"check", writeFile(t, "a", "hello\nyou"), "--engine", "unique"},
		":1: an operation has no": {"check", writeFile(t, "a", "{}")},
		"is not a history event":  {"check", writeFile(t, "a", staleEDN), "--input", "sunder"},
	} {
		code, _, stderr := typed(t, args...)
		require.Equal(t, child.Usage, code, "%v: %s", args, stderr)
		if want != "is not a history event" {
			require.Contains(t, stderr, want)
		}
	}
}

// What is exported is judged like what it was made from.
func TestExport(t *testing.T) {
	two := staleJSONL + strings.ReplaceAll(`{"at":7,"process":3,"kind":"invoke","f":"write","key":"y","value":1}
{"at":8,"process":3,"kind":"ok","f":"write","key":"y","value":1}
`, "\t", "")
	path := writeFile(t, "history.jsonl", two)
	out := filepath.Join(t.TempDir(), "history.edn")
	for _, c := range []struct {
		key  string
		want int
	}{{"", child.Invalid}, {"x", child.Invalid}, {"y", child.Unknown}} {
		args := []string{"export", path, "-o", out}
		if c.key != "" {
			args = append(args, "--key", c.key)
		}
		code, stdout, stderr := typed(t, args...)
		require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
		code, stdout, _ = typed(t, "check", out)
		require.Equal(t, c.want, code, stdout)
	}
	code, stdout, _ := typed(t, "export", path, "--key", "y")
	require.Equal(t, child.Valid, code)
	require.Equal(t, "{:index 0, :time 7, :type :invoke, :process 3, :f :write, :value 1}\n{:index 1, :time 8, :type :ok, :process 3, :f :write, :value 1}\n", stdout)

	// What is there is not destroyed by an export that cannot be.
	none := filepath.Join(t.TempDir(), "none.edn")
	for _, file := range []string{none, path} {
		code, _, stderr := typed(t, "export", path, "--key", "z", "-o", file)
		require.Equal(t, child.Usage, code)
		require.Contains(t, stderr, `no client touched the key "z"`)
	}
	require.NoFileExists(t, none)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, two, string(kept))

	// A completion need not name its key again.
	short := writeFile(t, "history.jsonl", strings.ReplaceAll(staleJSONL, `"ok","f":"write","key":"x",`, `"ok","f":"write",`))
	code, stdout, _ = typed(t, "export", short, "--key", "x", "-o", out)
	require.Equal(t, child.Valid, code, stdout)
	code, _, _ = typed(t, "check", out)
	require.Equal(t, child.Invalid, code)
}
