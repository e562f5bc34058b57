package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/workloads/guard"
	"github.com/sunder-dev/sunder/workloads/holder"
)

// newGuarddCommand runs the resource that locks guard, as a companion of a cluster.
func newGuarddCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "guardd CONFIG",
		Short: "Run the resource that the locks of a run guard",
		Long: `Run the resource that the locks of a run guard. 'sunder run --workload lock' starts it itself; its
config is JSON.`,
		Example: `  sunder guardd '{"listen": "127.0.0.1:7001", "fencing": true}'`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c guard.Config
			if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
				return usage(cmd, fmt.Errorf("config: %w", err))
			}
			ctx, err := harness.Watchdog(cmd.Context())
			if err != nil {
				return err
			}
			return guard.Serve(ctx, c, cmd.OutOrStdout())
		},
	}
}

// newHolderdCommand runs clients that take locks, as a companion of a cluster.
func (a app) newHolderdCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "holderd CONFIG",
		Short: "Run clients that take locks, and can be paused and cut off",
		Long: `Run clients that take locks, in a process that can be paused and cut off. 'sunder run --workload lock'
starts it itself; its config is JSON.`,
		Example: `  sunder holderd '{"listen": "127.0.0.1:7002", "guard": "127.0.0.1:7001", "target": "raft",
    "members": [{"Name": "n1", "Addr": {"client": "127.0.0.1:8001"}}], "locks": ["lock-1"],
    "recipe": "own", "prepares": true, "ttl_ns": 2000000000}'`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c holder.Config
			if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
				return usage(cmd, fmt.Errorf("config: %w", err))
			}
			_, versions, entry, err := a.findTarget(c.Target)
			if err != nil {
				return usage(cmd, fmt.Errorf("config: %w", err))
			}
			options := flag.NewFlagSet("", flag.ContinueOnError)
			newTarget := entry.New(options)
			options.VisitAll(func(f *flag.Flag) {
				if value, ok := c.Options[f.Name]; ok {
					err = errors.Join(err, options.Set(f.Name, value))
				}
			})
			target, newErr := newTarget(harness.TargetConfig{Version: versions[0]})
			if err = errors.Join(err, newErr); err != nil {
				return usage(cmd, fmt.Errorf("config: target %s: %w", c.Target, err))
			}
			defer func() { _ = closeTarget(target) }() // idle connections
			ctx, err := harness.Watchdog(cmd.Context())
			if err != nil {
				return err
			}
			return holder.Run(ctx, c, target, cmd.OutOrStdout())
		},
	}
}
