package deedtest

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/nemesis"
)

var (
	links  = []harness.Link{{From: "n1", To: "n2"}, {From: "n3", To: "n1"}}
	sample = map[string]harness.Deed{
		"kill":   {Kind: "kill", Nodes: []string{"n1", "n4"}},
		"pause":  {Kind: "pause", Nodes: []string{"n2"}},
		"unplug": {Kind: "unplug", Nodes: []string{"n5", "n1"}},
		"cut":    {Kind: "cut", Links: links},
		"lose":   {Kind: "lose", Links: links, With: json.RawMessage(`{"share":0.5}`)},
		"delay":  {Kind: "delay", Links: links, With: json.RawMessage(`{"by":"50ms","jitter":"20ms"}`)},

		"narrow":    {Kind: "narrow", Links: links, With: json.RawMessage(`{"bytes_per_s":10000}`)},
		"flap":      {Kind: "flap", Links: links, With: json.RawMessage(`{"cut":"40ms","open":"100ms","seed":1}`)},
		"reorder":   {Kind: "reorder", Links: links, With: json.RawMessage(`{"share":0.2}`)},
		"duplicate": {Kind: "duplicate", Links: links, With: json.RawMessage(`{"share":0.2}`)},
		"corrupt":   {Kind: "corrupt", Links: links, With: json.RawMessage(`{"share":0.2}`)},

		"amnesia":     {Kind: "amnesia", Nodes: []string{"n3"}},
		"strand":      {Kind: "strand", Nodes: []string{"n2", "n4"}, With: json.RawMessage(`{"lost":"both"}`)},
		"move-leader": {Kind: "move-leader", Nodes: []string{"n1"}},
		"compact":     {Kind: "compact", Nodes: []string{"n3"}},
		"defragment":  {Kind: "defragment", Nodes: []string{"n1", "n2"}},
		"replace":     {Kind: "replace", Nodes: []string{"n2"}},
		"run-version": {Kind: "run-version", Nodes: []string{"n2", "n3"}, With: json.RawMessage(`{"version":"v2"}`)},
		"snapshot":    {Kind: "snapshot", Nodes: []string{"n3"}},
	}
)

// Every deed that comes with sunder passes.
func TestAllDeeds(t *testing.T) {
	for name, kind := range nemesis.Default().Deeds() {
		d, ok := sample[name]
		require.True(t, ok, "%s: give the suite a deed to do", name)
		t.Run(name, func(t *testing.T) { Test(t, kind, d) })
	}
}

// Deeds that are wrong are caught, each for what is wrong with it.
func TestWrongDeedsAreCaught(t *testing.T) {
	right := nemesis.Default().Deeds()["pause"]
	d := sample["pause"]
	for want, spoil := range map[string]func(k *harness.DeedKind){
		"it does not say what it is about":              func(k *harness.DeedKind) { k.About = "" },
		"it only asks members for something, and takes": func(k *harness.DeedKind) { k.Operation = true },
		"done and undone: it says that it takes {Down:[n2] ": func(k *harness.DeedKind) { // it does nothing
			k.Do = func(_ context.Context, in *harness.Injection, _ harness.Deed) error {
				in.Saw("paused", []string{"n2"})
				return nil
			}
		},
		"it has no evidence": func(k *harness.DeedKind) {
			k.Do = func(ctx context.Context, in *harness.Injection, _ harness.Deed) error {
				in.OnHeal(func(ctx context.Context) error { return in.Node("n2").Resume(ctx) })
				return in.Node("n2").Pause(ctx)
			}
		},
		"healing it leaves {Down:[n2] ": func(k *harness.DeedKind) { // it cannot be undone
			k.Do = func(ctx context.Context, in *harness.Injection, _ harness.Deed) error {
				in.Saw("paused", true)
				return in.Node("n2").Pause(ctx)
			}
		},
		"the first of two faults is healed, and": func(k *harness.DeedKind) { // it does not count who holds it
			k.Do = func(ctx context.Context, in *harness.Injection, _ harness.Deed) error {
				in.OnHeal(func(ctx context.Context) error { return in.Node("n2").Resume(ctx) })
				in.Saw("paused", true)
				return in.Node("n2").Pause(ctx)
			}
		},
		"it says that it takes {Down:[n3] ": func(k *harness.DeedKind) { // it lies about its effect
			k.Takes = func(d harness.Deed) (history.Takes, error) {
				if _, err := right.Takes(d); err != nil {
					return history.Takes{}, err
				}
				return history.Takes{Down: []string{"n3"}}, nil
			}
		},
		"nothing has happened, and it says that it was seen to act": func(k *harness.DeedKind) {
			k.Do = func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
				_ = right.Do(ctx, in, d)
				return nil
			}
		},
		"it does not refuse a setting": func(k *harness.DeedKind) {
			k.Takes = func(d harness.Deed) (history.Takes, error) { return history.Takes{Down: d.Nodes}, nil }
		},
		"it takes nothing": func(k *harness.DeedKind) {
			k.Takes = func(harness.Deed) (history.Takes, error) { return history.Takes{}, nil }
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			wrong := right
			spoil(&wrong)
			require.ErrorContains(t, Check(t.Context(), wrong, d), want)
		})
	}
}
