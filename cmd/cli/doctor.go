package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/harness"
)

func (a app) newDoctorCommand() *cobra.Command {
	var format printed
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can do, and what each lack costs",
		Long: `Look for a container engine and try, in a container that is removed again, what the kernel can do
to packets. Each line is something that sunder can use; where it is missing, the line says what
cannot be done without it. The built-in Raft on the local fleet needs nothing of all this.`,
		Example: `  sunder doctor
  sunder doctor --format json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
			defer cancel()
			b := sunder.BuildInfo()
			all := []harness.Finding{}
			say := func(found harness.Finding) {
				if all = append(all, found); format == printedText {
					printFinding(cmd.OutOrStdout(), found)
				}
			}
			say(harness.Finding{What: "sunder", Has: b["sunder"] + ", " + b["go"] + ", " + b["os"]})
			each(a.Fleets, func(_ string, f harness.FleetEntry) {
				if f.Examine == nil {
					return
				}
				e := harness.Examination{Targets: a.Targets, Sunder: b["sunder"], Say: cmd.ErrOrStderr()}
				for _, found := range f.Examine(ctx, e) {
					say(found)
				}
			})
			if format == printedJSON {
				return errors.Join(writeJSON(cmd.OutOrStdout(), all), cmd.Context().Err())
			}
			return cmd.Context().Err()
		},
	}
	format.add(cmd.Flags())
	return cmd
}

const doctorTimeout = 2 * time.Minute

func printFinding(w io.Writer, f harness.Finding) {
	if f.Lack == "" {
		fmt.Fprintf(w, "ok   %-10s %s\n", f.What, f.Has)
		return
	}
	fmt.Fprintf(w, "no   %-10s %s\n                without it: %s\n", f.What, f.Lack, f.Cost)
}
