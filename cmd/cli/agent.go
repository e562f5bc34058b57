package cli

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness/fleet/agent"
	"github.com/sunder-dev/sunder/harness/fleet/packets"
)

func newAgentCommand() *cobra.Command {
	var listen, peers string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Shape the links of one node (runs in the node's pod)",
		Long: `Shape the links that lead to one node, by packet rules in its network namespace. The docker
fleet starts an agent in the pod of every node; by hand it is of little use.

Every request needs the token that the environment variable ` + agent.TokenEnv + ` holds.`,
		Example: `  ` + agent.TokenEnv + `=secret sunder agent --listen 10.7.0.2:7077 --peers 10.7.0.3,10.7.0.4`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := agent.Config{Token: os.Getenv(agent.TokenEnv)}
			var err error
			if c.Listen, err = netip.ParseAddrPort(listen); err != nil {
				return usage(cmd, fmt.Errorf("--listen: %w", err))
			}
			for p := range strings.SplitSeq(peers, ",") {
				if p == "" {
					continue
				}
				addr, err := netip.ParseAddr(p)
				if err != nil {
					return usage(cmd, fmt.Errorf("--peers: %w", err))
				}
				c.Peers = append(c.Peers, addr)
			}
			if err := c.Validate(); err != nil {
				return usage(cmd, err)
			}
			c.Lacks = packets.Lacks(packets.Probe())
			fw, err := packets.NewRules(c.Peers)
			if err != nil {
				return err
			}
			return agent.Run(cmd.Context(), c, fw)
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "probe",
		Short:   "Try what the kernel can do to packets, in the network namespace that this runs in",
		Example: `  unshare --net sunder agent probe`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(packets.Probe())
		},
	})
	cmd.Flags().StringVar(&listen, "listen", "", "the node's address, and the port to listen on")
	cmd.Flags().StringVar(&peers, "peers", "", "addresses of the other nodes, separated by commas")
	return cmd
}
