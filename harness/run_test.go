package harness_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/workloads"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// aTest is a run of the fake cluster.
func aTest(t *testing.T, fake *harnesstest.Fake, spec string) *harness.Test {
	workload, err := workloads.NewRegister(workloads.RegisterOptions{
		Keys: 4, OpsPerKey: 50, Mix: workloads.Mix{"read": 2, "write": 1, "cas": 1}, Seed: 1,
	})
	require.NoError(t, err)
	lanes, err := nemesis.Default().Parse(spec, 2*time.Second, time.Second)
	require.NoError(t, err)
	return &harness.Test{
		Target: fake, Fleet: fake, Workload: workload, Lanes: lanes, Nodes: 5, Clients: 10, Rate: 200,
		TimeLimit: 30 * time.Second, OpTimeout: time.Second, LaunchTimeout: 10 * time.Second, RecoverTimeout: 10 * time.Second,
		Seed: 1, Dir: t.TempDir(),
		About: history.Test{Target: "fake", Workload: "register", Nemesis: spec, Checkers: append([]string{"linear", "state", "leader"}, checkers.Always()...)},
	}
}

// run makes a test in no time and judges it.
func run(t *testing.T, ctx context.Context, test *harness.Test) (*history.History, map[string]checkers.Result, error) {
	t.Helper()
	runErr := harness.Run(ctx, test)
	h, warning, err := history.ReadFile(filepath.Join(test.Dir, history.File))
	require.NoError(t, err)
	require.Empty(t, warning)
	return h, judge(t, h), runErr
}

func judge(t *testing.T, h *history.History) map[string]checkers.Result {
	t.Helper()
	list, err := checkers.Default().Run(context.Background(), h, checkers.ForHistory(h), checkers.Defaults())
	require.NoError(t, err)
	results := map[string]checkers.Result{}
	for _, r := range list {
		results[r.Checker] = r
	}
	return results
}

func TestARightClusterIsValid(t *testing.T) {
	for _, spec := range []string{"mix", "partition+kill@one+pause@minority=1s/0s", "kill=500ms/0s", "none"} {
		t.Run(spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := harnesstest.New(harnesstest.Mistakes{})
				test := aTest(t, fake, spec)
				start := time.Now()
				h, results, err := run(t, t.Context(), test)
				require.NoError(t, err)
				for name, r := range results {
					require.Equal(t, checkers.Valid, r.Verdict, "%s: %s", name, r.Why)
				}
				require.True(t, fake.Closed)
				require.Less(t, time.Since(start), test.TimeLimit+3*time.Second)

				var phases []history.Phase
				for _, s := range h.Notes().Phases {
					phases = append(phases, s.Phase)
				}
				require.Equal(t, []history.Phase{"launch", "load", "heal", "recover", "final", "end"}, phases)
				about, ok := h.Test()
				require.True(t, ok)
				require.Equal(t, harness.NodeNames(5), about.Nodes)
				require.FileExists(t, filepath.Join(test.Dir, history.TestFile))
				log, err := os.ReadFile(filepath.Join(test.Dir, history.LogDir, "n1.log"))
				require.NoError(t, err)
				require.Contains(t, string(log), "leader 1")
			})
		})
	}
}

// Every mistake of the cluster, of the fleet and of the run shows in the verdict of the checker
// whose business it is.
func TestMistakesShow(t *testing.T) {
	for name, c := range map[string]struct {
		mistakes harnesstest.Mistakes
		nemesis  string
		checker  string
		verdict  checkers.Verdict
		why      string
	}{
		"stale reads":  {harnesstest.Mistakes{StaleReads: true}, "none", "linear", checkers.Invalid, "not linearizable"},
		"lost writes":  {harnesstest.Mistakes{LoseWrites: true}, "none", "linear", checkers.Invalid, "not linearizable"},
		"two leaders":  {harnesstest.Mistakes{TwoLeaders: true}, "none", "leader", checkers.Invalid, "term 1 has 5 leaders"},
		"blind cuts":   {harnesstest.Mistakes{BlindCuts: true}, "partition", "progress", checkers.Unknown, "not confirmed to act"},
		"no recovery":  {harnesstest.Mistakes{NoRecovery: true}, "kill@one", "progress", checkers.Unknown, "did not recover"},
		"no liveness":  {harnesstest.Mistakes{NoRecovery: true}, "kill@one", "recovery", checkers.Invalid, "the cluster does not serve: "},
		"a node exits": {harnesstest.Mistakes{Exits: true}, "none", "progress", checkers.Unknown, "n1 ended by itself"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, results, err := run(t, t.Context(), aTest(t, harnesstest.New(c.mistakes), c.nemesis))
				require.NoError(t, err)
				require.Equal(t, c.verdict, results[c.checker].Verdict, results[c.checker].Why)
				require.Contains(t, results[c.checker].Why, c.why)
			})
		})
	}
}

