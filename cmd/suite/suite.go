// Package suite reads lists of runs: what CI executes at night. A suite is YAML, and strict: what is not
// known is an error with its line. It knows nothing of clusters; a run is the command line of one.
package suite

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/sunder-dev/sunder/reports"
)

// Suite is a list of runs.
type Suite struct {
	Name  string
	About string
	Cells []Cell
}

// Cell is one run of a suite: a place in the matrix, and how it is to end.
type Cell struct {
	Target, Fleet, Workload, Nemesis string
	Seed                             uint64
	Flags                            map[string]string // of sunder run, without dashes
	Own                              map[string]string // those of them that not all runs of the suite have
	Expect                           reports.Expectation
}

// Name names the cell, with the flags that set it apart from others. No two of a suite have the same.
func (c Cell) Name() string { return fmt.Sprintf("%s seed %d", c.Class(), c.Seed) }

// Class is what runs of the cell with other seeds share.
func (c Cell) Class() string {
	name := fmt.Sprintf("%s/%s/%s/%s", c.Target, c.Fleet, c.Workload, c.Nemesis)
	for _, flag := range slices.Sorted(maps.Keys(c.Own)) {
		name += fmt.Sprintf(" %s=%s", flag, c.Own[flag])
	}
	return name
}

// Args returns the arguments of `sunder run`.
func (c Cell) Args() []string {
	args := []string{"--target=" + c.Target, "--fleet=" + c.Fleet, "--workload=" + c.Workload}
	if c.Flags["schedule"] == "" { // which has the faults
		args = append(args, "--nemesis="+c.Nemesis)
	}
	args = append(args, "--seed="+strconv.FormatUint(c.Seed, 10))
	for _, flag := range slices.Sorted(maps.Keys(c.Flags)) {
		args = append(args, "--"+flag+"="+c.Flags[flag])
	}
	return args
}

// maxCells bounds a suite. There are not as many minutes in a week.
const maxCells = 10_000

// many is one value or a list of them.
type many []string

// UnmarshalYAML implements [yaml.InterfaceUnmarshaler].
func (m *many) UnmarshalYAML(unmarshal func(interface{}) error) error {
	var list []string
	if unmarshal(&list) == nil {
		*m = list
		return nil
	}
	var one string
	if err := unmarshal(&one); err != nil {
		return errors.New("a value or a list of values is expected")
	}
	*m = many{one}
	return nil
}

// file is a suite as it is written.
type file struct {
	About string            `yaml:"about"`
	Flags map[string]string `yaml:"flags"`
	Runs  []entry           `yaml:"runs"`
}

// entry is a part of the matrix.
type entry struct {
	Target   many                `yaml:"target"`
	Fleet    many                `yaml:"fleet"`
	Workload many                `yaml:"workload"`
	Nemesis  many                `yaml:"nemesis"`
	Seed     many                `yaml:"seed"`
	Flags    map[string]string   `yaml:"flags"`
	Expect   reports.Expectation `yaml:"expect"`
}

// Rules say what is wrong with a flag of a run, or with a run as a whole; nil if nothing is.
type Rules struct {
	Flag func(name, value string) error
	Cell func(Cell) error
	// Expect says what is wrong with an expectation.
	Expect func(reports.Expectation) error
}

// Parse reads a suite. An error says in which line and column what is wrong.
func Parse(name string, text []byte, rules Rules) (*Suite, error) {
	f, err := decode(name, text)
	if err != nil {
		return nil, err
	}
	s := &Suite{Name: name, About: f.About}
	// wrong says where in the file something is wrong.
	wrong := func(path string, err error) error {
		p, pathErr := yaml.PathString(path)
		if pathErr != nil {
			return fmt.Errorf("%s: %s: %w", name, path, err)
		}
		if node, nodeErr := p.ReadNode(strings.NewReader(string(text))); nodeErr == nil {
			at := node.GetToken().Position
			return fmt.Errorf("%s:%d:%d: %w", name, at.Line, at.Column, err)
		}
		return fmt.Errorf("%s: %s: %w", name, path, err)
	}
	flags := func(path string, flags map[string]string) error {
		for _, flag := range slices.Sorted(maps.Keys(flags)) {
			if err := rules.Flag(flag, flags[flag]); err != nil {
				return wrong(path+"."+flag, err)
			}
		}
		return nil
	}
	if err := flags("$.flags", f.Flags); err != nil {
		return nil, err
	}
	if len(f.Runs) == 0 {
		return nil, fmt.Errorf("%s: there are no runs", name)
	}
	seen := make(map[string]bool)
	for i, e := range f.Runs {
		path := fmt.Sprintf("$.runs[%d]", i)
		if err := flags(path+".flags", e.Flags); err != nil {
			return nil, err
		}
		cells, field, err := e.cells(f.Flags, rules.Expect)
		if err != nil {
			return nil, wrong(path+field, err)
		}
		for _, c := range cells {
			key := fmt.Sprint(c.Args())
			if seen[key] {
				return nil, wrong(path, fmt.Errorf("%s is there twice", c.Name()))
			}
			seen[key] = true
			if err := rules.Cell(c); err != nil {
				return nil, wrong(path, fmt.Errorf("%s: %w", c.Name(), err))
			}
			s.Cells = append(s.Cells, c)
			if len(s.Cells) > maxCells {
				return nil, wrong(path, fmt.Errorf("there are more than %d runs", maxCells))
			}
		}
	}
	return s, nil
}

