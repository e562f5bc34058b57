package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Entry is the local fleet in a catalogue.
func Entry() harness.FleetEntry {
	return harness.FleetEntry{
		About:  "child processes on loopback; every link through a proxy of its own",
		Can:    Can(),
		Weight: 1,
		New: func(flags *flag.FlagSet) harness.FleetOptions {
			o := &options{}
			flags.DurationVar(&o.latency, "latency", 0, "how long messages between nodes take, one way")
			return o
		},
	}
}

type options struct{ latency time.Duration }

// Check implements [harness.FleetOptions]. It refuses latencies with which no leader can be heard in time: a heartbeat,
// or a vote and the answer to it, would take longer than an election timeout.
func (o *options) Check(c harness.FleetConfig) error {
	switch {
	case o.latency < 0:
		return fmt.Errorf("--latency %s: not below 0s", o.latency)
	case !c.Target.Self && !c.Target.Installed:
		return errors.New("the local fleet runs sunder itself and programs that a description names, and no other")
	case o.latency == 0 || c.Nodes == 1 || c.Timing == nil:
		return nil
	}
	if needed := c.Timing.Heartbeat + 2*o.latency; needed > c.Timing.Election {
		return fmt.Errorf(
			"--latency %s: a heartbeat every %s and %s there and back are more than the election timeout of %s, "+
				"so that no leader could stay one; give nodes more time, as with --target-flag election-timeout=%s",
			o.latency,
			c.Timing.Heartbeat,
			2*o.latency,
			c.Timing.Election,
			2*needed,
		)
	}
	return nil
}

// Available implements [harness.FleetOptions].
func (o *options) Available(context.Context, harness.FleetConfig) error { return nil }

// Open implements [harness.FleetOptions].
func (o *options) Open(_ context.Context, c harness.FleetConfig) (harness.Fleet, map[string]string, error) {
	data, err := filepath.Abs(filepath.Join(c.Dir, history.DataDir))
	if err != nil {
		return nil, nil, err
	}
	return New(data, o.latency), nil, nil
}