// A heal that fails ends the run: a cluster in an unknown state is not measured.
func TestAStuckHealEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{StuckHeals: true})
		start := time.Now()
		_, results, err := run(t, t.Context(), aTest(t, fake, "partition:halves"))
		require.ErrorContains(t, err, "heal partition:halves: ")
		require.ErrorContains(t, err, "the scissors are stuck")
		require.Less(t, time.Since(start), 10*time.Second)
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
		require.Contains(t, results["progress"].Why, "never healed")
		require.True(t, fake.Closed)
	})
}

func TestAFailedLaunchIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{LaunchFails: true})
		_, results, err := run(t, t.Context(), aTest(t, fake, "mix"))
		require.ErrorContains(t, err, "launch n")
		require.ErrorContains(t, err, "out of paper")
		require.Contains(t, results["progress"].Why, "never served")
	})
}

// An interrupted run is healed, closed and recorded to its end.
func TestInterruptionHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		h, results, err := run(t, ctx, aTest(t, fake, "partition:halves@leader=20s/1s"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 8*time.Second)
		require.NoError(t, h.Notes().Err())
		faults := h.Notes().Faults
		require.NotEmpty(t, faults)
		for _, f := range faults {
			require.NotEqual(t, history.Never, f.Healed)
		}
		require.True(t, fake.Closed)
		require.Equal(t, checkers.Valid, results["linear"].Verdict)
		require.Equal(t, checkers.Unknown, results["progress"].Verdict, "it was cut short")
	})
}

// Two runs of one seed make the same faults; another seed makes others.
func TestTheSeedDecidesFaults(t *testing.T) {
	faults := func(seed uint64) (list []string) {
		synctest.Test(t, func(t *testing.T) {
			test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "mix")
			test.Seed = seed
			h, _, err := run(t, t.Context(), test)
			require.NoError(t, err)
			for _, f := range h.Notes().Faults {
				list = append(list, f.F+string(f.FaultEvent.Fault))
			}
		})
		return list
	}
	first, again := faults(1), faults(1)
	require.Equal(t, first, again)
	require.NotEqual(t, first, faults(2))
}

// All clients together keep the rate.
func TestTheRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none"))
		require.NoError(t, err)
		calls := 0
		for range h.Ops() {
			calls++
		}
		require.InDelta(t, 200*30, calls, 600)
	})
}

// After a call in doubt the process is another one, and the connection is new. The history
// itself refuses processes that go on, so reading it proves the former.
func TestProcessesRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "partition:halves=4s/1s"))
		require.NoError(t, err)
		infos, most := 0, 0
		for op := range h.Ops() {
			most = max(most, op.Call.Process)
			if op.Return.Kind == history.Info {
				infos++
				require.NotEqual(t, "read", op.Call.F, "a read that fails has failed")
			}
		}
		require.NotZero(t, infos)
		require.Greater(t, most, 15)
	})
}

func TestProgressIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "kill@leader")
		var seen []harness.Progress
		test.Progress = func(p harness.Progress) { seen = append(seen, p) }
		_, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		last := seen[len(seen)-1]
		require.Greater(t, last.OK, int64(1000))
		require.NotEmpty(t, last.Leader)
		require.Greater(t, last.Term, uint64(1))
		var faults []string
		for _, p := range seen {
			faults = append(faults, p.Faults...)
		}
		require.Contains(t, faults, "kill")
	})
}

