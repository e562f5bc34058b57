package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/harness/waypoint"
)

// healTimeout bounds the undoing of all faults.
const healTimeout = 30 * time.Second

// run is a test under way.
type run struct {
	*Test
	cluster *Cluster
	log     *history.Log
	observe *observer
	compare comparer
	start   time.Time

	calls          atomic.Int64
	ok, fail, info atomic.Int64
	seen           sync.Map // key -> json.RawMessage: what was last seen there
	faults         faultBoard
	events         events
	phase          atomic.Value // history.Phase
	found          atomic.Pointer[history.Finding]
	abort          context.CancelCauseFunc
	endLoad        context.CancelFunc // before its time
	loadBegan      time.Time
	waypoints      *waypoint.Tracker
	monotonic      int64 // the machine's clock at the start
}

// crashed is deferred in every goroutine of the run. It makes a panic the end of the run, which is healed
// and leaves nothing behind as always.
func (r *run) crashed(who string) {
	if p := recover(); p != nil {
		r.abort(fmt.Errorf("%s crashed: %v\n%s", who, p, debug.Stack()))
	}
}

// Run makes the test and leaves its history in the run directory. The history is there, and is
// worth checking, whatever the error: a test that ctx interrupts is healed and recorded to its
// end first. Checking is not its business.
func Run(ctx context.Context, t *Test) (err error) {
	if err := t.Validate(); err != nil {
		return err
	}
	if t.Fleet == nil || t.Dir == "" {
		return errors.New("a test needs a fleet and a directory to run")
	}
	file, err := newHistory(t.Dir)
	if err != nil {
		return err
	}
	r := &run{Test: t, start: time.Now(), monotonic: Monotonic()}
	ctx, r.abort = context.WithCancelCause(ctx)
	defer r.abort(nil)
	r.log = history.NewLog(file, func() time.Duration { return time.Since(r.start) })
	loading := r.loading(ctx)
	defer r.endLoad()
	if r.Judge != nil {
		r.log.Tell(r.Judge.See)
	}
	r.waypoints = waypoint.NewTracker()
	r.log.Tell(r.waypoints.See)
	if err := r.describe(); err != nil {
		return errors.Join(err, file.Close())
	}
	r.observe = newObserver(t.Target, r.log, &r.events, r.crashed)
	companions := t.companions()
	logs, err := openLogs(filepath.Join(t.Dir, history.LogDir), append(NodeNames(t.Nodes), companionNames(companions)...))
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r.cluster = NewCluster(t.Target, t.Fleet, NodeNames(t.Nodes), func(node string) {
		value, _ := json.Marshal(history.Exit{Log: logs[node].last()}) // strings
		r.log.Append(
			history.Event{
				Process: history.Observer,
				Kind:    history.Note,
				F:       history.FExit,
				Node:    node,
				Value:   value,
				Err:     "the process ended by itself",
			},
		)
	})
	r.cluster.OtherVersions, r.cluster.Sites, r.cluster.Companions = t.OtherVersions, t.Sites, companions
	r.cluster.OnMembers = func(nodes []string) { r.note(history.FMembers, history.Members{Nodes: nodes}) }
	r.cluster.LastWords = func(node string) []string { return logs[node].last() }
	defer func() { // also if something panics: nothing may be left behind
		err = errors.Join(err, r.cluster.Close(), logs.close(), r.log.Err(), file.Close())
	}()
	return r.phases(ctx, loading, logs)
}

// ErrNotBegun says that a run was not begun, and recorded nothing.
var ErrNotBegun = errors.New("the run was not begun")

// newHistory makes the history's file in a directory that has none: whoever judged the run would not know which is
// whose.
func newHistory(dir string) (*os.File, error) {
	for _, name := range history.Files() {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			err = errors.Join(fmt.Errorf("%s has the history of a run already: each run needs a directory of its own", dir), err)
			return nil, fmt.Errorf("%w: %w", ErrNotBegun, err)
		}
	}
	return os.OpenFile(filepath.Join(dir, history.File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// phases takes the run from launch to the last read. The load ends with loading, if that ends before its time.
func (r *run) phases(ctx, loading context.Context, logs nodeLogs) error {
	stopReports := r.report()
	defer stopReports()
	stopHeeding := r.heedJudge()
	defer stopHeeding()
	r.enter(history.PhaseLaunch)
	launch, cancel := context.WithTimeout(ctx, r.LaunchTimeout)
	defer cancel()
	if err := r.cluster.Launch(
		launch,
		r.Seed,
		func(node string) io.Writer {
			if slices.Contains(r.cluster.Nodes(), node) {
				return r.observe.tap(node, logs[node])
			}
			return r.heedCompanion(node, logs[node])
		},
	); err != nil {
		return errors.Join(err, r.inspect(ctx))
	}
	stopObserving := r.observe.poll(r.cluster)
	defer stopObserving()
	stopComparing := r.compare.start(r.observe, r.cluster)
	defer stopComparing()
	if err := r.cluster.Serving(launch); err != nil {
		return errors.Join(err, r.inspect(ctx))
	}

	r.enter(history.PhaseLoad)
	r.loadBegan = time.Now()
	workers := newWorkers(r)
	deadline := time.Now().Add(r.TimeLimit)
	machine := watchMachine(r.cluster.launched())
	stopLoad := r.load(ctx, workers)
	faultsErr := r.lanes(loading, ctx)
	r.enter(history.PhaseHeal)
	err := errors.Join(faultsErr, r.revive(ctx))
	if err == nil {
		r.calmDown(ctx, loading, deadline)
	}
	stopLoad()
	r.note(history.FMachine, machine())
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}

	r.enter(history.PhaseRecover)
	hurried := r.cutShort()
	recovery, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	served := r.cluster.Serving(recovery)
	if err := r.inspect(ctx); err != nil {
		return errors.Join(err, served) // whether it recovers says nothing of it then
	}
	switch {
	case served == nil:
		r.note(history.FRecovery, history.Recovery{Served: true})
		r.enter(history.PhaseFinal)
		r.finalCalls(ctx, workers)
	case !hurried: // otherwise it was not given the time that it may take
		r.note(history.FRecovery, history.Recovery{Why: served.Error()})
	}
	stopComparing()
	stopObserving()
	r.observe.last(ctx, r.cluster)
	r.observe.hashes(ctx, r.cluster)
	r.enter(history.PhaseEnd)
	return context.Cause(ctx)
}

// inspectTimeout bounds the look for what others did.
const inspectTimeout = 5 * time.Second

func (r *run) inspect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inspectTimeout)
	defer cancel()
	return r.cluster.Inspect(ctx)
}

