// Package reportstest has what the tests of several houses of reports need: histories that are made up, runs that have
// ended, and a browser.
package reportstest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
)

// Builder makes a history event by event.
type Builder struct {
	t testing.TB
	// History is what was added so far, up to At.
	History history.History
	At      time.Duration
	// Step is the time between events.
	Step time.Duration
}

// NewBuilder returns a builder with 10 ms between events.
func NewBuilder(t testing.TB) *Builder { return &Builder{t: t, Step: 10 * time.Millisecond} }

// Add appends an event, a step after the last.
func (b *Builder) Add(e history.Event) {
	b.t.Helper()
	b.At += b.Step
	e.At = b.At
	require.NoError(b.t, b.History.Append(e))
}

// Note appends a note.
func (b *Builder) Note(process int, f, node string, value any) {
	v, err := json.Marshal(value)
	require.NoError(b.t, err)
	b.Add(history.Event{Process: process, Kind: history.Note, F: f, Node: node, Value: v})
}

// Op appends an operation: its call, and its end.
func (b *Builder) Op(process int, f, node, key, ask, tell string, kind history.Kind) {
	e := history.Event{Process: process, Kind: history.Invoke, F: f, Node: node, Key: key, Value: json.RawMessage(ask)}
	b.Add(e)
	e.Kind, e.Value = kind, json.RawMessage(tell)
	b.Add(e)
}

// Fault appends a fault that begins.
func (b *Builder) Fault(id int, f, detail string, kind history.Kind, err string) {
	b.Add(
		history.Event{
			Process: history.Nemesis,
			Kind:    history.Invoke,
			F:       f,
			Value:   fmt.Appendf(nil, `{"id":%d,"fault":%s}`, id, detail),
		},
	)
	b.Add(
		history.Event{
			Process: history.Nemesis,
			Kind:    kind,
			F:       f,
			Value:   fmt.Appendf(nil, `{"id":%d,"evidence":{"killed":["n1"]}}`, id),
			Err:     err,
		},
	)
}

// Heal appends the healing of a fault.
func (b *Builder) Heal(id int) {
	b.Add(
		history.Event{
			Process: history.Nemesis,
			Kind:    history.Invoke,
			F:       history.FHeal,
			Value:   fmt.Appendf(nil, `{"id":%d}`, id),
		},
	)
	b.Add(
		history.Event{Process: history.Nemesis, Kind: history.OK, F: history.FHeal, Value: fmt.Appendf(nil, `{"id":%d}`, id)},
	)
}

// AViolation is a run that breaks everything at once. Names may be hostile.
func AViolation(t testing.TB, key, value, node string) *history.History {
	b := NewBuilder(t)
	b.Note(history.Controller, history.FTest, "", history.Test{
		Version:  1,
		Started:  time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Target:   "raft",
		Fleet:    "local",
		Workload: "register",
		Nemesis:  "kill",
		Seed:     7,
		Nodes:    []string{"n1", node},
		Clients:  2,
		Checkers: []string{"linear", "leader", "stats", "progress"},
		Command:  "sunder run --seed 7 " + value,
		Options:  map[string]string{"nodes": "2", "note": value},
		Build:    map[string]string{"go": "go1.26"},
	})
	b.Note(history.Controller, history.FPhase, "", history.PhaseLoad)
	b.Note(history.Observer, history.FClaim, "n1", history.Claim{Term: 1, Source: "log"})
	quoted, err := json.Marshal(value)
	require.NoError(t, err)
	name, err := json.Marshal(node)
	require.NoError(t, err)
	b.Op(0, "write", "n1", key, `1`, `1`, history.OK)
	b.Fault(0, "kill", `{"nodes":["n1"]}`, history.OK, "")
	b.Op(1, "write", node, key, string(quoted), string(quoted), history.OK)
	b.Op(2, "write", node, key, `3`, ``, history.Info)
	b.Note(history.Observer, history.FClaim, node, history.Claim{Term: 1, Source: "log"})
	b.Fault(1, "isolate", `{"nodes":[`+string(name)+`]}`, history.Info, value)
	b.Op(3, "read", "n1", key, ``, `1`, history.OK)
	b.Op(4, "cas", "n1", key, `[1,2]`, ``, history.Fail)
	b.Heal(0)
	b.Heal(1)
	b.Note(history.Controller, history.FPhase, "", history.PhaseEnd)
	return &b.History
}

// RunIn leaves a run in a directory as one that has ended, with its results.
func RunIn(
	t testing.TB,
	dir, name string,
	started time.Time,
	verdict checkers.Verdict,
	options map[string]string,
) reports.Run {
	b := NewBuilder(t)
	b.Note(history.Controller, history.FTest, "", history.Test{
		Version: 1, Checkers: []string{"linear"}, Started: started, Target: "raft", Fleet: "local", Workload: "register",
		Nemesis: "<kill>", Nodes: []string{"n1"}, Command: "sunder run '<x>'", Options: options,
	})
	b.Op(0, "write", "n1", "k", "1", "1", history.OK)
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(path, 0o755))
	r := reports.Run{Dir: path, History: &b.History, Results: []checkers.Result{
		{Checker: "linear", Verdict: verdict, Why: "because <script>"},
	}}
	require.NoError(t, r.WriteResults())
	return r
}
