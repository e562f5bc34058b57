package nemesis

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
)

// What makes links bad hits all links of the nodes that it is aimed at, both ways, each once, and as much as its shape
// says.
func TestLinksOfNodes(t *testing.T) {
	settings := map[string]func(shape string) any{
		"loss": func(s string) any { return shares[s] }, "reorder": func(s string) any { return shares[s] },
		"duplicate": func(s string) any { return shares[s] }, "corrupt": func(s string) any { return shares[s] },
		"delay": func(s string) any { return delays[s] }, "rate": func(s string) any { return rates[s] },
	}
	for name, of := range settings {
		family := Default()[name]
		rapid.Check(t, func(t *rapid.T) {
			r, v := aRun(t)
			shape := rapid.SampledFrom(family.Shapes).Draw(t, "shape")
			f := family.New(shape, possible(v, rapid.SampledFrom(aims).Draw(t, "aim"))).Next(r, v)
			if len(v.Nodes) == 1 {
				require.Nil(t, f, "one node has no links")
				return
			}
			require.Equal(t, name, f.Family)
			require.Len(t, f.Deeds, 1)
			deed := f.Deeds[0]
			with, err := json.Marshal(of(shape))
			require.NoError(t, err)
			require.JSONEq(t, string(with), string(deed.With))
			require.NoError(t, Default().Deeds().Check(*f, v.Nodes))
			require.True(t, symmetric(deed.Links))
			seen := map[harness.Link]bool{}
			for _, link := range deed.Links {
				require.False(t, seen[link], "%v twice", link)
				seen[link] = true
				require.True(t, slices.Contains(f.Nodes, link.From) || slices.Contains(f.Nodes, link.To))
			}
		})
	}
}

// Settings that cannot be meant are refused.
func TestSettingsOfLinks(t *testing.T) {
	links := []harness.Link{{From: "n1", To: "n2"}}
	for deed, wrong := range map[string][]string{
		"lose":      {`{"share":0}`, `{"share":1}`, `{"part":0.5}`},
		"reorder":   {`{"share":-1}`},
		"duplicate": {`{}`},
		"corrupt":   {`{"share":"0.5"}`},
		"delay":     {`{"by":"0s"}`, `{"by":"1h"}`, `{"by":"1s","jitter":"-1s"}`, `{"by":"1s","jitter":"3s"}`},
		"narrow":    {`{"bytes_per_s":10}`, `{}`},
		"flap":      {`{"cut":"0s","open":"1ms","seed":1}`, `{"cut":"1ms","seed":1}`, `{"cut":"1ms","open":"1h","seed":1}`},
	} {
		for _, with := range wrong {
			kind := Default().Deeds()[deed]
			_, err := kind.Takes(harness.Deed{Kind: deed, Links: links, With: json.RawMessage(with)})
			require.Error(t, err, "%s %s", deed, with)
		}
	}
}