func TestTestsAreValidated(t *testing.T) {
	fake := harnesstest.New(harnesstest.Mistakes{})
	require.NoError(t, aTest(t, fake, "mix").Validate())
	for want, spoil := range map[string]func(*harness.Test){
		"needs a target":             func(t *harness.Test) { t.Target = nil },
		"0 nodes":                    func(t *harness.Test) { t.Nodes = 0 },
		"0 clients":                  func(t *harness.Test) { t.Clients = 0 },
		"a rate of -1":               func(t *harness.Test) { t.Rate = -1 },
		"a time limit of 0s":         func(t *harness.Test) { t.TimeLimit = 0 },
		"operation timeout of 0s":    func(t *harness.Test) { t.OpTimeout = 0 },
		"timeouts for launch":        func(t *harness.Test) { t.RecoverTimeout = 0 },
		"a fault that is held for 0": func(t *harness.Test) { t.Lanes[0].Hold = 0 },
		"a rest of -1":               func(t *harness.Test) { t.Lanes[0].Rest = -1 },
		"is missing":                 func(t *harness.Test) { t.Lanes[0].Nemesis = nil },
	} {
		test := aTest(t, fake, "mix")
		spoil(test)
		require.ErrorContains(t, test.Validate(), want)
		require.Error(t, harness.Run(t.Context(), test))
	}
	test := aTest(t, fake, "mix")
	test.Dir = ""
	require.ErrorContains(t, harness.Run(t.Context(), test), "a directory")
}

// A lane whose nemesis finds nobody to hit does not hold its last fault for good.
func TestALaneDoesNotStick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "pause@all=300ms/0s"))
		require.NoError(t, err)
		require.NoError(t, h.Notes().Err())
		faults := h.Notes().Faults
		require.Greater(t, len(faults), 5)
	})
}

// A cluster that takes longer to come to itself than there is time for is waited for: whether it does
// is what the run is about.
func TestTheHealedClusterIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{SlowToElect: 5 * time.Second})
		test := aTest(t, fake, "partition:halves")
		test.RecoverTimeout, test.MinRate = 20*time.Second, 5
		_, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.Equal(t, checkers.Valid, results["progress"].Verdict, results["progress"].Why)
	})
}

// panics is a workload with a mistake in it.
type panics struct{ harness.Workload }

func (p panics) Next(r *rand.Rand, t harness.Turn) harness.Call {
	if t.Seq == 3 {
		panic("it was not meant to be")
	}
	return p.Workload.Next(r, t)
}

// A mistake in a goroutine of the run ends the run, and not the program: all is healed and removed.
func TestAPanicEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		test := aTest(t, fake, "partition")
		test.Workload = panics{test.Workload}
		_, results, err := run(t, t.Context(), test)
		require.ErrorContains(t, err, "a worker crashed: it was not meant to be")
		require.NotErrorIs(t, err, context.Canceled, "nobody has interrupted it")
		require.True(t, fake.Closed)
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
	})
}

// A cut that let something pass after it was confirmed is an error of the run.
func TestACutThatLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fake := launched(t, harnesstest.Mistakes{LeakyCuts: true})
		defer c.Close()
		in := c.NewInjection()
		l := harness.Link{From: "n1", To: "n2"}
		require.NoError(t, doCut(t.Context(), in, l))
		require.ErrorContains(t, in.Heal(t.Context()), "link n1>n2 was cut, and 1 bytes have passed it")
		require.False(t, fake.Cut(l), "it is mended all the same")
	})
}

// Counters that begin anew are no bytes that have passed.
func TestCountersThatBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := launched(t, harnesstest.Mistakes{NewCounters: true})
		defer c.Close()
		in := c.NewInjection()
		require.NoError(t, doCut(t.Context(), in, harness.Link{From: "n1", To: "n2"}))
		err := in.Heal(t.Context())
		require.ErrorContains(t, err, "the counters of link n1>n2 began anew while it was cut")
		require.NotContains(t, err.Error(), "bytes have passed")
	})
}

// A deed that did nothing, and says so, is no fault; the history says that too.
func TestDeedsThatDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{NeverPauses: true}), "pause@one"))
		require.NoError(t, err)
		for _, f := range h.Notes().Faults {
			require.True(t, f.Nothing)
			require.False(t, f.Confirmed)
		}
		require.Contains(t, results["progress"].Why, "were not confirmed to act: pause at")
		require.Contains(t, results["progress"].Why, "unable to freeze")
	})
}

// What somebody else did to the cluster is named, and nobody takes it for something that the cluster did.
func TestMeddlingIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{Meddled: true}), "none"))
		require.ErrorContains(t, err, "somebody else has laid hands on the cluster: n2 was disconnected")
		require.Equal(t, checkers.Unknown, results["recovery"].Verdict)
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
	})
}