// decode reads one document, and nothing that refers to another place of it: what is repeated in a suite is a list.
func decode(name string, text []byte) (f file, err error) {
	if nested(text) > maxNested {
		return f, fmt.Errorf("%s: lists in lists, more than %d deep: a suite has no use for them", name, maxNested)
	}
	tree, err := parser.ParseBytes(text, 0)
	if err == nil {
		for i, doc := range tree.Docs {
			if i > 0 && doc.Body != nil {
				at := doc.Body.GetToken().Position
				return f, fmt.Errorf("%s:%d:%d: there is a second document; a suite is one", name, at.Line, at.Column)
			}
			var found foreign
			if ast.Walk(&found, doc.Body); found.node != nil {
				at := found.node.GetToken().Position
				return f, fmt.Errorf("%s:%d:%d: %s", name, at.Line, at.Column, found.why)
			}
		}
		err = yaml.UnmarshalWithOptions(text, &f, yaml.Strict())
	}
	if err != nil {
		return f, fmt.Errorf("%s: %s", name, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	return f, nil
}

// maxNested is how deep lists may stand in each other. The parser takes memory by the square of it.
const maxNested = 100

// nested returns a bound of how deep a text is nested, in the flow style or in the block style.
func nested(text []byte) (deepest int) {
	depth, dashes := 0, 0
	for i, c := range text {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		case ' ':
			if i > 0 && (text[i-1] == '-' || text[i-1] == '?') {
				dashes++
			}
		case '\n':
			dashes = 0
		}
		deepest = max(deepest, depth, dashes)
	}
	return deepest
}

// foreign finds the first node of what suites have no use for, and the library would take for something.
type foreign struct {
	node ast.Node
	why  string
}

func (f *foreign) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		f.node, f.why = n, "anchors, aliases and merges are not known here"
	case *ast.TagNode:
		f.node, f.why = n, "tags are not known here"
	case *ast.NullNode:
		f.node, f.why = n, "a value is missing"
	}
	if f.node != nil {
		return nil
	}
	return f
}

// cells multiplies an entry out. Of an error it says which field it is of.
func (e entry) cells(
	common map[string]string, expect func(reports.Expectation) error,
) (cells []Cell, field string, err error) {
	or := func(m many, otherwise string) many {
		if m == nil {
			return many{otherwise}
		}
		return m
	}
	product := 1
	for _, l := range []struct {
		field string
		many
	}{{".target", e.Target}, {".fleet", e.Fleet}, {".workload", e.Workload}, {".nemesis", e.Nemesis}, {".seed", e.Seed}} {
		if l.many != nil && len(l.many) == 0 {
			return nil, l.field, errors.New("the list is empty")
		}
		if product *= max(len(l.many), 1); product > maxCells {
			return nil, "", fmt.Errorf("there are more than %d runs", maxCells)
		}
	}
	e.Expect = cmp.Or(e.Expect, reports.ExpectValid)
	if err := expect(e.Expect); err != nil {
		return nil, ".expect", err
	}
	flags := maps.Clone(common)
	if flags == nil {
		flags = make(map[string]string)
	}
	maps.Copy(flags, e.Flags)
	for _, reserved := range []string{"target", "fleet", "workload", "nemesis", "seed", "out", "format", "expect"} {
		if _, ok := flags[reserved]; ok {
			return nil, ".flags", fmt.Errorf(
				"%s is no flag of a run in a suite: it is a field beside flags, or the suite's own",
				reserved,
			)
		}
	}
	for _, target := range or(e.Target, "raft") {
		for _, fleet := range or(e.Fleet, "auto") {
			for _, workload := range or(e.Workload, "register") {
				for _, nemesis := range or(e.Nemesis, "mix") {
					for _, text := range or(e.Seed, "1") {
						seed, err := strconv.ParseUint(text, 10, 64)
						if err != nil {
							return nil, ".seed", fmt.Errorf("a seed is a number from 0, not %q", text)
						}
						cells = append(cells, Cell{target, fleet, workload, nemesis, seed, flags, e.Flags, e.Expect})
					}
				}
			}
		}
	}
	return cells, "", nil
}

// Shard returns the i-th of n parts of the cells, from 1. Neighbours are alike and take about as long, so
// that they are dealt out like cards.
func Shard(cells []Cell, i, n int) []Cell {
	var part []Cell
	for at, c := range cells {
		if at%n == i-1 {
			part = append(part, c)
		}
	}
	return part
}
