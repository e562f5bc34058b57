package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"

	"github.com/sunder-dev/sunder/harness"
)

// counter is the workload: clients add, and ask for the sum.
type counter struct{ adds int } // of a hundred calls

func counterEntry() harness.WorkloadEntry {
	return harness.WorkloadEntry{
		About: "increments of one counter, and its sum",
		New: func(flags *flag.FlagSet) func(seed uint64) (harness.Workload, error) {
			adds := flags.Int("adds", 50, "how many of a hundred calls are increments")
			return func(uint64) (harness.Workload, error) {
				if *adds < 1 || *adds > 99 {
					return nil, fmt.Errorf("--adds: from 1 to 99, not %d", *adds)
				}
				return counter{*adds}, nil
			}
		},
	}
}

// Needs implements [harness.Workload].
func (counter) Needs() []harness.Capability { return []harness.Capability{canCount} }

// Checkers implements [harness.Judged].
func (counter) Checkers() []string { return []string{"counter"} }

// Operations implements [harness.Operator].
func (counter) Operations() []harness.Operation {
	return []harness.Operation{{F: "add"}, {F: "sum", ReadOnly: true}}
}

const key = "c"

// Next implements [harness.Workload].
func (c counter) Next(r *rand.Rand, _ harness.Turn) harness.Call {
	if r.IntN(100) < c.adds {
		return harness.Call{F: "add", Key: key}
	}
	return harness.Call{F: "sum", Key: key, ReadOnly: true}
}

// Final implements [harness.Finalizer]: what was lost is seen at the end.
func (counter) Final(int) []harness.Call { return []harness.Call{{F: "sum", Key: key, ReadOnly: true}} }

// Invoke implements [harness.Workload].
func (counter) Invoke(ctx context.Context, c harness.Client, call harness.Call) (harness.Answer, error) {
	if call.F == "add" {
		return harness.Answer{}, c.(*client).add(ctx)
	}
	n, err := c.(*client).sum(ctx)
	return harness.Answer{Value: json.RawMessage(fmt.Sprint(n))}, err
}
