// Package sim runs a whole cluster of [Server]s, of the built-in Raft or of any other core, in one goroutine against a
// virtual clock, a network that loses, delays, duplicates, reorders and partitions, and disks that lose what was
// not synced when a node crashes. One seed decides everything, so a run replays exactly.
//
// After every step it asserts the five properties that the Raft paper guarantees (Figure 3), that
// no read is stale (§8), and at the end that the healed cluster makes progress.
package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

const (
	defaultNodes = 5
	defaultSteps = 4000
)

// Options say what is simulated. The zero values of the counts mean the defaults.
type Options struct {
	Nodes int
	Steps int // of virtual time, in ticks
	// New returns what makes the servers of one simulation; nil is the built-in Raft. It is called anew for each, so that
	// what servers share begins anew too.
	New func(seed uint64) func(Boot) (Server, error)
	// Bugs are planted in the built-in Raft.
	Bugs core.Bugs
	// SyncLate plants the mistake of sending before syncing: what was promised may be lost.
	SyncLate bool
	// Reliable lets the network lose and duplicate nothing.
	Reliable bool
	// Without are the numbers, from 1, of what is not to happen of all that fate and the clients had
	// in mind: cuts, crashes, pauses, heals, commands, reads, and what operators ask for. See [Shrink].
	Without map[int]bool
	// Trace keeps the last events for [Violation.Trace].
	Trace bool
}

// Violation is a property that did not hold.
type Violation struct {
	Seed     uint64
	Tick     int
	Property string
	Detail   string
	Trace    []string
}

// Error names the seed, so that the run can be told again.
func (v *Violation) Error() string {
	text := fmt.Sprintf("seed %d, tick %d: %s: %s", v.Seed, v.Tick, v.Property, v.Detail)
	if len(v.Trace) > 0 {
		text += "\n\t" + strings.Join(v.Trace, "\n\t")
	}
	return text
}

// Run simulates one seed and returns the first violation, or nil.
func Run(seed uint64, o Options) *Violation {
	w := simulate(seed, o)
	return w.violation
}

func simulate(seed uint64, o Options) *world {
	o.Nodes, o.Steps = cmp.Or(o.Nodes, defaultNodes), cmp.Or(o.Steps, defaultSteps)
	w := newWorld(seed, o)
	for w.now < o.Steps && w.violation == nil {
		w.step(true)
	}
	if w.violation == nil && len(o.Bugs) == 0 && !o.SyncLate {
		w.calmDown()
	}
	return w
}

// weather is how hostile a run is. It is drawn once a seed, so that some runs have no partitions
// at all and others hardly a quiet moment ("swarm testing").
type weather struct {
	loss, duplicate     float64 // of messages
	delay               int     // at most, in ticks
	partition, crash    float64 // a tick
	pause, heal         float64
	propose, read       float64
	snapshotEvery, keep uint64
	transfer            float64 // of leadership, a tick
	change              float64 // of members, a tick
	fewer               int     // voters than at first are left by operators
	// Of the nodes' configuration.
	preVote, checkQuorum bool
	// What an Append, and what is kept behind a snapshot, may weigh; 0 is anything.
	maxBytes, keepBytes int
}

func drawWeather(r *rand.Rand) weather {
	some := func(p, most float64) float64 {
		if r.Float64() < p {
			return r.Float64() * most
		}
		return 0
	}
	return weather{
		loss: some(0.5, 0.2), duplicate: some(0.5, 0.1), delay: 1 + r.IntN(1+r.IntN(12)),
		partition: some(0.8, 0.02), crash: some(0.8, 0.01), pause: some(0.5, 0.01), heal: 0.005 + r.Float64()*0.03,
		propose: 0.02 + some(0.7, 0.4), read: 0.02 + some(0.7, 0.3),
		snapshotEvery: 5 + uint64(r.IntN(60)), keep: uint64(r.IntN(20)),
		preVote: r.Float64() < 0.7, checkQuorum: r.Float64() < 0.7,
		maxBytes: int(some(0.5, 500)), keepBytes: int(some(0.5, 1000)), transfer: some(0.5, 0.02),
		change: some(0.5, 0.05), fewer: r.IntN(3),
	}
}

// world is the state of a simulation.
type world struct {
	Options
	seed uint64
	rand *rand.Rand // of the network, the clocks and the disks
	// fate decides what happens when. It is asked the same in every run of a seed, whatever the nodes
	// do, so that leaving something out changes nothing else of what is to happen.
	fate    *rand.Rand
	meant   int // what fate and the clients had in mind so far
	weather weather
	now     int
	nodes   []*node // nodes[i] stands at place i+1; the last place is vacant at first
	members members // as the operators of the cluster know them
	flying  []flight
	cut     map[link]bool
	ledger  ledger
	command uint64
	served  int // reads

	newServer func(Boot) (Server, error)
	reads     bool // can be asked of these servers

	violation *Violation
	trace     []string
}

