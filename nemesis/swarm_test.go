package nemesis

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// act lets a director act on a cluster that exists only in its view, and returns a line for each move. Nodes that a
// fault holds down are not up; another leader is found now and then. Faults take a while to come into force.
func act(t *testing.T, spec string, seed uint64, can []harness.Capability, check func(v harness.View, m harness.Move)) []string {
	families := Default()
	lanes, err := families.Parse(spec, time.Second, time.Second)
	require.NoError(t, err)
	require.Len(t, lanes, 1)
	d, r := lanes[0].Direct(), rand.New(rand.NewPCG(seed, 1))
	world := rand.New(rand.NewPCG(seed, 2))
	nodes := harness.NodeNames(5)
	v := harness.View{
		Nodes: nodes, OtherVersions: []string{"v2"}, Can: can, Timing: &history.Timing{Election: 150 * time.Millisecond}, Statuses: map[string]history.Status{},
	}
	var moves []string
	acts := map[int]time.Duration{} // when each fault comes into force
	for id := 0; v.Elapsed < time.Minute; {
		down := map[string]bool{}
		for _, f := range v.Standing {
			for _, deed := range f.Fault.Deeds {
				for _, n := range deed.Nodes {
					down[n] = true
				}
			}
		}
		v.Up, v.Leaders = nil, nil
		for i, n := range nodes {
			if !down[n] {
				v.Up = append(v.Up, n)
				v.Statuses[n] = history.Status{Role: "follower", Applied: uint64(i)}
			}
		}
		if len(v.Up) > 2 {
			v.Leaders = []string{v.Up[world.IntN(len(v.Up))]}
		}
		m := d.Next(r, v)
		check(v, m)
		line, err := json.Marshal(m)
		require.NoError(t, err)
		moves = append(moves, fmt.Sprintf("%v %s", v.Elapsed, line))
		v.Standing = slices.DeleteFunc(v.Standing, func(f harness.Standing) bool { return slices.Contains(m.Heal, f.ID) })
		if m.Start != nil {
			v.Standing = append(v.Standing, harness.Standing{ID: id, Fault: *m.Start, Changing: true})
			acts[id] = v.Elapsed + time.Duration(world.IntN(300))*time.Millisecond
			id++
		}
		require.Positive(t, m.Wait)
		next := v.Elapsed + m.Wait
		for _, f := range v.Standing {
			if f.Changing {
				next = min(next, acts[f.ID])
			}
		}
		v.Elapsed = next
		for i, f := range v.Standing {
			if f.Changing && acts[f.ID] <= next {
				v.Standing[i].Changing, v.Standing[i].Since = false, next
			}
		}
	}
	return moves
}

func everything() (can []harness.Capability) {
	for _, f := range Default() {
		can = append(can, f.Needs()...)
	}
	return can
}

// A director makes the moves that a seed says, all of them possible ones, and not too many at a time.
func TestDirectors(t *testing.T) {
	deeds, nodes := Default().Deeds(), harness.NodeNames(5)
	for _, spec := range []string{swarmSpec, watchSpec, watchUniform} {
		t.Run(spec, func(t *testing.T) {
			families, most, aims, swaps, held, beside := map[string]int{}, 0, map[string]int{}, 0, map[bool]int{}, 0
			for seed := range uint64(20) {
				once := act(t, spec, seed, everything(), func(v harness.View, m harness.Move) {
					for _, id := range m.Heal {
						i := slices.IndexFunc(v.Standing, func(f harness.Standing) bool { return f.ID == id })
						require.GreaterOrEqual(t, i, 0, "only what stands is healed")
						require.False(t, v.Standing[i].Changing, "... and is in force")
						held[v.Elapsed-v.Standing[i].Since > 300*time.Millisecond]++
					}
					most = max(most, len(v.Standing))
					if m.Start == nil {
						return
					}
					require.NoError(t, deeds.Check(*m.Start, nodes))
					require.False(t, inTheWay(v, m.Start))
					for _, f := range v.Standing {
						if f.Changing {
							beside++
						}
					}
					families[m.Start.Family]++
					aims[m.Start.Aim]++
					if len(m.Heal) > 0 {
						swaps++
					}
				})
				again := act(t, spec, seed, everything(), func(harness.View, harness.Move) {})
				require.Equal(t, once, again, "seed %d", seed)
			}
			for name, family := range Default() {
				require.Equal(t, !family.Unsafe, families[name] > 0, name)
			}
			require.LessOrEqual(t, most, 5, "three, one that is swapped, and slow links")
			require.GreaterOrEqual(t, most, 3)
			require.Positive(t, swaps)
			require.Positive(t, beside, "some begin while others come into force")
			require.Positive(t, held[false], "some faults are over before an election is")
			require.Positive(t, held[true], "some outlast it")
			require.Equal(t, spec != swarmSpec, aims[laggard] > 0 && aims[formerLeader] > 0 && aims[victim] > 0, "%v", aims)
		})
	}
}

// What fleet and target cannot do is left out.
func TestDirectorsMakeDo(t *testing.T) {
	act(t, watchSpec, 1, Default()["kill"].Needs(), func(_ harness.View, m harness.Move) {
		if m.Start != nil {
			require.Equal(t, "kill", m.Start.Family)
		}
	})
	act(t, watchSpec, 1, nil, func(_ harness.View, m harness.Move) { require.Nil(t, m.Start) })
}

func TestDirectorSpecs(t *testing.T) {
	for spec, want := range map[string]string{
		"watch:fast": `watch has no shape "fast"`, "swarm=1s/1s": "swarm has a rhythm of its own",
		"watch,kill": "watch decides for itself", "watch@leader": "watch decides for itself",
	} {
		_, err := Default().Parse(spec, time.Second, time.Second)
		require.ErrorContains(t, err, want)
	}
	lanes, err := Default().Parse("watch+kill@n1", time.Second, time.Second)
	require.NoError(t, err)
	require.Len(t, lanes, 2)
}

// A fault that is to last until another leader is elected ends soon after that, and not before.
func TestFaultsThatTurn(t *testing.T) {
	s := Default().newSwarm(true, true)().(*swarm)
	s.episode.turn, s.episode.holds = 1, map[string]time.Duration{"kill": time.Hour}
	v := harness.View{
		Elapsed: time.Second, Nodes: harness.NodeNames(3), Leaders: []string{"n1"},
		Timing:   &history.Timing{Election: 200 * time.Millisecond},
		Standing: []harness.Standing{{ID: 7, Fault: *hitNodes("kill", leader, []string{"n1"}), Since: time.Second}},
	}
	s.look(aRand(), v)
	s.take(v, aRand())
	require.Greater(t, s.ends[7], 1700*time.Millisecond)
	v.Elapsed, v.Leaders = 1100*time.Millisecond, nil
	s.look(aRand(), v)
	require.Greater(t, s.ends[7], 1700*time.Millisecond, "nobody leads")
	v.Leaders = []string{"n3"}
	s.look(aRand(), v)
	require.LessOrEqual(t, s.ends[7], 1200*time.Millisecond)
}
