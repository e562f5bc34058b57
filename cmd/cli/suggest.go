package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// meant says which of several names was probably meant, for the end of an error: "; did you mean etcd?". It is empty if
// none is near.
func meant(typed string, names []string) string {
	among := &cobra.Command{SuggestionsMinimumDistance: 2} // cobra knows how near words are
	for _, name := range names {
		among.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	near := among.SuggestionsFor(typed)
	if len(near) == 0 {
		return ""
	}
	slices.Sort(near)
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// subcommands refuses arguments of a command that has none of its own, and says which of its subcommands was meant.
func subcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return usage(cmd, fmt.Errorf("there is no command %q%s", args[0], meant(args[0], names)))
}

var unknownFlag = regexp.MustCompile(`^unknown flag: --(\S+)$`)

// wrongFlag is what is wrong with a flag, and which one was meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	if found := unknownFlag.FindStringSubmatch(err.Error()); found != nil {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := strings.ReplaceAll(meant(found[1], names), " or ", " or --"); near != "" {
			err = errors.New(err.Error() + strings.Replace(near, "mean ", "mean --", 1))
		}
	}
	return usage(cmd, err)
}
