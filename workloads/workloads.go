// Package workloads holds what clients can do: one file a workload, and one line for it here.
package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// Default returns the workloads of sunder.
func Default() map[string]harness.WorkloadEntry {
	return map[string]harness.WorkloadEntry{
		"register": registerEntry(),
		"lock":     lockEntry(),
		"election": electionEntry(),
		"lease":    leaseEntry(),
	}
}

// Mix is how often each operation comes, relative to the others. It is an option: read=50,write=25.
type Mix map[string]int

// String implements [flag.Value].
func (m Mix) String() string {
	var words []string
	for _, f := range slices.Sorted(maps.Keys(m)) {
		words = append(words, fmt.Sprintf("%s=%d", f, m[f]))
	}
	return strings.Join(words, ",")
}

// Set implements [flag.Value].
func (m *Mix) Set(text string) error {
	mix := Mix{}
	for share := range strings.SplitSeq(text, ",") {
		f, n, ok := strings.Cut(share, "=")
		count, err := strconv.Atoi(n)
		if !ok || err != nil {
			return fmt.Errorf("%q is not of the form operation=share", share)
		}
		mix[f] = count
	}
	*m = mix
	return nil
}

// weights are the operations of a mix in a fixed order, for drawing by chance.
type weights struct {
	names []string
	sums  []int
}

func newWeights(mix Mix, known ...string) (weights, error) {
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
