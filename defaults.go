package sunder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/workloads"
)

// The defaults of tests.
const (
	DefaultNodes     = 5
	DefaultTimeLimit = 30 * time.Second
	DefaultOpTimeout = time.Second
	DefaultPatience  = 30 * time.Second // for launch and recovery
	DefaultNemesis   = "watch"
	DefaultProfile   = "swarm" // of the command line
	DefaultHold      = 2 * time.Second
	DefaultRest      = time.Second
	// DefaultOut is where run directories are made.
	DefaultOut = "runs"
)

// NoFaults are the lanes of a test without faults. Lanes that are nil are the default ones.
func NoFaults() []harness.Lane { return []harness.Lane{} }

// WithDefaults sets what a test leaves out. It makes the run directory, if there is none yet.
func WithDefaults(t harness.Test) (harness.Test, error) { return Runner{}.withDefaults(t) }

func (r Runner) withDefaults(t harness.Test) (harness.Test, error) {
	if t.Target == nil {
		return t, errors.New("a test needs a target")
	}
	set(&t.Nodes, DefaultNodes)
	set(&t.Clients, 2*t.Nodes)
	set(&t.TimeLimit, DefaultTimeLimit)
	set(&t.OpTimeout, DefaultOpTimeout)
	set(&t.LaunchTimeout, DefaultPatience)
	set(&t.RecoverTimeout, DefaultPatience)
	least := float64(checkers.DefaultMinRate)
	if p, ok := t.Workload.(harness.Paced); ok {
		least = p.LeastRate()
	}
	if t.Rate > 0 {
		least = min(least, t.Rate/4)
	}
	set(&t.MinRate, least)
	families := nemesis.Default()
	if t.Deeds == nil {
		t.Deeds = families.Deeds()
	}
	var err error
	if t.Workload == nil {
		o := workloads.DefaultRegister()
		o.Seed = t.Seed
		if t.Workload, err = workloads.NewRegister(o); err != nil {
			return t, err
		}
		set(&t.About.Workload, "register")
	}
	if t.Lanes == nil && t.Schedule == nil {
		if t.Lanes, err = families.Parse(DefaultNemesis, DefaultHold, DefaultRest); err != nil {
			return t, err
		}
		set(&t.About.Nemesis, DefaultNemesis)
	}
	if err := r.describe(&t); err != nil {
		return t, err
	}
	if err := t.Validate(); err != nil { // before there is a directory
		return t, err
	}
	if t.Dir == "" {
		if t.Dir, err = NewDir(DefaultOut, t); err != nil {
			return t, err
		}
	} else if err := os.MkdirAll(t.Dir, 0o755); err != nil {
		return t, err
	}
	if t.Fleet == nil {
		data, err := filepath.Abs(filepath.Join(t.Dir, history.DataDir))
		if err != nil {
			return t, err
		}
		t.Fleet = local.New(data, 0)
		set(&t.About.Fleet, "local")
	}
	return t, nil
}

// describe says of a test what it does not say of itself.
func (r Runner) describe(t *harness.Test) error {
	a := &t.About
	if a.Started.IsZero() {
		a.Started = time.Now()
	}
	set(&a.Target, typeName(t.Target))
	set(&a.Workload, typeName(t.Workload))
	if t.Fleet != nil {
		set(&a.Fleet, typeName(t.Fleet))
	}
	if a.Nemesis == "" {
		var lanes []string
		for _, l := range t.Lanes {
			lanes = append(lanes, l.Name)
		}
		a.Nemesis = strings.Join(lanes, "+")
		switch {
		case t.Schedule != nil:
			a.Nemesis = strings.TrimPrefix(a.Nemesis+"+schedule", "+")
		case len(lanes) == 0:
			a.Nemesis = "none"
		}
	}
	if a.Build == nil {
		a.Build = BuildInfo()
	}
	if a.Checkers == nil {
		if _, ok := t.Workload.(harness.Judged); !ok {
			return fmt.Errorf("nobody knows how a run of %s is to be judged: let it be a harness.Judged, or name the checkers "+
				"in About.Checkers", typeName(t.Workload))
		}
		a.Checkers = r.checkersOf(t)
	}
	return nil
}

// checkersOf returns the checkers that a test asks for: those of its workload and of its target, as far as so many
// members give them anything to say, and those that judge every run.
func (r Runner) checkersOf(t *harness.Test) (names []string) {
	registry := r.registry()
	for _, part := range []any{t.Workload, t.Target} {
		judged, ok := part.(harness.Judged)
		if !ok {
			continue
		}
		for _, name := range judged.Checkers() {
			if e, _, err := registry.Find(name); err == nil && t.Nodes < e.Members {
				continue
			}
			names = append(names, name)
		}
	}
	return slices.Concat(names, checkers.Always())
}

func typeName(of any) string { return strings.TrimPrefix(fmt.Sprintf("%T", of), "*") }

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// NewDir makes the directory of a run in another one, which is made too: its name says when, what, and with which seed.
func NewDir(out string, t harness.Test) (string, error) {
	a := t.About
	began := a.Started.UTC().Format("20060102T150405.000")
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(":@,+=/", r) {
			return '-'
		}
		return r
	}, fmt.Sprintf("%s-%s-%s-%s-%d", began, a.Target, a.Workload, a.Nemesis, t.Seed))
	return MakeDir(filepath.Join(out, name))
}

// MakeDir makes the directory of a run by its path, or by one with a number after it: two runs may begin in the same
// millisecond, and each has one of its own.
func MakeDir(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	for n, name := 2, dir; ; n++ {
		if err := os.Mkdir(name, 0o755); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
		name = fmt.Sprintf("%s-%d", dir, n)
	}
}

// BuildInfo says what runs on what.
func BuildInfo() map[string]string {
	info := map[string]string{
		"go":     runtime.Version(),
		"os":     runtime.GOOS + "/" + runtime.GOARCH,
		"sunder": "(devel)",
		"cpus":   fmt.Sprint(runtime.NumCPU()),
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		info["kernel"] = unix.ByteSliceToString(u.Release[:])
	}
	if b, ok := debug.ReadBuildInfo(); ok {
		maps.Copy(info, map[string]string{"sunder": b.Main.Version})
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				info["revision"] = s.Value
			}
		}
	}
	return info
}
