package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	sunder "github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/harness/fleet/docker"
	"github.com/sunder-dev/sunder/harness/programs"
)

func (a app) newImagesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "images",
		Short: "List the images that sunder built, or build some",
		Long: `List the images that sunder built. A run takes the official image of a target if it is here, or
one that was built here, or pulls the official one; --image names another. Of targets whose program is
one of this machine, such as redis and zookeeper, it makes an image of that program and of what it needs.`,
		Example: `  sunder images
  sunder images build etcd                 # the version that is tested by default
  sunder images build etcd@v3.5.35 consul`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			engine, err := docker.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer engine.Close()
			list, err := engine.Images(cmd.Context())
			if err != nil {
				return err
			}
			for _, i := range list {
				fmt.Fprintf(
					cmd.OutOrStdout(),
					"%-30s %6.1f MB  made %s  %s\n",
					i.Ref,
					float64(i.Bytes)/1e6,
					i.Made.Format(time.DateTime),
					i.Version,
				)
			}
			if len(list) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "none yet; 'sunder images build etcd' makes one")
			}
			return nil
		},
	}
	cmd.AddCommand(a.newImagesBuildCommand())
	return cmd
}

func (a app) newImagesBuildCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "build TARGET[@VERSION]...",
		Short: "Build images of servers from source, for where no registry can be reached",
		Long: `Build servers from the Go module proxy, as 'sunder build' does, and make images of nothing but the
program. Versions that are there are not built again. Go is needed. etcd takes a minute or two on
two cores, Consul about six.

Consul is MPL-2.0 up to 1.16.3 and BUSL 1.1 after that: fine for testing, not for passing on.`,
		Example: `  sunder images build etcd consul raft
  sunder images build etcd@v3.5.35`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipes, self, err := a.recipes(args)
			if err != nil {
				return usage(cmd, err)
			}
			engine, err := docker.Connect(cmd.Context())
			if err != nil {
				return err
			}
			defer engine.Close()
			if self {
				ref, err := engine.OwnImage(cmd.Context(), sunder.BuildInfo()["sunder"], cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is there\n", ref)
			}
			for _, r := range recipes {
				if err := buildImage(cmd, engine, r, force); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "build again what is there")
	return cmd
}

func buildImage(cmd *cobra.Command, engine *docker.Engine, r programs.Recipe, force bool) error {
	ctx := cmd.Context()
	if _, ok, err := engine.HasImage(ctx, r.Ref()); err != nil {
		return err
	} else if ok && !force {
		fmt.Fprintf(cmd.OutOrStdout(), "%s is there\n", r.Ref())
		return nil
	}
	program, err := programs.Program(ctx, r, engine.Arch(), force, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := engine.Import(ctx, r.Ref(), program, r.Path, r.Name+" "+r.Version+" from "+r.Module); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is made\n", r.Ref())
	return nil
}
