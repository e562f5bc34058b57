package jepsen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestFormsBecomeJSON(t *testing.T) {
	for form, want := range map[string]string{
		"nil": "null", "true": "true", "12": "12", "+12": "12", "-0": "0", "12N": "12", "123456789012345678901234567890N": "123456789012345678901234567890",
		"1.5M": "1.5", "1e3": "1e3", "3/4": `"3/4"`, "0x1f": `"0x1f"`, ":a/b": `":a/b"`, "foo.bar$fn__1": `"foo.bar$fn__1"`, `\a`: `"\\a"`, `\newline`: `"\\newline"`, `\(`: `"\\("`,
		`"a\tbé\"\\"`: `"a\tbé\"\\"`, "[1 [2 3]]": "[1,[2,3]]", "(1, 2)": "[1,2]", "[]": "[]", "{}": "{}",
		`{:b 1 "a" nil 3 [4]}`: `{"3":[4],":b":1,"a":null}`, "#{3 1 2}": "[1,2,3]", `#inst "2020"`: `"2020"`, "#jepsen.independent.MapEntry[1 2]": "[1,2]",
		"#object[java.lang.Thread 0x5f \"x\"]": `["java.lang.Thread","0x5f","x"]`, "##Inf": `"##Inf"`, "#_ 1 2": "2", "[1 #_2 3 ;four\n]": "[1,3]",
	} {
		s := &scanner{buf: []byte(form)}
		got, err := s.value(nil)
		require.NoError(t, err, form)
		require.Equal(t, want, string(got), form)
		require.True(t, json.Valid(got))
		more, err := s.more()
		require.NoError(t, err)
		require.False(t, more, form)
	}
	for form, want := range map[string]string{
		"": "middle of a form", "[1": "middle of a form", "{:a": "middle of a form", `"a`: "middle of a form", `"\q"`: "is no escape", `"\u12"`: "is no character",
		"]": "unexpected ']'", strings.Repeat("[", 1000): "nested more than 200 deep", strings.Repeat("#_", 1000): "", "#": "middle of a form",
	} {
		s := &scanner{buf: []byte(form)}
		_, err := s.value(nil)
		require.ErrorContains(t, err, want, form)
	}
}

const register = `{:process 0, :type :invoke, :f :write, :value 1, :time 5, :index 0}
{:process 1, :type :invoke, :f :read, :value nil, :time 5, :index 1}
{:process :nemesis, :type :info, :f :start, :value nil, :time 6}
{:process 0, :type :ok, :f :write, :value 1, :time 7}
{:process 1, :type :fail, :f :read, :value nil, :error :timeout, :time 8}
{:process 1, :type :invoke, :f :cas, :value [1 2], :time 9}
{:process 1, :type :info, :f :cas, :value [1 2], :error [:timeout "x"], :exception #error{:cause "a" :via [{:type java.lang.X :at [a.b$c invoke "x.clj" 12]}]}, :time 9}
{:process 0, :type :invoke, :f :read, :value nil}
{:process 0, :type :ok, :f :read, :value 2}
`

func eventsOf(h *history.History) (lines []string) {
	for e := range h.Events() {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s %s", e.Process, e.Kind, e.F, e.Key, e.Value, e.Err)))
	}
	return lines
}

// A file may be one map after another or one collection, and maps may be tagged.
func TestReadEDN(t *testing.T) {
	want := []string{
		"0 invoke write  1", "1 invoke read", "0 ok write  1", "1 fail read   timeout", "1 invoke cas  [1,2]", `1 info cas   [":timeout","x"]`,
		"0 invoke read", "0 ok read  2",
	}
	vector := "[" + register + "]\n"
	for _, text := range []string{register, vector, "(" + register + ")", strings.ReplaceAll(register, "{:process", "#jepsen.history.Op{:process"), "; a comment\n" + vector} {
		h, err := ReadEDN(strings.NewReader(text), "history.edn")
		require.NoError(t, err)
		require.Equal(t, want, eventsOf(h))
		require.Equal(t, 6*time.Nanosecond, h.Event(1).At, "what was recorded later came later")
		require.Greater(t, h.Event(7).At, h.Event(6).At, "where there is no time, the order is")
	}
}

