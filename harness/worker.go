package harness

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// worker is one thread of calls. It makes one call at a time, at one node, as one process after
// another: a process that was left in doubt may yet act, so it never calls again.
type worker struct {
	*run
	index   int
	node    string // that it calls
	home    string // that it calls if nothing leads it elsewhere
	rand    *rand.Rand
	seq     int
	process int
	client  Client
	last    *Outcome
	refused int // calls in a row that a node refused, or that did not reach it
	habit   habit
}

func newWorkers(r *run) []*worker {
	workers := make([]*worker, r.Clients)
	for i := range workers {
		workers[i] = newWorker(r, i, i)
	}
	return workers
}

func newWorker(r *run, index, node int) *worker {
	places := r.places()
	home := places[node%len(places)]
	return &worker{
		run: r, index: index, node: home, home: home, process: index,
		rand: rand.New(rand.NewPCG(r.Seed, streamWorkers+uint64(index))), habit: r.habitOf(index),
	}
}

// stride is the distance between the processes of one worker: no two workers share a process.
func (r *run) stride() int { return r.Clients + r.Nodes }

// work makes calls until loading ends. A call that is under way then goes on to its end, unless
// running ends too.
func (w *worker) work(loading, running context.Context) {
	defer w.hangUp()
	var load Load
	var due time.Time
	for loading.Err() == nil {
		if now := w.loadNow(); now != load {
			load, due = now, w.pace(time.Now(), now)
		}
		wait := time.Until(due)
		if w.index >= load.Clients {
			wait = lookAgain
		}
		if wait > 0 { // the load may be another one by then
			if !sleep(loading, min(wait, lookAgain)) {
				return
			}
			if w.index >= load.Clients || wait > lookAgain {
				continue
			}
		}
		if node := w.wander(w.rand, load.Crowd, load.Node); node != w.node {
			w.hangUp()
			w.node = node
		}
		call := w.Workload.Next(w.rand, Turn{
			Worker: w.index, Seq: w.seq, Calls: int(w.calls.Load()), Elapsed: time.Since(w.loadBegan),
			Last: w.last, Seen: w.lastSeen,
		})
		w.seq++
		succeeded := w.call(running, call)
		if due = w.pace(due, load); succeeded {
			w.refused = 0
			continue
		}
		if !sleep(loading, backOff(w.refused)) {
			return
		}
		w.refused++
	}
}

// backOff is how long a client waits after so many failures in a row, and one: a node that is down refuses at once,
// and would otherwise be asked a thousand times a second.
func backOff(before int) time.Duration {
	const shortest, longest = 20 * time.Millisecond, 320 * time.Millisecond
	return min(shortest<<min(before, 10), longest)
}

// pace returns when the next call is due: on average so that all workers together keep the rate,
// spread at random so that they do not march in step. Time that was lost is not made up for.
func (w *worker) pace(last time.Time, load Load) time.Time {
	now := time.Now()
	if load.Rate == 0 {
		return now
	}
	interval := float64(load.Clients) / load.Rate * float64(time.Second) * 2 * w.rand.Float64()
	if next := last.Add(time.Duration(interval)); next.After(now) {
		return next
	}
	return now
}

func (w *worker) lastSeen(key string) (json.RawMessage, bool) {
	v, ok := w.seen.Load(key)
	if !ok {
		return nil, false
	}
	return v.(json.RawMessage), true
}

// call makes one call and records it. It reports false if the call did not succeed.
func (w *worker) call(ctx context.Context, call Call) bool {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(call.Timeout, w.OpTimeout))
	defer cancel()
	if w.client == nil {
		client, err := w.dial(ctx)
		if err != nil {
			return false // nothing was called
		}
		w.client = client
	}
	call.Process = w.process
	e := history.Event{Process: w.process, Kind: history.Invoke, F: call.F, Node: w.node, Key: call.Key, Value: call.Value}
	w.log.Append(e)
	answer, err := w.Workload.Invoke(ctx, w.client, call)
	e.Kind, e.Value, e.Err, e.Stamp = outcomeOf(call, err), answer.Value, "", answer.Stamp
	var refusal Refusal
	refused := errors.As(err, &refusal)
	switch {
	case refused:
		e.Err = refusal.Reason
	case e.Kind == history.Fail:
		e.Err, e.Value = err.Error(), nil // it has not happened
	case err != nil:
		e.Err = err.Error()
	case answer.Value != nil:
		w.seen.Store(call.Key, answer.Value)
	}
	w.log.Append(e)
	w.last = &Outcome{Call: call, Kind: e.Kind, Answer: answer, Err: err}
	w.held(w.index, w.node, *w.last)
	if e.Kind != history.Fail || refused {
		w.calls.Add(1) // what failed wears nothing out, however often it is tried
	}
	switch e.Kind {
	case history.OK:
		w.ok.Add(1)
		if !call.ReadOnly {
			w.events.wrote()
		}
	case history.Fail:
		w.fail.Add(1)
	default:
		w.info.Add(1)
		w.process += w.stride()
	}
	if err != nil && !refused {
		w.hangUp() // whatever is wrong with the connection, the next call has a new one
	}
	return err == nil || refused
}

// dial returns a new client, of the member or by the companion that the worker calls.
func (w *worker) dial(ctx context.Context) (Client, error) {
	dial := w.Target.Dial
	for _, c := range w.cluster.Companions {
		if c.Name == w.node {
			dial = c.Dial
		}
	}
	return dial(ctx, w.cluster.Node(w.node))
}

// outcomeOf draws the line between what failed and what is in doubt. An error is a maybe, unless
// it proves that nothing happened, or nothing could have.
func outcomeOf(call Call, err error) history.Kind {
	switch {
	case err == nil:
		return history.OK
	case call.ReadOnly || errors.Is(err, ErrNotApplied):
		return history.Fail
	default:
		return history.Info
	}
}

func (w *worker) hangUp() {
	if w.client != nil {
		_ = w.client.Close() // nothing of the client is used again
		w.client = nil
	}
}
