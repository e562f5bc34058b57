// Package workloads holds what clients can do: one file a workload, and one line for it here.
package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// Options are what can be chosen of a workload.
type Options struct {
	// Keys is how many keys are in use at a time.
	Keys int
	// OpsPerKey is after how many calls, on average, a key is retired for a new one.
	OpsPerKey int
	// Mix is how often each operation comes, relative to the others.
	Mix  map[string]int
	Seed uint64
}

// Entry is one workload of the list.
type Entry struct {
	About string
	// Checkers are the names of the checkers that judge it, beside those of every run.
	Checkers []string
	New      func(Options) (harness.Workload, error)
}

// All lists the workloads by name.
var All = map[string]Entry{
	"register": {"reads, writes and compare-and-sets of many keys, several clients on each", []string{"linear"}, newRegister},
}

// New returns the workload of the given name.
func New(name string, o Options) (harness.Workload, error) {
	entry, ok := All[name]
	if !ok {
		return nil, fmt.Errorf("unknown workload %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(All)), ", "))
	}
	w, err := entry.New(o)
	if err != nil {
		return nil, fmt.Errorf("workload %s: %w", name, err)
	}
	return w, nil
}

// weights are the operations of a mix in a fixed order, for drawing by chance.
type weights struct {
	names []string
	sums  []int
}

func newWeights(mix map[string]int, known ...string) (weights, error) {
	var w weights
	total := 0
	for name, n := range mix {
		switch {
		case !slices.Contains(known, name):
			return w, fmt.Errorf("mix: unknown operation %q; known are %s", name, strings.Join(known, ", "))
		case n < 0:
			return w, fmt.Errorf("mix: %s=%d: not below 0", name, n)
		}
	}
	for _, name := range known {
		if n := mix[name]; n > 0 {
			total += n
			w.names, w.sums = append(w.names, name), append(w.sums, total)
		}
	}
	if total == 0 {
		return w, fmt.Errorf("mix: no operation of %s has a share", strings.Join(known, ", "))
	}
	return w, nil
}

// has reports whether an operation has a share.
func (w weights) has(name string) bool { return slices.Contains(w.names, name) }

// total is the sum of all shares; pick returns the operation at n, 0 <= n < total.
func (w weights) total() int { return w.sums[len(w.sums)-1] }

func (w weights) pick(n int) string {
	i, found := slices.BinarySearch(w.sums, n)
	if found {
		i++
	}
	return w.names[i]
}
