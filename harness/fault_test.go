package harness_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/nemesis"
)

// do does a deed as a run does it.
func do(ctx context.Context, in *harness.Injection, d harness.Deed) error {
	return nemesis.Default().Deeds()[d.Kind].Do(ctx, in, d)
}

func doKill(ctx context.Context, in *harness.Injection, nodes ...string) error {
	return do(ctx, in, harness.Deed{Kind: "kill", Nodes: nodes})
}

func doPause(ctx context.Context, in *harness.Injection, nodes ...string) error {
	return do(ctx, in, harness.Deed{Kind: "pause", Nodes: nodes})
}

func doUnplug(ctx context.Context, in *harness.Injection, nodes ...string) error {
	return do(ctx, in, harness.Deed{Kind: "unplug", Nodes: nodes})
}

func doCut(ctx context.Context, in *harness.Injection, links ...harness.Link) error {
	return do(ctx, in, harness.Deed{Kind: "cut", Links: links})
}

// What a fault asks for is checked before any of it is done.
func TestFaultsAreChecked(t *testing.T) {
	deeds := nemesis.Default().Deeds()
	links := []harness.Link{{From: "n1", To: "n2"}}
	fault := func(deeds ...harness.Deed) harness.Fault { return harness.Fault{Family: "mine", Deeds: deeds} }
	for want, f := range map[string]harness.Fault{
		"":                                        fault(harness.Deed{Kind: "kill", Nodes: []string{"n1"}}, harness.Deed{Kind: "cut", Links: links}),
		"has a family, and at least one deed":     {Family: "mine"},
		`there is no deed "flood"`:                fault(harness.Deed{Kind: "flood", Nodes: []string{"n1"}}),
		`"n9" is no node of this cluster`:         fault(harness.Deed{Kind: "kill", Nodes: []string{"n9"}}),
		"kill: it is done to nodes":               fault(harness.Deed{Kind: "kill", Links: links}),
		"cut: it is done to links":                fault(harness.Deed{Kind: "cut"}),
		"lose: a share of 0: above 0 and below 1": fault(harness.Deed{Kind: "lose", Links: links}),
		`unknown field "shares"`: fault(harness.Deed{
			Kind: "lose", Links: links, With: json.RawMessage(`{"shares":0.5}`)}),
		`kill: with {"gently":true}`: fault(harness.Deed{
			Kind: "kill", Nodes: []string{"n1"}, With: json.RawMessage(`{"gently":true}`)}),
	} {
		err := deeds.Check(f, harness.NodeNames(3))
		if want == "" {
			require.NoError(t, err)
			require.ElementsMatch(t, []harness.Capability{harness.NodeKill, harness.LinkCut}, deeds.Needs(f))
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}

// A fault is the same after it was written and read.
func TestFaultsAreData(t *testing.T) {
	f := harness.Fault{
		Family: "loss", Shape: "half", Aim: "leader", Nodes: []string{"n1"},
		Deeds: []harness.Deed{{Kind: "lose", Links: []harness.Link{{From: "n1", To: "n2"}}, With: json.RawMessage(`{"share":0.5}`)}},
	}
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.JSONEq(t, `{"family":"loss","shape":"half","aim":"leader","nodes":["n1"],
		"deeds":[{"deed":"lose","links":[{"from":"n1","to":"n2"}],"with":{"share":0.5}}]}`, string(text))
	var again harness.Fault
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, f, again)
	require.Equal(t, "loss:half", f.Name())
}
