package harness

import (
	"context"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/programs"
)

// TargetEntry is a target of a catalogue. What is chosen of it are its options: New declares them, and what New returns
// makes the target once they are read.
type TargetEntry struct {
	About string
	// Version is the one that is run if none is named; empty if the target has no versions.
	Version string
	// Self says that the nodes' program is sunder itself.
	Self bool
	// Installed says that the nodes' program is one of this machine, which the target itself names, or launches by its
	// Role.
	Installed bool
	// Files are what of this machine the nodes' program is made of: absolute paths of files, or of directories with all
	// that is in them. Its error says what is to be installed first, and how. Nil if nobody knows, so that no image can be
	// made of it.
	Files func() ([]string, error)
	// Role is the command by which sunder itself is a member, or launches one; nil if there is none.
	Role *Role
	// Image names the official image of a version; nil if there is none.
	Image func(version string) string
	// Recipe says how a version is built from source; nil if it cannot be.
	Recipe func(version string) programs.Recipe
	// Shell is a command of the system's own client, such as etcdctl, for members that are reached at these addresses; nil
	// if there is none.
	Shell func(clients []string) string
	// Draw draws settings for the nodes, as flags of theirs, within what is sane: timeouts, how often snapshots are taken.
	// Nil draws none. It is pure.
	Draw func(r *rand.Rand) map[string]string
	// Bugs are those that can be planted.
	Bugs []Bug
	// New declares the target's options. The errors of what it returns are about them, and about the config.
	New func(options *flag.FlagSet) func(TargetConfig) (Target, error)
}

// Role is a command of sunder by which it is one member of a target.
type Role struct {
	Name, About string // "raftd", "Run one node of the built-in Raft"
	// Help says more, and Example shows a command line; lines of both are at most 100 columns.
	Help, Example string
	// Arguments are what it takes beside flags, such as "-- [FLAGS OF REDIS-SERVER]"; empty is nothing.
	Arguments string
	// New declares its flags. What it returns reads them, with errors about them, and returns what runs the member until
	// ctx ends, or the controller that started it.
	New func(flags *flag.FlagSet) func(args []string) (Serve, error)
}

// Serve runs a member until ctx ends. What the member prints goes to out, and what it logs to log.
type Serve func(ctx context.Context, out, log io.Writer) error

// TargetConfig is what a target is made of beside its own options.
type TargetConfig struct {
	Version string
	// OtherVersions are those that members may be restarted as.
	OtherVersions []string
	// Flags are for the nodes' program, by name.
	Flags map[string]string
	// Bugs are the names of those that are to be planted.
	Bugs []string
}

// Arguments returns the flags for the nodes' program as it is given them, sorted by name.
func (c TargetConfig) Arguments(dashes string) (args []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Flags)) {
		args = append(args, dashes+name+"="+c.Flags[name])
	}
	return args
}

// Bug is a mistake that can be planted in a target, and how it is found.
type Bug struct {
	Name  string
	Layer string // "core", "log", "api": the part of the target that has it
	// Source is the paper's section or the issue that it is after.
	Source string
	About  string
	// Property is the checker that sees it, or several: "linear", "leader or linear".
	Property string
	// Hunt are the flags of a run that is made to find it within a minute or so, beside --bug; empty if there is none, and
	// the default run is to find it.
	Hunt string
	// HeldOut says that nobody looks at it while defaults are chosen: how often it is found says what they are worth for
	// bugs that nobody knows.
	HeldOut bool
	// Simulated says that tests of the target's core show it, and that runs of the target itself cannot be expected to:
	// what brings it out, their faults do not do. No score counts it.
	Simulated bool
	// Breaks are the properties of the protocol that it breaks by a simulation of the target, each of them alone; nil if
	// only clients can see it.
	Breaks []string
}

// FleetEntry is a fleet of a catalogue.
type FleetEntry struct {
	About string
	Can   []Capability
	// Weight orders fleets: if none is named, the lightest is taken that can do what is needed, and is available.
	Weight int
	// New declares the fleet's options.
	New func(options *flag.FlagSet) FleetOptions
	// Examine tries what the machine can do for the fleet; nil if the fleet needs nothing of it.
	Examine func(ctx context.Context, e Examination) []Finding
	// Clean removes what runs left whose controller is dead, and returns a line for each; nil if they leave nothing.
	Clean func(ctx context.Context) (removed []string, err error)
}

// Examination is what a fleet examines a machine for.
type Examination struct {
	Targets map[string]TargetEntry
	Sunder  string // its version
	Say     io.Writer
}

// Finding is one thing that a machine has or lacks.
type Finding struct {
	What string `json:"what"`
	Has  string `json:"has,omitempty"`  // what there is; empty if it is missing
	Lack string `json:"lack,omitempty"` // why it is missing
	Cost string `json:"cost,omitempty"` // what cannot be done without it
}

// FleetOptions are a fleet's options once they are read.
type FleetOptions interface {
	// Check says what is wrong with them for a run, before anything is begun. It looks at nothing else.
	Check(c FleetConfig) error
	// Available says why a run cannot be had on this machine, or nil if nothing is known to be in its way. It is asked
	// where no fleet was named.
	Available(ctx context.Context, c FleetConfig) error
	// Open returns the fleet, and what is worth recording of it.
	Open(ctx context.Context, c FleetConfig) (f Fleet, facts map[string]string, err error)
}

// Enclosed are the options of a fleet that works in an enclosure: the whole run is a process that is inside.
type Enclosed interface {
	// Inside reports whether this process is.
	Inside() bool
	// Enter gets what can be had outside only, runs this program again inside, with other arguments, and returns its exit
	// code.
	Enter(ctx context.Context, c FleetConfig, args []string, stdout, stderr io.Writer) (code int, err error)
}

// Doored are the options of an enclosed fleet that others can follow into the enclosure.
type Doored interface {
	// Door returns the words before a command that let it reach the nodes.
	Door() string
}

// FleetConfig is the run that a fleet is to be for.
type FleetConfig struct {
	// Dir is the run directory; empty when options are checked.
	Dir    string
	Target TargetEntry
	// Version is that of the target, and Sunder that of sunder.
	Version, Sunder string
	// OtherVersions are those of the target that nodes may be restarted as.
	OtherVersions []string
	Nodes         int
	// Timing is how the nodes are set; nil if that is not known.
	Timing *history.Timing
	// Say is told what takes long.
	Say io.Writer
	// Typed is the standard input of a run that is inside an enclosure; nil is none.
	Typed *os.File
}

// WorkloadEntry is a workload of a catalogue.
type WorkloadEntry struct {
	About string
	// New declares the workload's options. The errors of what it returns are about them.
	New func(options *flag.FlagSet) func(seed uint64) (Workload, error)
}
