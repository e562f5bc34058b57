package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/byhand"
	"github.com/sunder-dev/sunder/reports"
)

func newDoCommand() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use:   "do COMMAND...",
		Short: "Break a cluster that is up, or look at it",
		Long: `Do something to the cluster that 'sunder up' holds up, from another terminal:

` + byhand.Help,
		Example: `  sunder do status
  sunder do isolate leader for 3s
  sunder do cut n1 n2
  sunder do heal`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := byhand.Remote{Dir: dir}.Do(cmd.Context(), strings.Join(args, " "))
			if err != nil {
				return usage(cmd, err)
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			return nil
		},
	}
	// What is done may look like a flag of ours: n1>n2 --no.
	cmd.Flags().SetInterspersed(false)
	declareRun(cmd, &dir)
	return cmd
}

func declareRun(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "run", filepath.Join(sunder.DefaultOut, "latest"), "directory of the run")
}

func newDownCommand() *cobra.Command {
	dir := ""
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Let a cluster go down that is up, and judge it",
		Long: `Let the cluster go down that 'sunder up' holds up: it is healed, read once more, and judged. The last line
printed is the report's path, and the exit code is that of the verdict.`,
		Example: `  sunder down
  sunder down --run runs/20261128T010203.000-raft-register-none-7`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return down(cmd, dir) },
	}
	declareRun(cmd, &dir)
	return cmd
}

func down(cmd *cobra.Command, dir string) error {
	dir, err := filepath.EvalSymlinks(dir) // latest may be another one by the time that this one is down
	if err != nil {
		return usage(cmd, fmt.Errorf("%w: %w", byhand.ErrNotUp, err))
	}
	remote := byhand.Remote{Dir: dir}
	if _, err := remote.Do(cmd.Context(), "down"); err != nil {
		return usage(cmd, err)
	}
	if err := gone(cmd.Context(), remote); err != nil {
		return err
	}
	summary, err := reports.ReadSummary(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(
		cmd.OutOrStdout(),
		"%s: %s\n%s\n",
		summary.Verdict,
		oneLine(summary.Why),
		filepath.Join(dir, reports.HTMLFile),
	)
	if summary.Verdict != checkers.Valid {
		return verdictError(summary.Verdict)
	}
	return nil
}

// gone waits until nobody holds the cluster up any more.
func gone(ctx context.Context, r byhand.Remote) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := r.State(ctx); errors.Is(err, byhand.ErrNotUp) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