// Values of jepsen.independent are pairs of a key and a value.
func TestReadIndependent(t *testing.T) {
	h, err := ReadEDN(strings.NewReader(`{:process 0, :type :invoke, :f :write, :value [7 1]}
{:process 0, :type :ok, :f :write, :value [7 1]}
{:process 1, :type :invoke, :f :cas, :value ["k" [1 2]]}
{:process 1, :type :info, :f :cas, :value nil}
{:process 2, :type :invoke, :f :read, :value [7 nil]}
{:process 2, :type :ok, :f :read, :value #jepsen.independent.MapEntry[7 1]}`), "x")
	require.NoError(t, err)
	require.Equal(t, []string{"0 invoke write 7 1", "0 ok write 7 1", "1 invoke cas k [1,2]", "1 info cas", "2 invoke read 7", "2 ok read 7 1"}, eventsOf(h))
	_, err = ReadEDN(strings.NewReader(`{:process 2, :type :invoke, :f :read, :value [7 nil]} {:process 2, :type :ok, :f :read, :value 1}`), "x")
	require.ErrorContains(t, err, "x:1: the value 1 is no [key value]")
}

func TestReadEDNRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`hello`:                              "h.edn:1: an operation is a map",
		strings.Repeat("#_", 100_000) + "{}": "nested more than 200 deep",
		`{:process 0 :type :invoke :f :read :value [1 [nil nil]]} {:process 0 :type :ok :f :read :value [1 [1 3]]}`: "[version value]",
		`{:process 0 :type :invoke :f :read :value [nil nil]} {:process 0 :type :ok :f :read :value [1 3]}`:         "[version value]",
		`{:process 0 :type :invoke :f :read :time 9223372036854775807}`:                                             "is too large",
		"\n{:process 0, :type :invoke :f :read} {:type :ok}":                                                        "h.edn:2: an operation has no :process",
		`{:process 0 :type :okay :f :read}`:                                                                         "an operation has a :type of",
		`{:process 0 :type :ok :f "read"}`:                                                                          `and a keyword as :f, not ":ok" and "read"`,
		`{:process 0 :process 1}`:                                                                                   ":process comes twice",
		"[{:process 0 :type :invoke :f :read}":                                                                      "middle of a form",
		"[{:process 0 :type :invoke :f :read}] 4":                                                                   "more after the operations",
		"{:process 0 :type :invoke":                                                                                 "middle of a form",
		"{:process 0 :type :ok :f :read}":                                                                           "h.edn:1: process 0 completes (fail) without an open call",
		"{:process 0 :type :invoke :f :read}\n{:process 0 :type :invoke :f :read}":                                  "h.edn:2: process 0 calls while",
		"{:process 0 :type :invoke :f :w} {:process 0 :type :info :f :w} {:process 0 :type :invoke :f :w}":          "calls again after an info",
	} {
		_, err := ReadEDN(strings.NewReader(text), "h.edn")
		require.ErrorContains(t, err, want, text)
	}
	_, err := ReadLog(strings.NewReader("INFO  jepsen.util - 0  :invoke\n"), "l")
	require.ErrorContains(t, err, "l:1: a process is followed by")
	_, err = ReadLog(strings.NewReader("INFO  jepsen.util - 0  :invoke  :write  17"), "l")
	require.ErrorContains(t, err, "l:1: the line does not end")
	_, err = ReadLog(strings.NewReader("nothing\n"), "l")
	require.ErrorContains(t, err, "there is no line of an operation")
}

