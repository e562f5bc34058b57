package story

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

var update = flag.Bool("update", false, "write the golden files anew")

// run is a history that is put together; times are milliseconds.
type run struct {
	t      *testing.T
	events []timed
	fault  int
	seq    uint64
}

type timed struct {
	at int
	history.Event
}

func (r *run) note(at, process int, f, node string, what any) *run {
	v, err := json.Marshal(what)
	require.NoError(r.t, err)
	r.events = append(r.events, timed{at, history.Event{Process: process, Kind: history.Note, F: f, Node: node, Value: v}})
	return r
}

func (r *run) claim(at int, node string, term uint64) *run {
	return r.note(at, history.Observer, history.FClaim, node, history.Claim{Term: term, Source: "log"})
}

func (r *run) status(at int, node, role string, term uint64) *run {
	return r.note(at, history.Observer, history.FStatus, node, history.Status{Role: role, Term: term})
}

// call is a call by a process of the same number as its node.
func (r *run) call(node, f, key string, from, to int, kind history.Kind, asked, answered string) *run {
	var process int
	_, err := fmt.Sscanf(node[1:], "%d", &process)
	require.NoError(r.t, err)
	e := history.Event{Process: process, Kind: history.Invoke, F: f, Key: key, Node: node, Value: json.RawMessage(asked)}
	r.events = append(r.events, timed{from, e})
	e.Kind, e.Value = kind, json.RawMessage(answered)
	if kind == history.Fail && f == "cas" {
		e.Err = history.Mismatch
	}
	r.events = append(r.events, timed{to, e})
	return r
}

func (r *run) write(node string, from, to int, value string) *run {
	return r.call(node, "write", "k", from, to, history.OK, value, value)
}

func (r *run) read(node string, from, to int, value string) *run {
	return r.call(node, "read", "k", from, to, history.OK, "", value)
}

// breaks is a fault of a time.
func (r *run) breaks(family string, from, to int, takes history.Takes) *run {
	event := func(at int, kind history.Kind, f string, v history.FaultEvent) {
		text, err := json.Marshal(v)
		require.NoError(r.t, err)
		r.events = append(r.events, timed{at, history.Event{Process: history.Nemesis, Kind: kind, F: f, Value: text}})
	}
	id := r.fault
	r.fault++
	event(from-1, history.Invoke, family, history.FaultEvent{ID: id, Lane: "x", Fault: json.RawMessage(`{"family":"x"}`), Takes: &takes})
	event(from, history.OK, family, history.FaultEvent{ID: id, Evidence: json.RawMessage(`{"seen":1}`)})
	event(to, history.Invoke, history.FHeal, history.FaultEvent{ID: id})
	event(to, history.OK, history.FHeal, history.FaultEvent{ID: id})
	return r
}

func (r *run) guarded(at, process int, token, value uint64, accepted bool) *run {
	r.seq++
	return r.note(at, history.Observer, history.FGuarded, "guard", history.Guarded{
		Seq: r.seq, Process: process, Lock: "a", Token: token, Value: value, Accepted: accepted,
	})
}

func (r *run) history(names []string) *history.History {
	var h history.History
	add := func(at int, e history.Event) {
		e.At = time.Duration(at) * time.Millisecond
		require.NoError(r.t, h.Append(e))
	}
	head := &run{t: r.t}
	head.note(0, history.Controller, history.FTest, "", history.Test{
		Version: 1, Nodes: []string{"n1", "n2", "n3"}, Companions: []string{"guard", "c1", "c2"}, Checkers: names,
	})
	head.note(0, history.Controller, history.FPhase, "", history.PhaseLaunch).note(0, history.Controller, history.FPhase, "", history.PhaseLoad)
	slices.SortStableFunc(r.events, func(a, b timed) int { return a.at - b.at })
	for _, e := range append(head.events, r.events...) {
		add(e.at, e.Event)
	}
	require.NoError(r.t, h.Notes().Err())
	return &h
}

// cut cuts a node off from the two others.
func cut(node string) (takes history.Takes) {
	for _, n := range []string{"n1", "n2", "n3"} {
		if n != node {
			takes.Cut = append(takes.Cut, history.Link{From: node, To: n}, history.Link{From: n, To: node})
		}
	}
	return takes
}

