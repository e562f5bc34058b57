package cli

import (
	"bytes"
	"os"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness/history/jepsen"
)

func newExportCommand() *cobra.Command {
	var key, out string
	cmd := &cobra.Command{
		Use:   "export DIR|FILE",
		Short: "Write a history as Jepsen's history.edn, for Knossos or elle-cli",
		Long: `Write the clients' operations of a history as Jepsen would have recorded them (EDN, one map a
line), so that another checker can be asked about it. With --key they are those on one key, as the
models of a single register want them; otherwise values are [key value], as jepsen.independent's, if
there is more than one key. Deletes are written as writes of nil.`,
		Example: `  sunder export runs/latest --key r1.0 -o history.edn
  elle-cli --model cas-register history.edn`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, _, err := open(args[0], formatAuto, cmd.ErrOrStderr())
			if err != nil {
				return usage(cmd, err)
			}
			var only *string
			if cmd.Flags().Changed("key") {
				only = &key
			}
			if out == "" {
				if err := jepsen.WriteEDN(cmd.OutOrStdout(), h, only); err != nil {
					return usage(cmd, err)
				}
				return nil
			}
			// What is there stays until all is written, and for good if it cannot be.
			var edn bytes.Buffer
			if err := jepsen.WriteEDN(&edn, h, only); err != nil {
				return usage(cmd, err)
			}
			return os.WriteFile(out, edn.Bytes(), 0o644)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "only the operations on this key")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write (default standard output)")
	return cmd
}
