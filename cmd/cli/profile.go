package cli

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/harness"
)

// profile chooses the settings of a run that nobody chose. It is pure: a seed decides.
type profile struct {
	about string
	draw  func(r *rand.Rand, target harness.TargetEntry) map[string]string
}

// profileFixed is the profile that draws nothing by chance.
const profileFixed = "fixed"

// profiles are the profiles that there are.
var profiles = map[string]profile{
	profileFixed: {
		"settings that never change: five nodes, ten clients, 2000 calls a second, one fault at a time",
		func(*rand.Rand, harness.TargetEntry) map[string]string { return map[string]string{"nemesis": "mix"} },
	},
	"swarm": {
		"settings that each seed draws: size, timeouts, load, and a nemesis that draws how it acts every few seconds",
		drawSwarm,
	},
}

// aboutProfiles says what each profile is.
func aboutProfiles() (text string) {
	for i, name := range slices.Sorted(maps.Keys(profiles)) {
		if i > 0 {
			text += "; "
		}
		text += name + ", " + profiles[name].about
	}
	return text
}

// Ways in which calls come.
const (
	loadSteady = "steady"
	loadTides  = "tides"
)

// drawnWords are the flags that were drawn.
func (p *plan) drawnWords() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(p.drawn)) {
		words = append(words, "--"+name+" "+p.drawn[name])
	}
	return strings.Join(words, " ")
}

// streamProfile is the stream of randomness that profiles draw from.
const streamProfile = 5 << 32

// drawSwarm draws settings after what is known to expose bugs (swarm testing: Groce and others, ISSTA 2012): few nodes
// more often than many, sizes that are even now and then, all loads from a trickle to as much as goes.
func drawSwarm(r *rand.Rand, target harness.TargetEntry) map[string]string {
	between := func(low, high float64) float64 { return low * math.Pow(high/low, r.Float64()) }
	clients := int(between(20, 80))
	drawn := map[string]string{
		"nodes":      []string{"3", "3", "3", "3", "5", "5", "5", "5", "5", "4"}[r.IntN(10)],
		"clients":    strconv.Itoa(clients),
		"load":       loadTides,
		"roam":       "true",
		"op-timeout": time.Duration(between(0.25, 2) * float64(time.Second)).Round(10 * time.Millisecond).String(),
		"nemesis":    "watch",
		"keys":       strconv.Itoa(int(between(1, 11))),
		"vary":       "true",
	}
	if target.Draw != nil {
		var flags []string
		theirs := target.Draw(r)
		for _, name := range slices.Sorted(maps.Keys(theirs)) {
			flags = append(flags, name+"="+theirs[name])
		}
		if len(flags) > 0 {
			drawn["target-flag"] = strings.Join(flags, ",")
		}
	}
	return drawn
}

// draw sets what the profile draws and nobody chose, and returns it.
func (f *runFlags) draw(flags *pflag.FlagSet, target harness.TargetEntry) (map[string]string, error) {
	p, err := find("profile", profiles, f.profile)
	if err != nil {
		return nil, fmt.Errorf("--profile: %w", err)
	}
	drawn := p.draw(rand.New(rand.NewPCG(f.seed, streamProfile)), target)
	pinned := map[string]bool{
		"nemesis": f.schedule != "", "load": flags.Changed("rate"),
		"nodes":       f.schedule != "",                                   // it is of so many
		"target-flag": flags.Changed("latency") || flags.Changed("sites"), // which not all timeouts bear
	}
	if f.byHand {
		for name := range upDefaults {
			pinned[name] = true
		}
	}
	if flags.Changed("hold") || flags.Changed("rest") { // of which a nemesis that decides for itself has no use
		drawn["nemesis"] = "mix"
	}
	for _, name := range slices.Sorted(maps.Keys(drawn)) {
		if pinned[name] || flags.Changed(name) || flags.Lookup(name) == nil || !f.takes(name) {
			delete(drawn, name)
			continue
		}
		if err := flags.Set(name, drawn[name]); err != nil {
			return nil, fmt.Errorf("profile %s: --%s %s: %w", f.profile, name, drawn[name], err)
		}
	}
	return drawn, nil
}

// takes reports whether a flag is the command's own, or an option of the workload that is chosen.
func (f *runFlags) takes(flag string) bool {
	owners := f.options.owners[flag]
	return len(owners) == 0 || slices.Contains(owners, owner{"workload", f.workload})
}
