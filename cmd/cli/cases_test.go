package cli

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/cmd/child"
)

// Histories of other tools, each of which was read or judged wrongly once, or is a neighbour of one that was.
func TestCases(t *testing.T) {
	const keyed = `{:process 0 :type :invoke :f :write :value ["a" 1]} {:process 0 :type :ok :f :write :value ["a" 1]} `
	for name, c := range map[string]struct {
		text string // of the case, if it is no file
		args []string
		code int
		says []string
	}{
		"nil-read.edn":                {code: child.Valid, says: []string{"a read of nil says nothing, as in Knossos' register"}},
		"initial-zero.edn":            {code: child.Invalid, says: []string{"read -> 0", "Nobody wrote 0: if the register may hold it at first, say so (--initial 0)."}},
		"initial-zero.edn given 0":    {args: []string{"--initial", "0"}, code: child.Valid},
		"initial-zero.edn given 0.0":  {args: []string{"--initial", "0.0"}, code: child.Valid},
		"initial-zero.edn given 1":    {args: []string{"--initial", "1"}, code: child.Invalid},
		"micro-ops-one.edn":           {code: child.Unknown, says: []string{"looks like a transaction"}},
		"aborted-read.edn":            {code: child.Invalid, says: []string{"638 is the value of a write that was recorded as failed (event 2)"}},
		"aborted-read-concurrent.edn": {code: child.Invalid, says: []string{"5 is the value of a write that was recorded as failed (event 1)"}},
		"history.txt":                 {code: child.Invalid, says: []string{"read -> 7", "Nobody wrote 7"}},
		"bom.edn":                     {code: child.Valid},
		"json-array.json":             {code: child.Unknown, says: []string{"no value that was written was ever read back"}},
		"cas-three-tuple.edn":         {code: child.Valid, says: []string{"4 operations on 2 keys"}},
		"cas-found-old.jsonl":         {code: child.Invalid, says: []string{"cas 4 found 4"}},
		"key-with-newline.jsonl":      {code: child.Invalid, says: []string{`key "a\n::error file=x::injected" is not linearizable`}},
		"number-forms.jsonl":          {code: child.Valid},

		"two micro-operations": {text: `{:process 0 :type :invoke :f :write :value [[:w 9 1] [:w 8 1]]} {:process 0 :type :ok :f :write :value [[:w 9 1] [:w 8 1]]}`,
			code: child.Unknown, says: []string{"looks like a transaction"}},
		"a transaction": {text: `{:process 0 :type :invoke :f :txn :value [[:append 9 1]]} {:process 0 :type :ok :f :txn :value [[:append 9 1]]}`,
			code: child.Unknown, says: []string{"a register has no operation txn"}},
		"a nil of a key": {text: keyed + `{:process 1 :type :invoke :f :read :value ["a" nil]} {:process 1 :type :ok :f :read :value ["a" nil]}
			{:process 1 :type :invoke :f :read :value ["a" nil]} {:process 1 :type :ok :f :read :value ["a" 1]}`, code: child.Valid},
		"processes with names": {text: `{:process "c-1" :type :invoke :f :write :value 1} {:process :c2 :type :invoke :f :read :value nil} {:process :nemesis :type :info :f :start}
			{:process "c-1" :type :ok :f :write :value 1} {:process :c2 :type :ok :f :read :value 2}`, code: child.Invalid, says: []string{"read -> 2"}},
		"a completion says what was written": {text: `{:process 0 :type :invoke :f :write :value nil} {:process 0 :type :ok :f :write :value 3}
			{:process 0 :type :invoke :f :read :value nil} {:process 0 :type :ok :f :read :value 3}`, code: child.Valid},
		"a line that is wrong": {text: "{:process 0 :type :invoke :f :read}\n{:process 0 :type :invoke :f :read}\n", code: child.Usage, says: []string{":2: process 0 calls while"}},
		"a wrong array":        {text: `[{"process":0,"type":"invoke"}]`, code: child.Usage, says: []string{"operation 0 is none", `field "f" is missing`}},
		"another array":        {text: `[{"id":0}]`, code: child.Usage, says: []string{"it begins as one JSON array of operations", `unknown field "id"`}},
		"a read array": {text: `[{"process":"a","type":"invoke","f":"write","value":1},{"process":"a","type":"ok","f":"write","value":1},
			{"process":"a","type":"invoke","f":"read"},{"process":"a","type":"ok","f":"read","value":1.0}]`, code: child.Valid},
		"an initial value that is none": {text: "", args: []string{"--initial", "{"}, code: child.Usage, says: []string{"--initial: a JSON value"}},
		// One value, written in two ways; the referee has once confirmed this as a violation.
		"a replacement character": {text: `{"at":1,"process":0,"kind":"invoke","f":"write","key":"x","value":"\ufffd"}
{"at":2,"process":0,"kind":"ok","f":"write","key":"x"}
{"at":3,"process":0,"kind":"invoke","f":"read","key":"x"}
{"at":4,"process":0,"kind":"ok","f":"read","key":"x","value":"` + "\ufffd" + `"}
`, code: child.Valid},
		"fields in another order": {text: `{"at":1,"process":0,"kind":"invoke","f":"write","key":"x","value":{"a":"\ufffd","b":[1e0]}}
{"at":2,"process":0,"kind":"ok","f":"write","key":"x"}
{"at":3,"process":0,"kind":"invoke","f":"read","key":"x"}
{"at":4,"process":0,"kind":"ok","f":"read","key":"x","value":{"b":[1],"a":"` + "\ufffd" + `"}}
`, code: child.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "cases", name[:len(name)-len(given(name))])
			if c.text != "" || filepath.Ext(path) == "" {
				path = filepath.Join(t.TempDir(), "history")
				require.NoError(t, os.WriteFile(path, []byte(c.text), 0o644))
			}
			code, stdout, stderr := typed(t, append([]string{"check", path}, c.args...)...)
			require.Equal(t, c.code, code, "%s%s", stdout, stderr)
			for _, says := range c.says {
				require.Contains(t, stdout+stderr, says)
			}
			require.NotContains(t, stdout, "\n::", "what is foreign is quoted")
			require.NotContains(t, stdout, "legal to find 4")
		})
	}
}

// given returns what follows the name of a file in the name of a case.
func given(name string) string {
	if i := bytes.Index([]byte(name), []byte(" given ")); i >= 0 {
		return name[i:]
	}
	return ""
}

// Every format of text may be compressed, and come from standard input.
func TestCompressedHistories(t *testing.T) {
	for _, name := range []string{"bom.edn", "history.txt", "number-forms.jsonl", "cas-three-tuple.edn"} {
		path := filepath.Join("testdata", "cases", name)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		want, _, _ := typed(t, "check", path)
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, err = z.Write(text)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		zst, err := zstd.NewWriter(nil)
		require.NoError(t, err)
		for i, packed := range [][]byte{zipped.Bytes(), zst.EncodeAll(text, nil)} {
			file := filepath.Join(t.TempDir(), "packed")
			require.NoError(t, os.WriteFile(file, packed, 0o644))
			code, stdout, stderr := typed(t, "check", file)
			require.Equal(t, want, code, "%s %d: %s%s", name, i, stdout, stderr)
			in, err := os.Open(file)
			require.NoError(t, err)
			before := os.Stdin
			os.Stdin = in
			code, stdout, stderr = typed(t, "check", "-")
			os.Stdin = before
			require.NoError(t, in.Close())
			require.Equal(t, want, code, "%s %d from standard input: %s%s", name, i, stdout, stderr)
		}
		require.NoError(t, zst.Close())
	}
}