// What is written is read again as it was.
func TestWriteEDN(t *testing.T) {
	h := &history.History{}
	add := func(process int, kind history.Kind, f, key, value, err string) {
		require.NoError(t, h.Append(history.Event{At: time.Duration(h.Len()), Process: process, Kind: kind, F: f, Key: key, Value: json.RawMessage(value), Err: err}))
	}
	add(history.Controller, history.Note, "test", "", `{}`, "")
	add(0, history.Invoke, "write", "a", `"x\"\u0001é"`, "")
	add(1, history.Invoke, "cas", "b", `[1,{"y":[true,null,1.5]}]`, "")
	add(0, history.Info, "write", "a", "", "deadline \"exceeded\"")
	add(1, history.Fail, "cas", "b", "7", history.Mismatch)
	add(2, history.Invoke, "read", "a", "", "")
	add(2, history.OK, "read", "a", "null", "")
	var b bytes.Buffer
	require.NoError(t, WriteEDN(&b, h, nil))
	require.Equal(t, `{:index 0, :time 1, :type :invoke, :process 0, :f :write, :value ["a" "x\"\u0001é"]}
{:index 1, :time 2, :type :invoke, :process 1, :f :cas, :value ["b" [1 {"y" [true nil 1.5]}]]}
{:index 2, :time 3, :type :info, :process 0, :f :write, :value ["a" "x\"\u0001é"], :error "deadline \"exceeded\""}
{:index 3, :time 4, :type :fail, :process 1, :f :cas, :value ["b" [1 {"y" [true nil 1.5]}]], :error "mismatch", :found 7}
{:index 4, :time 5, :type :invoke, :process 2, :f :read, :value ["a" nil]}
{:index 5, :time 6, :type :ok, :process 2, :f :read, :value ["a" nil]}
`, b.String())
	again, err := ReadEDN(&b, "x")
	require.NoError(t, err)
	want := eventsOf(h)[1:]
	want[len(want)-1] = "2 fail read a  what was read is not known" // a nil is no value to Jepsen
	require.Equal(t, want, eventsOf(again))
	require.Equal(t, []string{"a read of nil says nothing, as in Knossos' register"}, again.Remarks())

	key := "b"
	require.NoError(t, WriteEDN(&b, h, &key))
	require.Equal(t, `{:index 0, :time 2, :type :invoke, :process 1, :f :cas, :value [1 {"y" [true nil 1.5]}]}
{:index 1, :time 4, :type :fail, :process 1, :f :cas, :value [1 {"y" [true nil 1.5]}], :error "mismatch", :found 7}
`, b.String())
	key = "c"
	require.ErrorContains(t, WriteEDN(&b, h, &key), `no client touched the key "c"`)
}

// A mismatch that somebody else reports may be anything; ours says what was found, or that something was.
func TestMismatches(t *testing.T) {
	for text, want := range map[string]string{
		`:error :mismatch`: "0 fail cas   mismatch, it is said", `:error "mismatch", :found 7`: "0 fail cas  7 mismatch", `:error "mismatch", :found :another`: "0 fail cas   mismatch",
	} {
		h, err := ReadEDN(strings.NewReader(`{:process 0, :type :invoke, :f :cas, :value [1 2]} {:process 0, :type :fail, :f :cas, :value [1 2], `+text+`}`), "x")
		require.NoError(t, err)
		require.Equal(t, want, eventsOf(h)[1])
	}
}

// Whatever the text, the readers end, and what they make is JSON.
func FuzzReadEDN(f *testing.F) {
	f.Add(register)
	f.Add("[" + register + "]")
	f.Fuzz(func(t *testing.T, text string) {
		s := &scanner{buf: []byte(text)}
		if v, err := s.value(nil); err == nil {
			require.True(t, json.Valid(v), "%q became %q", text, v)
		}
		_, _ = ReadEDN(strings.NewReader(text), "x")
		_, _ = ReadLog(strings.NewReader("jepsen.util "+text), "x")
	})
}

func TestStringsSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		s := &scanner{buf: appendForm(nil, text)}
		got, err := s.value(nil)
		require.NoError(t, err)
		var again string
		require.NoError(t, json.Unmarshal(got, &again))
		require.Equal(t, text, again)
	})
}

// The logs that porcupine is tested with (they come with its module) are read whole.
func TestReadLogs(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anishathalye/porcupine").Output()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "test_data", "jepsen", "*.log"))
	require.NoError(t, err)
	require.Greater(t, len(files), 100)
	line := regexp.MustCompile(`(?m)^INFO\s+jepsen\.util - (\d+)\s`)
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if len(text) == 0 {
			continue // there is one such
		}
		h, err := ReadLog(bytes.NewReader(text), path)
		require.NoError(t, err)
		lines := line.FindAllSubmatch(text, -1)
		require.Equal(t, len(lines), h.Len(), path)
		for i, l := range lines {
			process, _ := strconv.Atoi(string(l[1]))
			require.Equal(t, process, h.Event(i).Process)
		}
	}
}