// States that had diverged, and were the same again at the end, are found all the same; so is the revision at which
// that began.
func TestStatesAreComparedAroundHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{DivergedAt: 700, HealedAt: 1500})
		h, results, err := run(t, t.Context(), aTest(t, fake, "pause@one"))
		require.NoError(t, err)
		require.Equal(t, checkers.Invalid, results["state"].Verdict, results["state"].Why)
		require.Contains(t, results["state"].Why, "states have diverged: at revision 700, ")
		require.Contains(t, results["state"].Why, "it is the first revision that differs")
		last := h.Notes().Hashes[len(h.Notes().Hashes)-1]
		require.NotEqual(t, "something else", last.What.Sum)
	})
	synctest.Test(t, func(t *testing.T) {
		_, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "pause@one"))
		require.NoError(t, err)
		require.Equal(t, checkers.Valid, results["state"].Verdict, results["state"].Why)
		require.NotContains(t, results["state"].Why, " 0 of them before the last heal")
	})
}

// States that have diverged are found by their hashes, and nothing else.
func TestDivergedStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{Diverged: true}), "mix"))
		require.NoError(t, err)
		require.Equal(t, checkers.Invalid, results["state"].Verdict)
		require.Contains(t, results["state"].Why, "at revision")
		require.Equal(t, checkers.Valid, results["linear"].Verdict)
	})
}

// A system without leaders is launched, broken, healed and valid; and who aims at a leader is told that there is none.
func TestALeaderlessCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		test := aTest(t, fake, "mix")
		test.Target = harnesstest.Leaderless{Fake: fake}
		test.About.Checkers = append([]string{"linear"}, checkers.Always()...)
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		for name, r := range results {
			require.Equal(t, checkers.Valid, r.Verdict, "%s: %s", name, r.Why)
		}
		require.Empty(t, h.Notes().Claims)
		require.Empty(t, h.Notes().Statuses)
		require.NotEmpty(t, h.Notes().Faults)

		test = aTest(t, fake, "kill@leader")
		test.Target = harnesstest.Leaderless{Fake: fake}
		require.ErrorContains(t, test.Validate(), "nemesis kill@leader needs leader, which the target does not have")
	})
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{NeverServes: true})
		test := aTest(t, fake, "none")
		test.Target = harnesstest.Leaderless{Fake: fake}
		_, _, err := run(t, t.Context(), test)
		require.ErrorContains(t, err, "is not ready: it reaches no majority")
	})
}

// What target and fleet cannot do is refused before anything starts.
func TestNeedsAreValidated(t *testing.T) {
	fake := harnesstest.New(harnesstest.Mistakes{})
	test := aTest(t, fake, "mix")
	test.Target, test.Fleet = harnesstest.Leaderless{Fake: fake}, wired{fake}
	require.ErrorContains(t, test.Validate(), "nemesis mix needs link.cut, which the fleet does not have")
	test = aTest(t, fake, "mix")
	test.Workload = needy{test.Workload}
	require.ErrorContains(t, test.Validate(), "the workload needs txn, which the target does not have")
	require.ErrorIs(t, test.Validate(), harness.ErrUnsupported)
}

// wired is a fleet that cannot cut links.
type wired struct{ *harnesstest.Fake }

func (w wired) Can() []harness.Capability {
	return []harness.Capability{harness.NodeKill, harness.NodePause}
}

type needy struct{ harness.Workload }

func (needy) Needs() []harness.Capability { return []harness.Capability{"txn"} }

// Who is a member is a fact of the history: who has left is neither waited for nor looked at in the end, and a quorum is one
// of those that are there.
func TestMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		test := aTest(t, fake, "none")
		test.Deeds = nemesis.Default().Deeds()
		test.Deeds["remove"] = harness.DeedKind{
			About: "take members out of the cluster, and end them",
			Takes: func(d harness.Deed) (history.Takes, error) { return history.Takes{}, nil },
			Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
				in.Saw("members", len(in.Members())-len(d.Nodes))
				if err := in.SetMembers("n1", "n2", "n3"); err != nil {
					return err
				}
				fake.Leave(d.Nodes...)
				return nil // they do not come back
			},
		}
		two := []string{"n4", "n5"}
		test.Schedule = &harness.Schedule{Version: 1, Faults: []harness.Scheduled{
			{At: harness.Time(5 * time.Second), For: harness.Time(time.Second), Fault: &harness.Fault{
				Family: "members", Nodes: two, Deeds: []harness.Deed{{Kind: "remove", Nodes: two}},
			}},
			{At: harness.Time(10 * time.Second), For: harness.Time(2 * time.Second), Fault: &harness.Fault{
				Family: "kill", Nodes: []string{"n2"}, Deeds: []harness.Deed{{Kind: "kill", Nodes: []string{"n2"}}},
			}},
		}}
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		for name, r := range results {
			require.Equal(t, checkers.Valid, r.Verdict, "%s: %s", name, r.Why)
		}
		n := h.Notes()
		load, _ := n.Phase(history.PhaseLoad)
		require.Equal(t, harness.NodeNames(5), n.MembersAt(load.From+4*time.Second))
		require.Equal(t, harness.NodeNames(3), n.MembersAt(load.From+6*time.Second))
	})
}

