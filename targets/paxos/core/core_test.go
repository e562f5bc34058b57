package core

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/member"
)

func nodes(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint("n", i+1))
	}
	return names
}

// world is a cluster under a simulation, and what is known to have happened there.
type world struct {
	*member.Network
	names  []string
	hashes map[uint64]string // by place: of the state after it, whoever was there first
	terms  map[uint64]string // who led
	looked int               // of those who led
	broken string
}

func newWorld(t *testing.T, seed uint64, n int, bugs ...Bug) *world {
	w := &world{names: nodes(n), hashes: map[uint64]string{}, terms: map[uint64]string{}}
	w.Network = member.NewNetwork(seed, w.names, func(id string, remembered json.RawMessage) member.Core {
		p, err := New(id, w.names, seed, bugs, remembered)
		require.NoError(t, err)
		return p
	})
	return w
}

// run lets ticks pass, one by one, and looks whether all agree.
func (w *world) run(ticks int) {
	for range ticks {
		w.Run(1)
		for _, name := range w.names {
			c := w.Core(name)
			if c == nil {
				continue
			}
			s := c.Status()
			if was, ok := w.hashes[s.Applied]; ok && was != s.Hash && w.broken == "" {
				w.broken = fmt.Sprintf("%s disagrees on what was chosen by place %d", name, s.Applied)
			} else if !ok {
				w.hashes[s.Applied] = s.Hash
			}
		}
		for _, l := range w.Led[w.looked:] {
			if was, ok := w.terms[l.Term]; ok && was != l.Node && w.broken == "" {
				w.broken = fmt.Sprintf("%s and %s led with ballot %d", was, l.Node, l.Term)
			}
			w.terms[l.Term] = l.Node
		}
		w.looked = len(w.Led)
	}
}

// play lets clients write and read while members end, begin again and are cut off, and returns what is broken.
func play(t *testing.T, seed uint64, bugs ...Bug) (w *world, wrong string) {
	r := rand.New(rand.NewPCG(seed, 77))
	w = newWorld(t, seed, 3+2*r.IntN(2), bugs...)
	w.Loss, w.Slow = []float64{0, 0.05, 0.2}[r.IntN(3)], []int{1, 3, 6, 40}[r.IntN(4)]
	id := uint64(0)
	for range 40 {
		switch r.IntN(5) {
		case 0:
			w.Stop(w.names[r.IntN(len(w.names))])
		case 1:
			w.Start(w.names[r.IntN(len(w.names))])
		case 2:
			order := slices.Clone(w.names)
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			cut := 1 + r.IntN(len(order)-1)
			w.Cut(order[:cut], order[cut:])
		case 3:
			w.Heal()
		}
		for range 3 {
			id++
			at := w.names[r.IntN(len(w.names))]
			op := member.Put
			if r.IntN(3) == 0 {
				op = member.Get
			}
			w.Request(at, member.Request{ID: id, Op: op, Key: "x", Value: fmt.Sprint(id)})
			w.run(5 + r.IntN(20))
		}
		if w.broken != "" {
			return w, w.broken
		}
	}
	w.Heal()
	w.run(20 * Silence)
	id++
	w.Request(w.names[0], member.Request{ID: id, Op: member.Get, Key: "x"})
	w.run(5 * Silence)
	if w.broken == "" && w.Answers[id].Outcome != member.OK && w.Loss == 0 && w.Slow < 10 {
		return w, "a cluster that is whole does not serve"
	}
	return w, w.broken
}

// Whatever ends, begins again, is lost or cut off, members agree, and a whole cluster serves.
func TestItIsRight(t *testing.T) {
	places := uint64(0)
	for seed := range uint64(40) {
		w, wrong := play(t, seed)
		require.Empty(t, wrong, "seed %d", seed)
		for place := range w.hashes {
			places = max(places, place)
		}
	}
	require.Greater(t, places, uint64(30))
}

// Each classic mistake makes members disagree.
func TestBugsAreFound(t *testing.T) {
	for _, bug := range Bugs() {
		t.Run(string(bug), func(t *testing.T) {
			for seed := range uint64(3000) {
				if _, wrong := play(t, seed, bug); wrong != "" {
					t.Logf("seed %d: %s", seed, wrong)
					return
				}
			}
			t.Fatal("it was not found")
		})
	}
}