type link struct{ from, to core.ID } // of places

// flight is a message on its way.
type flight struct {
	due int
	m   Message
}

func newWorld(seed uint64, o Options) *world {
	fate := rand.New(rand.NewPCG(seed, 0xfa7e))
	w := &world{
		Options: o,
		seed:    seed,
		rand:    rand.New(rand.NewPCG(seed, 0x5eed)),
		fate:    fate,
		weather: drawWeather(fate),
		cut:     map[link]bool{},
		ledger:  newLedger(),
	}
	w.newServer = newBuiltin
	if o.New != nil {
		w.newServer = o.New(seed)
		w.weather.change = 0 // changes of members are the built-in Raft's
	}
	if o.Reliable {
		w.weather.loss, w.weather.duplicate = 0, 0
	}
	for i := range o.Nodes + 1 {
		n := &node{id: core.ID(i + 1), world: w, vacant: i == o.Nodes, joined: true}
		w.nodes = append(w.nodes, n)
		if !n.vacant {
			n.start()
			w.members.Voters = append(w.members.Voters, n.id)
		}
	}
	// What these servers cannot do is not asked of them.
	if _, ok := w.nodes[0].raft.(Mover); !ok {
		w.weather.transfer = 0
	}
	if _, w.reads = w.nodes[0].raft.(Reader); !w.reads {
		w.weather.read = 0
	}
	return w
}

// step lets one tick pass: weather, clients, clocks, deliveries.
func (w *world) step(hostile bool) {
	w.now++
	if hostile {
		w.misfortune()
	}
	if w.fated(w.weather.propose) {
		if n := w.any(); w.happens() {
			w.propose(n)
		}
	}
	if w.fated(w.weather.read) {
		if n := w.any(); w.happens() {
			w.read(n)
		}
	}
	if w.fated(w.weather.transfer) {
		if n := w.any(); w.happens() && n.runs() {
			n.do(func() { w.transfer(n) })
		}
	}
	if w.fated(w.weather.change) {
		if i := drawIntent(w.fate, w.nodes); w.happens() {
			w.operate(i)
		}
	}
	for _, n := range w.nodes {
		if n.runs() && !w.chance(0.05) { // clocks drift
			n.do(func() { n.raft.Tick() })
		}
	}
	w.deliver()
}

func (w *world) chance(p float64) bool { return p > 0 && w.rand.Float64() < p }

func (w *world) fated(p float64) bool { return p > 0 && w.fate.Float64() < p }

// happens numbers what was meant to happen, and says whether it may.
func (w *world) happens() bool {
	w.meant++
	return !w.Without[w.meant]
}

func (w *world) at(id core.ID) *node { return w.nodes[id.Place()-1] }

// any draws one of the servers that there are.
func (w *world) any() *node {
	lot := w.fate.IntN(840) // the same draw whoever there is, and fair for up to eight
	there := slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return n.vacant })
	return there[lot%len(there)]
}

func (w *world) misfortune() {
	if w.fated(w.weather.partition) {
		if cut := w.partition(); w.happens() {
			w.cut = cut
			w.note("network cut: %d links", len(w.cut))
		}
	}
	if w.fated(w.weather.crash) {
		victims := 1
		if w.fated(0.2) {
			victims = len(w.nodes)
		}
		for range victims {
			n, atOnce := w.any(), w.fated(0.3)
			if !w.happens() {
				continue
			}
			n.crash("")
			if atOnce && n.raft == nil && !n.vacant { // a supervisor starts it again within a tick
				n.start()
			}
		}
	}
	if w.fated(w.weather.pause) {
		if n := w.any(); w.happens() {
			n.paused = true
			w.note("%v pauses", n.id)
		}
	}
	if w.fated(w.weather.heal) && w.happens() {
		w.cut = map[link]bool{}
		w.note("network heals")
	}
	for _, n := range w.nodes {
		if n.raft == nil && !n.vacant && w.chance(0.03) {
			n.start()
		}
		if n.paused && w.chance(0.02) {
			n.paused = false
			w.note("%v goes on", n.id)
		}
	}
}