// A deed that crashes ends the run, which is healed, and not the program.
func TestADeedThatCrashesEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := harnesstest.New(harnesstest.Mistakes{})
		test := aTest(t, fake, "none")
		test.Deeds = harness.Deeds{"crash": {
			About: "crash", Takes: func(harness.Deed) (history.Takes, error) { return history.Takes{}, nil },
			Do: func(ctx context.Context, in *harness.Injection, d harness.Deed) error {
				return in.Hold(ctx, harness.State{
					Name: "crashed", Enter: func(context.Context, harness.Node) error { panic("it was not meant to be") },
					Leave: func(context.Context, harness.Node) error { return nil },
				}, "n1")
			},
		}}
		test.Schedule = &harness.Schedule{Version: 1, Faults: []harness.Scheduled{{
			At: harness.Time(time.Second), For: harness.Time(time.Second),
			Fault: &harness.Fault{Family: "crash", Deeds: []harness.Deed{{Kind: "crash"}}},
		}}}
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err, "the fault is not confirmed")
		require.Contains(t, h.Notes().Faults[0].Err, "the deed crashed: it was not meant to be")
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
		require.True(t, fake.Closed)
	})
}

// A fault of two deeds, of which one found nothing to do, has acted; each has its own evidence.
func TestAFaultOfTwoDeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Deeds = nemesis.Default().Deeds()
		second := harness.Time(time.Second)
		kill := harness.Deed{Kind: "kill", Nodes: []string{"n3"}}
		test.Schedule = &harness.Schedule{Version: 1, Faults: []harness.Scheduled{
			{At: second, For: 5 * second, Fault: &harness.Fault{Family: "kill", Deeds: []harness.Deed{kill}}},
			{At: 2 * second, For: second, Fault: &harness.Fault{Family: "both", Deeds: []harness.Deed{
				{Kind: "pause", Nodes: []string{"n2"}}, kill,
			}}},
			{At: 10 * second, For: second, Fault: &harness.Fault{Family: "two", Deeds: []harness.Deed{
				kill, {Kind: "kill", Nodes: []string{"n4"}},
			}}},
		}}
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		faults := h.Notes().Faults
		require.False(t, faults[1].Nothing, "n2 was paused")
		require.False(t, faults[1].Confirmed, "and n3 was not killed by it")
		require.JSONEq(t, `{"killed":["n3"],"killed_2":["n4"]}`, string(faults[2].Evidence))
	})
}

// A fault of a schedule that is never begun is one that did not act: what was planned, and did not happen, proves nothing.
func TestAMissedFaultIsNoPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := nemesis.Default().ParseSchedule([]byte("faults: [at 1s kill n1 for 1s, 'when behind:100000000 kill n2 for 1s']"))
		require.NoError(t, err)
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Schedule, test.Deeds = s, nemesis.Default().Deeds()
		h, results, err := run(t, t.Context(), test)
		require.NoError(t, err)
		require.NoError(t, h.Notes().Err())
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
		require.Contains(t, results["progress"].Why, "it was never begun: behind:100000000 never fired")
	})
}

// A lane that waits for elections hits the leader after each, beginning with the one that there is.
func TestLanesWaitForEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{}), "kill@leader=500ms/1s/leader-elected/200ms"))
		require.NoError(t, err)
		faults := h.Notes().Faults
		require.Greater(t, len(faults), 10)
		for _, f := range faults {
			require.Less(t, f.Healing-f.InForce, time.Second, "it is held for as long as it is to be")
		}
	})
}