// In a history.txt each line is an operation, whole and nothing else.
func TestReadTextRefuses(t *testing.T) {
	const good = "0\t:invoke\t:write\t17\n0\t:ok\t:write\t17\n"
	for text, want := range map[string]string{
		"1\t:invoke\t:read\tnil\n1\t:ok\t:read\t1":       "h.txt:4: the line does not end",
		"1\t:invoke\t:read\tnil\n1\t:ok\t:read\t1 2 x\n": `h.txt:4: there is more after the value: "2 x"`,
		"1\t:invoke\t:read\tnil :x\n":                    "there is more after the value",
		"this is garbage\n":                              "h.txt:3: a process is followed by",
		"worker :okk :read 3\n":                          "h.txt:3: a process is followed by",
		"a 1 :ok :read 77\n":                             "h.txt:3: a process is followed by",
	} {
		_, err := ReadText(strings.NewReader(good+text), "h.txt")
		require.ErrorContains(t, err, want, text)
	}
	h, err := ReadText(strings.NewReader(good+"\n  2\t:invoke\t:read\tnil\n  2\t:ok\t:read\t77\n"), "h.txt")
	require.NoError(t, err)
	require.Equal(t, []string{"0 invoke write  17", "0 ok write  17", "2 invoke read", "2 ok read  77"}, eventsOf(h), "numbers stand at the right")
}

func TestReadJSONRefuses(t *testing.T) {
	const good = `{"process":0,"type":"invoke","f":"write","value":1},{"process":0,"type":"ok","f":"write"}`
	_, err := ReadJSON(strings.NewReader("["+good+"]\n"), "h.json")
	require.NoError(t, err)
	for text, want := range map[string]string{
		"[" + good + "][]": "more after the array",
		"[" + good + "] x": "more after the array",
		"[" + good + `,{"process":1,"type":"invoke","f":"write","value":9,"value":1}]`: "operation 2 is none",
		"[" + good + `,{"process":1,"type":"invoke","f":"write","Value":9,"value":1}]`: `field "Value" is unknown`,
		"[" + good + `,{"type":"invoke","f":"write","value":1}]`:                       `field "process" is missing`,
		"[" + good + `,null]`: "null is no value",
		"[" + good:            "is none",
	} {
		_, err := ReadJSON(strings.NewReader(text), "h.json")
		require.ErrorContains(t, err, want, text)
	}
}

// Names and numbers of processes do not meet.
func TestProcesses(t *testing.T) {
	var p processes
	seen := make(map[int]string)
	for _, name := range []string{"0", "1", `"1"`, "+1", "01", ":a", "16777215", "16777216", "-1", "4294967296"} {
		n, client := p.number(name)
		require.True(t, client)
		require.NotContains(t, seen, n, name)
		seen[n] = name
		again, _ := p.number(name)
		require.Equal(t, n, again)
	}
	for _, name := range []string{":nemesis", `"nemesis"`, "nemesis", `":nemesis"`} {
		_, client := p.number(name)
		require.False(t, client, name)
	}
}

// A compare-and-set of three is one of a key only where there are keys.
func TestTriples(t *testing.T) {
	h, err := ReadEDN(strings.NewReader(`{:process 0 :type :invoke :f :cas :value [7 1 2]} {:process 0 :type :ok :f :cas :value [7 1 2]}
{:process 0 :type :invoke :f :cas :value [7 [2 3]]} {:process 0 :type :ok :f :cas :value [7 [2 3]]} {:process 1 :type :invoke :f :read :value [7 nil]}`), "x")
	require.NoError(t, err)
	require.Equal(t, []string{"0 invoke cas 7 [1,2]", "0 ok cas 7 [1,2]", "0 invoke cas 7 [2,3]", "0 ok cas 7 [2,3]", "1 invoke read 7"}, eventsOf(h))
	h, err = ReadEDN(strings.NewReader(`{:process 0 :type :invoke :f :cas :value [1 2 :opt]} {:process 0 :type :ok :f :cas :value [1 2 :opt]} {:process 1 :type :invoke :f :read}`), "x")
	require.NoError(t, err)
	require.Equal(t, []string{`0 invoke cas  [1,2,":opt"]`, `0 ok cas  [1,2,":opt"]`, "1 invoke read"}, eventsOf(h), "what it means is not for the reader to guess")
	h, err = ReadEDN(strings.NewReader("{:process 0 :type :invoke :f :write :value [:a 3]} {:process 0 :type :ok :f :write} {:process 1 :type :invoke :f :read}"), "x")
	require.NoError(t, err)
	require.Contains(t, strings.Join(h.Remarks(), "\n"), "all values are pairs")
}