// describe writes what the run is to test.json and as the first event.
func (r *run) describe() error {
	about := r.About
	about.Version, about.Started = 1, r.start.UTC()
	if c, ok := r.Target.(Caveater); ok {
		about.Caveat = c.Caveat()
	}
	if t, ok := r.Target.(Teller); ok {
		about.Tells = t.Tells()
	}
	if t, ok := r.Target.(Timed); ok {
		timing := t.Timing()
		about.Timing = &timing
	}
	if w, ok := r.Workload.(Operator); ok {
		for _, o := range w.Operations() {
			about.Operations = append(about.Operations, o.F)
			if o.ReadOnly {
				about.Reads = append(about.Reads, o.F)
			}
		}
	}
	about.Seed, about.Nodes, about.Clients = r.Seed, NodeNames(r.Nodes), r.Clients
	about.Companions = companionNames(r.companions())
	if about.Sites = r.Sites.Of(about.Nodes); about.Sites != nil {
		about.SitesApart = r.Sites.Apart
	}
	about.MinRate, about.RecoverWithin = r.MinRate, r.RecoverTimeout
	value, err := json.Marshal(about)
	if err != nil {
		return err
	}
	r.log.Append(history.Event{Process: history.Controller, Kind: history.Note, F: history.FTest, Value: value})
	pretty, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.Dir, history.TestFile), append(pretty, '\n'), 0o644)
}

func (r *run) enter(p history.Phase) {
	r.phase.Store(p)
	r.note(history.FPhase, p)
}

// note records something that the controller has to say.
func (r *run) note(f string, what any) {
	value, _ := json.Marshal(what) // strings and numbers
	r.log.Append(history.Event{Process: history.Controller, Kind: history.Note, F: f, Value: value})
}

// report calls Progress until stop is called.
func (r *run) report() (stop func()) {
	if r.Progress == nil {
		return func() {}
	}
	quit := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			leader, term := r.observe.leader()
			r.Progress(Progress{
				Phase: r.phase.Load().(history.Phase), Elapsed: time.Since(r.start),
				OK: r.ok.Load(), Fail: r.fail.Load(), Info: r.info.Load(),
				Faults: r.faults.names(), Leader: leader, Term: term, Finding: r.found.Load(),
			})
		}
	})
	return func() { close(quit); wait.Wait() }
}

// load lets the workers call until the function that it returns is called, or ctx ends. That function
// waits for the last calls.
func (r *run) load(ctx context.Context, workers []*worker) (stop func()) {
	loading, end := context.WithCancel(ctx)
	var wait sync.WaitGroup
	for _, w := range workers {
		wait.Go(func() {
			defer r.crashed("a worker")
			w.work(loading, ctx)
		})
	}
	return func() { end(); wait.Wait() }
}

// enoughCalm is how many calls should succeed on the healed cluster before the load ends: without
// them, nobody would know whether it came to itself again.
const enoughCalm = 20

// calmDown lets the load go on, on the healed cluster, to the time limit, and for as long as the cluster
// may take to recover if it does not serve by then.
func (r *run) calmDown(ctx, loading context.Context, deadline time.Time) {
	healed := r.ok.Load()
	if !sleep(loading, time.Until(deadline)) && ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	for r.ok.Load() < healed+enoughCalm && sleep(ctx, pollInterval) {
	}
}

// revive starts again what ended by itself.
func (r *run) revive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTimeout)
	defer cancel()
	return r.cluster.Revive(ctx)
}

// finalCalls makes the workload's last calls at every node, side by side. One that fails is made again, for
// as long as the cluster may take to recover: what nobody looks at in the end is not known to be there.
func (r *run) finalCalls(ctx context.Context, workers []*worker) {
	final, ok := r.Workload.(Finalizer)
	if _, holds := r.Workload.(Holding); holds && !ok {
		r.note(history.FLast, history.Last{Calls: []history.LastCall{}, Nothing: true}) // what is held is given up
	}
	if !ok {
		return
	}
	if s, ok := r.Workload.(Settling); ok && !sleep(ctx, s.Settle()) {
		return
	}
	calls := final.Final(int(r.calls.Load()))
	last := history.Last{Calls: []history.LastCall{}}
	for _, c := range calls {
		last.Calls = append(last.Calls, history.LastCall{F: c.F, Key: c.Key})
	}
	r.note(history.FLast, last)
	patient, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	var wait sync.WaitGroup
	members := r.cluster.Members()
	for i, node := range r.cluster.Nodes() {
		if !slices.Contains(members, node) {
			continue // it need not know anything any more
		}
		w := newWorker(r, len(workers)+i, i)
		wait.Go(func() {
			defer r.crashed("a last call")
			defer w.hangUp()
			for _, call := range calls {
				for !w.call(ctx, call) {
					if !sleep(patient, aimAgain) {
						return
					}
				}
			}
		})
	}
	wait.Wait()
}