// The gallery has a story of each class, as checkers find them.
func TestGallery(t *testing.T) {
	r := func() *run { return &run{t: t} }
	var text strings.Builder
	for _, c := range []struct {
		class   Class
		checker string
		run     *run
	}{
		{DoubleLeader, "leader", r().claim(10, "n1", 1).breaks("partition", 900, 2000, cut("n1")).claim(1200, "n2", 2).claim(1300, "n3", 2)},
		{
			LeadersAtOnce, "leader:single", r().status(10, "n1", "leader", 1).breaks("partition", 500, 4000, cut("n1")).
				status(1500, "n2", "leader", 2).status(3000, "n1", "leader", 1),
		},
		{
			DivergedState, "state", r().
				note(100, history.Observer, history.FStatus, "n1", history.Status{Role: "leader", Term: 1, Applied: 7, Hash: "a"}).
				breaks("kill", 200, 400, history.Takes{Down: []string{"n2"}}).
				note(500, history.Observer, history.FStatus, "n2", history.Status{Role: "follower", Term: 1, Applied: 7, Hash: "b"}),
		},
		{
			LostWrite, "linear", r().claim(5, "n1", 1).write("n1", 10, 20, "1").write("n2", 30, 40, "2").
				breaks("kill", 45, 300, history.Takes{Down: []string{"n1", "n2", "n3"}}).
				read("n3", 400, 410, "1").read("n1", 500, 510, "1"),
		},
		{
			DoubleHolder, "mutex", r().
				call("c1", "acquire", "a", 10, 20, history.OK, "", `{"token":1}`).breaks("pause", 100, 3000, history.Takes{Down: []string{"c1"}}).
				call("c2", "acquire", "a", 30, 1200, history.OK, "", `{"token":2}`).
				call("c2", "write", "a", 1300, 1310, history.OK, "5", "5").guarded(1305, 2, 2, 5, true).
				note(3010, history.Observer, history.FLost, "c1", history.Lost{Process: 1, Lock: "a", Token: 1, At: 3 * time.Second}),
		},
		{
			DoubleHolder, "mutex", r().
				call("c1", "acquire", "a", 10, 20, history.OK, "", `{"token":1}`).breaks("pause", 100, 1225, history.Takes{Down: []string{"c1"}}).
				call("c2", "acquire", "a", 30, 1200, history.OK, "", `{"token":2}`).
				call("c2", "write", "a", 1210, 1220, history.OK, "5", "5").guarded(1215, 2, 2, 5, true).
				call("c1", "write", "a", 1230, 1240, history.OK, "6", "6").guarded(1235, 1, 1, 6, true),
		},
		{
			StaleToken, "fencing", r().
				call("c1", "acquire", "a", 10, 20, history.OK, "", `{"token":1}`).
				call("c2", "acquire", "a", 30, 1200, history.OK, "", `{"token":2}`).
				call("c2", "write", "a", 1210, 1220, history.OK, "5", "5").guarded(1215, 2, 2, 5, true).
				call("c1", "write", "a", 1230, 1240, history.OK, "6", "6").guarded(1235, 1, 1, 6, true),
		},
		{
			LostUpdate, "linear", r().claim(5, "n1", 1).write("n1", 10, 20, "1").
				call("n2", "cas", "k", 30, 40, history.OK, "[1,2]", "2").call("n3", "cas", "k", 50, 60, history.OK, "[1,3]", "3"),
		},
		{
			DirtyRead, "linear", r().write("n1", 10, 20, "1").call("n2", "write", "k", 30, 40, history.Fail, "2", "").read("n3", 50, 60, "2"),
		},
		{Phantom, "linear", r().write("n1", 10, 20, "1").read("n3", 50, 60, `"\u001b[31mred"`)},
		{
			StaleRead, "linear", r().claim(5, "n1", 1).note(7, history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "status"}).
				write("n1", 10, 20, "1").breaks("pause", 100, 900, history.Takes{Down: []string{"n1"}}).
				claim(400, "n2", 2).write("n2", 500, 510, "2").read("n1", 905, 910, "1").read("n2", 950, 960, "2"),
		},
		{
			StaleRead, "linear", r().claim(5, "n1", 1).write("n1", 10, 20, "1").breaks("partition", 100, 900, cut("n1")).
				claim(400, "n2", 2).write("n3", 500, 510, "2").read("n1", 600, 610, "1"),
		},
		{StaleRead, "linear", r().write("n1", 10, 20, "1").read("n2", 30, 40, "null").read("n3", 45, 50, "1")},
		{StaleRead, "linear", r().write("n1", 10, 100, "1").read("n2", 30, 40, "1").read("n3", 45, 50, "null")},
		{
			NotLinearizable, "linear", r().call("n1", "write", "k", 10, 100, history.OK, "1", "1").call("n2", "write", "k", 11, 101, history.OK, "2", "2").
				read("n3", 120, 130, "1").read("n3", 140, 150, "2"),
		},
		{
			BrokenLease, "lease", r().claim(5, "n1", 1).call("n1", "grant", "k", 10, 12, history.OK, "1", `{"lease":1,"ttl_ms":2000}`).
				breaks("pause", 20, 1500, history.Takes{Down: []string{"n1"}}).claim(900, "n2", 2).
				call("n2", "keepalive", "k", 1400, 1410, history.OK, "1", `{"lease":1,"ttl_ms":2000}`).read("n3", 1600, 1610, "null"),
		},
	} {
		h := c.run.history([]string{c.checker})
		results, err := checkers.Default().Run(t.Context(), h, []string{c.checker}, checkers.Options{})
		require.NoError(t, err)
		s := Of(h, results)
		require.NotNil(t, s, "%s: %s", c.class, results[0].Why)
		require.Equal(t, c.class, s.Class, s.Headline)
		require.Equal(t, c.checker, s.Checker)
		fmt.Fprintf(&text, "%s\n", s.Headline)
		require.LessOrEqual(t, len(s.Facts), most)
		for i, f := range s.Facts {
			fmt.Fprintf(&text, "    %s\n", f.Text)
			require.Less(t, f.Index, h.Len())
			require.True(t, i == 0 || s.Facts[i-1].At <= f.At, "they are in order")
		}
		text.WriteString("\n")
		require.NotContains(t, text.String(), "\x1b", "what a target says is data")
	}
	golden := filepath.Join("testdata", "gallery.txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), text.String())
}

