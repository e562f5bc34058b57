package cli

import (
	"flag"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/targets/bully"
	"github.com/sunder-dev/sunder/targets/member"
	"github.com/sunder-dev/sunder/targets/paxos"
)

func newBullydCommand() *cobra.Command {
	return newMemberCommand(bully.Command, "the Bully algorithm", func(*flag.FlagSet) func() (member.Begin, error) {
		return func() (member.Begin, error) { return bully.Begin, nil }
	})
}

func newPaxosdCommand() *cobra.Command {
	return newMemberCommand(paxos.Command, "Multi-Paxos", func(options *flag.FlagSet) func() (member.Begin, error) {
		bugs := options.String("bug", "", "planted bugs, separated by commas; see 'sunder list bugs'")
		return func() (member.Begin, error) { return paxos.Begin(*bugs) }
	})
}

// newMemberCommand runs a member of a small protocol, which declares flags of its own.
func newMemberCommand(name, protocol string, declare func(*flag.FlagSet) func() (member.Begin, error)) *cobra.Command {
	options := flag.NewFlagSet(name, flag.ContinueOnError)
	m, begin := member.Options(options), declare(options)
	cmd := &cobra.Command{
		Use:   name,
		Short: "Run one member of " + protocol,
		Long: "Run one member of " + protocol + `. 'sunder run' starts such members itself; by hand it is useful to look at
one. The client API is HTTP and JSON: GET and PUT /kv/{key}, POST /kv/{key}/cas, GET /status.`,
		Example: "  sunder " + name + ` --id n1 --peers n1=127.0.0.1:7001 --client 127.0.0.1:8001 --dir /tmp
  curl -X PUT -d '{"value": "1"}' http://127.0.0.1:8001/kv/x`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			core, err := begin()
			if err != nil {
				return usage(cmd, err)
			}
			return m.Serve(cmd.Context(), core, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().AddGoFlagSet(options)
	return cmd
}
