package harness_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
)

// What goes between sites is late from the launch on; a cut comes on top, and its heal leaves the distance.
func TestSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		c := harness.NewCluster(fake, fake, harness.NodeNames(5), func(string) {})
		defer c.Close()
		c.Sites = harness.Sites{Sizes: []int{3, 2}, Apart: 20 * time.Millisecond}
		require.NoError(t, c.Launch(t.Context(), 1, func(string) io.Writer { return io.Discard }))
		apart := harness.Impairment{Delay: 20 * time.Millisecond}
		within, between := harness.Link{From: "n1", To: "n3"}, harness.Link{From: "n4", To: "n3"}
		require.Zero(t, fake.State(within))
		require.Equal(t, apart, fake.State(between))
		in := c.NewInjection()
		require.NoError(t, doCut(t.Context(), in, within, between))
		require.Equal(t, harness.Impairment{Drop: true, Delay: 20 * time.Millisecond}, fake.State(between))
		require.NoError(t, in.Heal(t.Context()))
		require.Equal(t, apart, fake.State(between))
		require.Equal(t, [][]string{{"n1", "n2", "n3"}, {"n4", "n5"}}, c.View(t.Context()).Sites)
	})
}

func TestSitesThatMakeNoSense(t *testing.T) {
	for want, sites := range map[string]harness.Sites{
		"":                             {Sizes: []int{3, 1, 1}, Apart: time.Second},
		"a site of 0 nodes":            {Sizes: []int{5, 0}},
		"are no two or more sites":     {Sizes: []int{5}},
		"no two or more sites of 5":    {Sizes: []int{2, 2}},
		"sites -1s apart: not below 0": {Sizes: []int{3, 2}, Apart: -time.Second},
	} {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Sites = sites
		if err := test.Validate(); want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