// Of several violations the worst is told, and of a checker that nobody knows here its sentence; of none, nothing.
func TestTheWorstIsTold(t *testing.T) {
	r := (&run{t: t}).claim(10, "n1", 1).write("n1", 10, 20, "1").read("n2", 30, 40, "null").claim(1300, "n3", 1)
	h := r.history([]string{"linear", "leader"})
	results, err := checkers.Default().Run(t.Context(), h, []string{"linear", "leader"}, checkers.Options{})
	require.NoError(t, err)
	require.Equal(t, DoubleLeader, Of(h, results).Class)
	require.Equal(t, StaleRead, Of(h, results[:1]).Class)
	require.Nil(t, Of(h, nil))
	require.Nil(t, Of(h, []checkers.Result{{Checker: "linear", Verdict: checkers.Unknown}}))
	own := Of(h, []checkers.Result{{Checker: "sums", Verdict: checkers.Invalid, Why: "a sum is too small"}})
	require.Equal(t, Violation, own.Class)
	require.Equal(t, "Violation: a sum is too small.", own.Headline)
	require.NotEmpty(t, own.Facts)
	dead := Of(h, []checkers.Result{{Checker: "recovery", Verdict: checkers.Invalid, Why: "it did not serve"}})
	require.Equal(t, NoRecovery, dead.Class)
	require.Contains(t, dead.Facts[len(dead.Facts)-1].Text, "The cluster still did not serve at ")
	// What results say of another history breaks nothing.
	odd := checkers.Result{Checker: "linear", Verdict: checkers.Invalid, Why: "odd", Attach: []checkers.Attachment{
		{Kind: checkers.KindTimeline, Data: json.RawMessage(`{"key":"k","ops":[{"index":9999,"culprit":true}]}`)},
	}}
	require.Equal(t, NotLinearizable, Of(h, []checkers.Result{odd}).Class)
}

// The guide shows a story of the gallery, as it is.
func TestTheGuideShowsAStory(t *testing.T) {
	gallery, err := os.ReadFile(filepath.Join("testdata", "gallery.txt"))
	require.NoError(t, err)
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "reading-a-report.md"))
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(guide), "```\nStale read: ")
	require.True(t, ok)
	shown, _, _ := strings.Cut(after, "```")
	require.Contains(t, string(gallery), "Stale read: "+shown)
}

func TestDigitsOfALengthOfTime(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"37 µs": 37_400, "0.4 ms": 400 * time.Microsecond, "395 ms": 395 * time.Millisecond, "4.67 s": 4666 * time.Millisecond,
	} {
		require.Equal(t, want, span(d))
	}
}
