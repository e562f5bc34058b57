package cli

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/harness/programs"
)

func (a app) newBuildCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "build TARGET[@VERSION]...",
		Short: "Build servers from source, for the fleets that run programs",
		Long: `Build servers from the Go module proxy, each in a module of its own that is thrown away, and
keep the programs in this user's cache, by version. What is there is not built again. A run on the
netns fleet does so by itself, and 'sunder images build' makes images of the same programs. Go is
needed. etcd takes a minute or two on two cores, Consul about six.

The last lines printed are the programs' paths.

Consul is MPL-2.0 up to 1.16.3 and BUSL 1.1 after that: fine for testing, not for passing on.`,
		Example: `  sunder build etcd
  sunder build etcd@v3.5.35 consul`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipes, self, err := a.recipes(args)
			if err != nil {
				return usage(cmd, err)
			}
			if self && len(recipes) == 0 {
				return usage(cmd, fmt.Errorf("the nodes of %s are sunder itself: there is nothing to build",
					strings.Join(args, ", ")))
			}
			for _, r := range recipes {
				path, err := programs.Program(cmd.Context(), r, runtime.GOARCH, force, cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), path)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "build again what is there")
	return cmd
}

// recipes returns how the targets that are named are built, and whether the program of one of them is sunder itself.
func (a app) recipes(targets []string) (recipes []programs.Recipe, self bool, err error) {
	for _, spec := range targets {
		name, versions, entry, err := a.findTarget(spec)
		switch {
		case err != nil:
			return nil, false, err
		case entry.Self:
			self = true
			continue
		case entry.Installed:
			return nil, false, fmt.Errorf("the program of %s is one of this machine: there is nothing to build", name)
		case entry.Recipe == nil:
			return nil, false, fmt.Errorf("it is not known how %s is built; 'sunder run' takes any program by --program, and "+
				"any image by --image", name)
		}
		for _, version := range versions {
			recipe := entry.Recipe(version)
			if err := recipe.Check(); err != nil {
				return nil, false, err
			}
			recipes = append(recipes, recipe)
		}
	}
	return recipes, self, nil
}
