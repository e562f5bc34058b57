package score

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The figures are those of textbooks, or worked out by hand.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		hits, of  int
		low, high float64
	}{
		{20, 20, 0.839, 1}, {0, 100, 0, 0.037}, {5, 10, 0.237, 0.763}, {0, 0, 0, 1},
	} {
		low, high := wilson(c.hits, c.of)
		require.InDelta(t, c.low, low, 0.001)
		require.InDelta(t, c.high, high, 0.001)
	}
}

func runs(statuses string, after ...int) (list []Run) {
	for i, a := range after {
		s := Found
		if statuses[i] == 'm' {
			s = Missed
		}
		list = append(list, Run{Bug: "b", Seed: uint64(i), Status: s, After: time.Duration(a) * time.Second})
	}
	return list
}

func TestQuantile(t *testing.T) {
	require.Equal(t, 2*time.Second, quantile(runs("ffff", 1, 2, 3, 4), 0.5))
	require.Equal(t, 4*time.Second, quantile(runs("ffff", 1, 2, 3, 4), 0.9))
	require.Zero(t, quantile(runs("fmmm", 1, 60, 60, 60), 0.5), "too few have found it")
	// One that was ended early says nothing of the time after it: 1 of 3, then 1 of the 1 that is left.
	require.Equal(t, 9*time.Second, quantile(runs("fmf", 1, 5, 9), 0.5))
	require.Zero(t, quantile(nil, 0.5))
}

func TestMcNemar(t *testing.T) {
	require.InDelta(t, 1, mcnemar(0, 0), 1e-9)
	require.InDelta(t, 1, mcnemar(3, 3), 1e-9)
	require.InDelta(t, 0.0625, mcnemar(0, 5), 1e-9)
	require.InDelta(t, 0.0215, mcnemar(1, 9), 0.0001)
}

// The lady tasting tea (Fisher 1935): 3 of 4 cups and 1 of 4 are met by chance in 17 of 70 cases.
func TestFisher(t *testing.T) {
	require.InDelta(t, 17.0/70, fisher(1, 4, 3, 4), 1e-9)
	require.InDelta(t, 1.0/28, fisher(0, 2, 6, 6), 1e-9, "0 of 2 after 6 of 6 is hardly chance")
	require.InDelta(t, 1, fisher(2, 2, 6, 6), 1e-9)
}

func TestLogRank(t *testing.T) {
	require.InDelta(t, 1, logRank(runs("fff", 1, 2, 3), runs("fff", 1, 2, 3)), 1e-9)
	require.Less(t, logRank(runs("ffffffff", 1, 1, 2, 2, 3, 3, 4, 4), runs("mmmmmmmm", 60, 60, 60, 60, 60, 60, 60, 60)), 0.001)
	// The remission times of Freireich and others (Blood, 1963), weeks; the statistic is 16.8.
	treated := runs("fffffffffmmmmmmmmmmmm", 6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
	placebo := runs("fffffffffffffffffffff", 1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
	require.InDelta(t, 4.2e-5, logRank(treated, placebo), 0.2e-5)
}
