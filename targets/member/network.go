package member

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Network is a cluster of cores in one goroutine, with a clock of its own: messages take a while, are lost, and
// overtake each other, members are cut off, end and begin again, as a seed decides. The same seed does the same.
type Network struct {
	// Loss is the share of messages that are lost, and Slow for how many ticks one is under way at the most.
	Loss float64
	Slow int

	rand    *rand.Rand
	begin   func(id string, remembered json.RawMessage) Core
	members map[string]*simulated
	names   []string
	cut     map[[2]string]bool
	flying  []flight
	now     int
	// Led are the terms that members said that they lead, in order.
	Led []Lead
	// Answers are what clients were answered, by request.
	Answers map[uint64]Answer
}

// Lead says that a member has begun to lead.
type Lead struct {
	At   int // ticks
	Node string
	Term uint64
}

type simulated struct {
	core       Core // nil while it is down
	remembered json.RawMessage
}

type flight struct {
	due      int
	from, to string
	body     json.RawMessage
}

// NewNetwork returns a cluster of members that begin, and begin again, by begin.
func NewNetwork(seed uint64, names []string, begin func(id string, remembered json.RawMessage) Core) *Network {
	n := &Network{
		Slow: 2, rand: rand.New(rand.NewPCG(seed, 0)), begin: begin, members: map[string]*simulated{}, names: names,
		cut: map[[2]string]bool{}, Answers: map[uint64]Answer{},
	}
	for _, name := range names {
		n.members[name] = &simulated{}
		n.Start(name)
	}
	return n
}

// Core returns a member, or nil if it is down.
func (n *Network) Core(name string) Core { return n.members[name].core }

// Now returns how many ticks have passed.
func (n *Network) Now() int { return n.now }

// Start begins a member, with what it remembers.
func (n *Network) Start(name string) {
	if m := n.members[name]; m.core == nil {
		m.core = n.begin(name, m.remembered)
	}
}

// Stop ends a member: what it does not remember is gone.
func (n *Network) Stop(name string) { n.members[name].core = nil }

// Cut cuts the links between two groups, both ways.
func (n *Network) Cut(a, b []string) {
	for _, x := range a {
		for _, y := range b {
			n.cut[[2]string{x, y}], n.cut[[2]string{y, x}] = true, true
		}
	}
}

// Heal mends all links, and starts all members.
func (n *Network) Heal() {
	clear(n.cut)
	for _, name := range n.names {
		n.Start(name)
	}
}

// Request lets a client ask a member. One that is down does not answer.
func (n *Network) Request(name string, r Request) {
	if m := n.members[name]; m.core != nil {
		n.do(name, m.core.Request(r))
	}
}

// Run lets some ticks pass.
func (n *Network) Run(ticks int) {
	for range ticks {
		n.now++
		n.deliver()
		for _, name := range n.names {
			if m := n.members[name]; m.core != nil {
				n.do(name, m.core.Tick())
			}
		}
	}
}

// deliver delivers what has arrived by now.
func (n *Network) deliver() {
	due := slices.DeleteFunc(slices.Clone(n.flying), func(f flight) bool { return f.due > n.now })
	n.flying = slices.DeleteFunc(n.flying, func(f flight) bool { return f.due <= n.now })
	n.rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, f := range due {
		m := n.members[f.to]
		if m == nil {
			panic(fmt.Sprintf("%s sends to %s, which is no member", f.from, f.to))
		}
		if m.core != nil && !n.cut[[2]string{f.from, f.to}] {
			n.do(f.to, m.core.Receive(f.from, f.body))
		}
	}
}

func (n *Network) do(name string, e Effects) {
	if e.Remember != nil {
		n.members[name].remembered = e.Remember
	}
	if e.Leads > 0 {
		n.Led = append(n.Led, Lead{n.now, name, e.Leads})
	}
	for _, m := range e.Send {
		if n.rand.Float64() >= n.Loss && !n.cut[[2]string{name, m.To}] {
			n.flying = append(n.flying, flight{n.now + 1 + n.rand.IntN(n.Slow), name, m.To, m.Body})
		}
	}
	for _, a := range e.Answers {
		n.Answers[a.ID] = a
	}
}