// partition draws a cut by one of the shapes that nemeses use: one node, two sides, one way, at random.
func (w *world) partition() map[link]bool {
	side := func(from, to core.ID) bool { return false }
	switch w.fate.IntN(4) {
	case 0:
		lonely := w.any().id.Place()
		side = func(from, to core.ID) bool { return from == lonely || to == lonely }
	case 1:
		left := map[core.ID]bool{}
		for _, i := range w.fate.Perm(len(w.nodes))[:len(w.nodes)/2] {
			left[core.ID(i+1)] = true
		}
		side = func(from, to core.ID) bool { return left[from] != left[to] }
	case 2:
		deaf := w.any().id.Place()
		side = func(_, to core.ID) bool { return to == deaf }
	case 3:
		side = func(core.ID, core.ID) bool { return w.fated(0.3) }
	}
	cut := map[link]bool{}
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if from, to := a.id.Place(), b.id.Place(); a != b && side(from, to) {
				cut[link{from, to}] = true
			}
		}
	}
	return cut
}

// propose lets a client send a command to a node; only leaders take it.
func (w *world) propose(n *node) {
	if !n.runs() {
		return
	}
	w.command++
	data := fmt.Appendf(nil, "c%d", w.command)
	w.note("a client sends %v command %s", n.id, data)
	n.do(func() { n.raft.Propose(data) })
}

// transfer lets an operator ask a node to hand leadership over.
func (w *world) transfer(n *node) {
	if to := n.raft.(Mover).Transfer(); to != core.None {
		w.note("%v hands leadership over to %v", n.id, to)
	}
}

// read lets a client ask a node for a linearizable read.
func (w *world) read(n *node) {
	if !n.runs() {
		return
	}
	w.command++
	id := w.command
	n.reads[id] = w.ledger.committed()
	w.note("a client reads at %v, and must see index %d", n.id, n.reads[id])
	n.do(func() { n.raft.(Reader).Read(id) })
}

func (w *world) transmit(m Message) {
	if w.chance(w.weather.loss) {
		return
	}
	copies := 1
	if w.chance(w.weather.duplicate) {
		copies = 2
	}
	for range copies {
		w.flying = append(w.flying, flight{w.now + w.rand.IntN(w.weather.delay), m})
	}
}

func (w *world) deliver() {
	var due []Message
	later := w.flying[:0]
	for _, f := range w.flying {
		to := w.at(f.m.To)
		switch {
		case w.cut[link{f.m.From.Place(), f.m.To.Place()}] || to.raft == nil || to.id != f.m.To:
			// lost
		case f.due > w.now || to.paused: // a paused process finds its mail later
			later = append(later, f)
		default:
			due = append(due, f.m)
		}
	}
	w.flying = later
	if len(later) > 20_000 {
		w.fail("Progress", "%d messages are under way: nodes answer each other in circles", len(later))
	}
	w.rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, m := range due {
		if n := w.at(m.To); n.runs() {
			n.do(func() { n.raft.Step(m) })
		}
	}
}

// calmDown heals everything and demands progress: first that all nodes apply the same, although
// nothing new comes, then that a new command is applied everywhere, then that reads are served.
func (w *world) calmDown() {
	w.cut = map[link]bool{}
	w.weather.loss, w.weather.duplicate, w.weather.crash = 0, 0, 0
	w.weather.delay, w.weather.propose, w.weather.read, w.weather.change = 1, 0, 0, 0
	for _, n := range w.nodes {
		n.paused = false
		if n.raft == nil && !n.vacant {
			n.start()
		}
	}
	everywhere := func(ok func(*node) bool) func() bool {
		return func() bool {
			w.members.shutDown(w) // those that are none any more
			return !slices.ContainsFunc(w.nodes, func(n *node) bool { return w.members.has(n.id) && !n.vacant && !ok(n) })
		}
	}
	w.await(
		"all nodes apply what is committed",
		everywhere(func(n *node) bool { return n.applied == w.ledger.committed() }),
	)
	w.weather.propose = 0.2
	goal := w.ledger.committed() + 1
	w.await("a new command is applied everywhere", everywhere(func(n *node) bool { return n.applied >= goal }))
	if !w.reads {
		return
	}
	w.weather.read = 0.2
	before := w.served
	w.await("reads are served", func() bool { return w.served > before+len(w.nodes) })
}

// await lets a quiet time pass until something has come about.
func (w *world) await(what string, ok func() bool) {
	for range 3000 {
		if w.violation != nil || ok() {
			return
		}
		w.step(false)
	}
	w.fail("Progress", "3000 ticks after the last fault it is still not so that %s", what)
}

func (w *world) note(format string, args ...any) {
	if !w.Trace {
		return
	}
	w.trace = append(w.trace, fmt.Sprintf("%5d  ", w.now)+fmt.Sprintf(format, args...))
	if len(w.trace) > 200 {
		w.trace = w.trace[100:]
	}
}

func (w *world) fail(property, format string, args ...any) {
	if w.violation == nil {
		w.violation = &Violation{
			Seed:     w.seed,
			Tick:     w.now,
			Property: property,
			Detail:   fmt.Sprintf(format, args...),
			Trace:    w.trace,
		}
	}
}
