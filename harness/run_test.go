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
		Target: fake, Fleet: fake, Workload: workload, Lanes: lanes, Nodes: 5, OtherVersions: []string{"v2"}, Clients: 10, Rate: 200,
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

// What somebody else did to the cluster is named, and nobody takes it for something that the cluster did.
func TestMeddlingIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, results, err := run(t, t.Context(), aTest(t, harnesstest.New(harnesstest.Mistakes{Meddled: true}), "none"))
		require.ErrorContains(t, err, "somebody else has laid hands on the cluster: n2 was disconnected")
		require.Equal(t, checkers.Unknown, results["recovery"].Verdict)
		require.Equal(t, checkers.Unknown, results["progress"].Verdict)
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

// Who is a member is a fact of the history: who has left is neither waited for nor looked at in the end, and a quorum
// is one of those that are there.
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

// settling is a workload whose last calls wait.
type settling struct{ harness.Workload }

func (settling) Settle() time.Duration { return 7 * time.Second }

func (s settling) Final(calls int) []harness.Call { return s.Workload.(harness.Finalizer).Final(calls) }

// Where things end by themselves, the last calls come once they have: the cluster serves, and nobody calls meanwhile.
func TestLastCallsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := aTest(t, harnesstest.New(harnesstest.Mistakes{}), "none")
		test.Workload = settling{test.Workload}
		h, _, err := run(t, t.Context(), test)
		require.NoError(t, err)
		final, ok := h.Notes().Phase(history.PhaseFinal)
		require.True(t, ok)
		last := 0
		for op := range h.Ops() {
			if op.Call.At >= final.From {
				require.GreaterOrEqual(t, op.Call.At, final.From+7*time.Second)
				last++
			}
		}
		require.Positive(t, last)
	})
}
