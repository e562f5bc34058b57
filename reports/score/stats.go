package score

import (
	"math"
	"slices"
	"time"
)

// wilson returns the 95 % interval of a share (Wilson 1927).
func wilson(hits, of int) (low, high float64) {
	if of == 0 {
		return 0, 1
	}
	const z = 1.959964
	n := float64(of)
	p := float64(hits) / n
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

// quantile returns the time after which a share of the runs has found its bug, by the estimator of Kaplan and Meier
// (1958): a run that ended without finding it says only that it takes longer. It is 0 if so many never did.
func quantile(runs []Run, share float64) time.Duration {
	sorted := slices.Clone(runs)
	// Of those at one time, finds come before ends.
	slices.SortFunc(sorted, func(a, b Run) int {
		switch {
		case a.After != b.After:
			return int(max(-1, min(1, a.After-b.After)))
		case a.Status == b.Status:
			return 0
		case a.Status == Found:
			return -1
		default:
			return 1
		}
	})
	missing := 1.0 // the part that has not found it yet
	for i, r := range sorted {
		if r.Status != Found {
			continue
		}
		missing *= 1 - 1/float64(len(sorted)-i)
		if missing <= 1-share+1e-12 {
			return max(r.After, 1)
		}
	}
	return 0
}

// Comparison is what two profiles came to with the same bugs and seeds.
type Comparison struct {
	Pairs int
	// Only1 and Only2 are the pairs in which one of them alone found the bug.
	Only1, Only2 int
	// P is how likely it is that they differ so much by chance (McNemar's exact test, two-sided), and PTime the same of
	// the times (log-rank test).
	P, PTime float64
	// Mean1 and Mean2 are the times to detection, on average, where a bug that was not found counts as found at the end.
	Mean1, Mean2 time.Duration
}

// Compare compares two profiles by the runs that both have.
func (s Score) Compare(first, second string) (c Comparison) {
	type pair struct {
		bug  string
		seed uint64
	}
	others := make(map[pair]Run)
	for _, r := range s.Of(second) {
		if r.Bug != "" && r.Status != Broken {
			others[pair{r.Bug, r.Seed}] = r
		}
	}
	var a, b []Run
	for _, r := range s.Of(first) {
		other, ok := others[pair{r.Bug, r.Seed}]
		if !ok || r.Bug == "" || r.Status == Broken {
			continue
		}
		c.Pairs++
		switch found1, found2 := r.Status == Found, other.Status == Found; {
		case found1 && !found2:
			c.Only1++
		case found2 && !found1:
			c.Only2++
		}
		a, b = append(a, r), append(b, other)
		c.Mean1, c.Mean2 = c.Mean1+r.After, c.Mean2+other.After
	}
	if c.Pairs > 0 {
		c.Mean1, c.Mean2 = c.Mean1/time.Duration(c.Pairs), c.Mean2/time.Duration(c.Pairs)
	}
	c.P, c.PTime = mcnemar(c.Only1, c.Only2), logRank(a, b)
	return c
}

// fisher returns how likely it is that no more than found1 of of1 runs find what found2 of of2 others do, if both are
// as likely to.
func fisher(found1, of1, found2, of2 int) (p float64) {
	choose := func(n, k int) float64 { // its logarithm
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return a - b - c
	}
	all, hits := of1+of2, found1+found2
	for k := max(0, hits-of2); k <= min(found1, of1); k++ {
		p += math.Exp(choose(of1, k) + choose(of2, hits-k) - choose(all, hits))
	}
	return min(1, p)
}

// mcnemar returns how likely it is that of a+b coins so many fall on one side.
func mcnemar(a, b int) float64 {
	n, tail := a+b, 0.0
	for k := range min(a, b) + 1 {
		l, _ := math.Lgamma(float64(n + 1))
		l1, _ := math.Lgamma(float64(k + 1))
		l2, _ := math.Lgamma(float64(n - k + 1))
		tail += math.Exp(l - l1 - l2 - float64(n)*math.Ln2)
	}
	return min(1, 2*tail)
}

// logRank returns how likely it is that two groups of times differ so much by chance (Mantel 1966).
func logRank(a, b []Run) float64 {
	var times []time.Duration
	for _, r := range slices.Concat(a, b) {
		if r.Status == Found {
			times = append(times, r.After)
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	var observed, expected, variance float64
	for _, t := range times {
		n1, d1 := at(a, t)
		n2, d2 := at(b, t)
		n, d := n1+n2, d1+d2
		observed += d1
		expected += d * n1 / n
		if n > 1 {
			variance += d * (n1 / n) * (n2 / n) * (n - d) / (n - 1)
		}
	}
	if variance == 0 {
		return 1
	}
	return math.Erfc(math.Abs(observed-expected) / math.Sqrt(variance) / math.Sqrt2)
}

// at returns how many runs were still looking at a time, and how many found their bug then.
func at(runs []Run, t time.Duration) (looking, found float64) {
	for _, r := range runs {
		if r.After >= t {
			looking++
		}
		if r.After == t && r.Status == Found {
			found++
		}
	}
	return looking, found
}
