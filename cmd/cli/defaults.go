package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/sunder-dev/sunder/cmd/child"
	"github.com/sunder-dev/sunder/harness"
)

// defaultsFile has, in the directory that a command is given in, what flags are if they are not given: so that a team's
// runs are one word.
//
//	run:
//	  target: ./mydb.yaml
//	  nodes: 3
//	  mix: read=50,write=50
const defaultsFile = "sunder.yaml"

// applyDefaults gives a command the flags of the file that are not given otherwise. A run that a suite, a score or a
// shrinking makes has all of its flags, and takes none.
func (a app) applyDefaults(cmd *cobra.Command, _ []string) error {
	isNode := os.Getenv(harness.WatchdogEnv) != ""
	if isNode || os.Getenv(child.OwnFlagsEnv) != "" || slices.Contains(withoutDefaults, cmd.Name()) {
		return nil
	}
	text, err := os.ReadFile(defaultsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage(cmd, err)
	}
	var sections map[string]yaml.MapSlice
	if err := yaml.Unmarshal(text, &sections); err != nil {
		return usage(cmd, fmt.Errorf("%s: %s", defaultsFile, strings.TrimSpace(yaml.FormatError(err, false, true))))
	}
	for name := range sections {
		if found, _, err := cmd.Root().Find([]string{name}); err != nil || found == cmd.Root() {
			return usage(cmd, placeOf(text, name, fmt.Errorf("there is no command %q", name)))
		}
	}
	for _, item := range sections[cmd.Name()] {
		name := fmt.Sprint(item.Key)
		flag := cmd.Flags().Lookup(name)
		if flag == nil {
			return usage(cmd, placeOf(text, cmd.Name()+"."+name,
				fmt.Errorf("'%s' has no flag --%s", cmd.CommandPath(), name)))
		}
		if other := cmd.Flags().Lookup(yieldsTo[name]); flag.Changed || other != nil && other.Changed {
			continue
		}
		values, isList := item.Value.([]any)
		if !isList {
			values = []any{item.Value}
		}
		for _, value := range values {
			if err := scalarValue(value); err != nil {
				return usage(cmd, placeOf(text, cmd.Name()+"."+name, err))
			}
			if err := cmd.Flags().Set(name, fmt.Sprint(value)); err != nil {
				return usage(cmd, placeOf(text, cmd.Name()+"."+name, err))
			}
		}
	}
	return nil
}

// withoutDefaults are commands that do what they do whatever the file says: nodes, and what ends a cluster.
var withoutDefaults = []string{"down", "do", "version", "raftd", "maelstromd", "agent"}

// yieldsTo are flags of the file that make room for one of the command line with which they cannot be.
var yieldsTo = map[string]string{"nemesis": "schedule", "hold": "schedule", "rest": "schedule", "rate": "load"}

// scalarValue refuses what is no word.
func scalarValue(value any) error {
	switch value.(type) {
	case string, bool, int, int64, uint64, float64:
		return nil
	case nil:
		return errors.New("there is nothing after it")
	}
	return errors.New("a word, a number or a list of them is expected; name=value pairs are written so, in quotes")
}

// placeOf says where in the file something is wrong.
func placeOf(text []byte, path string, err error) error {
	p, pathErr := yaml.PathString("$." + path)
	if pathErr == nil {
		if node, nodeErr := p.ReadNode(strings.NewReader(string(text))); nodeErr == nil {
			at := node.GetToken().Position
			return fmt.Errorf("%s:%d:%d: %s: %w", defaultsFile, at.Line, at.Column, path, err)
		}
	}
	return fmt.Errorf("%s: %s: %w", defaultsFile, path, err)
}
