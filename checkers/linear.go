package checkers

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/sunder-dev/sunder/checkers/register"
	"github.com/sunder-dev/sunder/harness/history"
)

// linear checks that the operations on each key are linearizable (Herlihy and Wing 1990): there is
// an order of them that a single register would answer in the same way, and in which whatever
// ended before another began comes first. Linearizability is local, so keys are checked apart, each
// by the fastest engine that is exact for it (package register; docs/checking.md).
type linear struct {
	Options
	// model is [modelRegister] if operations of other models are to be passed over; otherwise there must not be any.
	model string
}

// maxTimelines bounds how many keys are explained; the others are counted.
const maxTimelines = 3

// maxExplain bounds the time to cut violations down and to have them confirmed. It is part of the checker's time, of
// which a tenth and half a second are kept for it.
const (
	maxExplain  = 30 * time.Second
	leastMargin = 500 * time.Millisecond
)

// firstConfigs is how many configurations a search may visit at first, so that one hard key does not hold up
// a thousand easy ones.
const firstConfigs = 1 << 16

// Check implements [Checker].
func (l linear) Check(ctx context.Context, h *history.History) Result {
	start := time.Now()
	keys, err := registers(h, l.Initial, l.model)
	if err != nil {
		return Result{Verdict: Unknown, Why: err.Error()}
	}
	if len(keys) == 0 {
		return Result{Verdict: Unknown, Why: "there are no operations on registers"}
	}
	timed, stop := context.WithDeadline(ctx, start.Add(l.Time))
	defer stop()
	w := newWitness(h, history.ValueOf(l.Initial))
	decisions := l.decide(timed, keys, w)

	var bad, open []int
	ops, definite, written, readBack := 0, 0, 0, 0
	for i, k := range keys {
		ops += len(k.ops)
		for j := range k.ops {
			o := &k.ops[j]
			if o.Action == register.Write || o.Action == register.Swap {
				written++
			}
			if o.Return == register.Never {
				continue
			}
			definite++
			if o.Action == register.Read && o.Value != register.Absent || o.Action == register.Swap && o.Old != register.Absent {
				readBack++
			}
		}
		switch decisions[i].Result {
		case porcupine.Illegal:
			bad = append(bad, i)
		case porcupine.Ok:
		default:
			open = append(open, i)
		}
	}
	switch {
	case len(bad) > 0:
		ctx, stop := context.WithDeadline(ctx, start.Add(l.Time+l.Time/10+leastMargin))
		defer stop()
		r := l.explain(ctx, h, w, keys, decisions, bad)
		if t, ok := h.Test(); ok && t.Caveat != "" {
			r.Why += "; " + clip(t.Caveat, maxText)
		}
		return remarked(r, h)
	case len(open) > 0:
		return Result{Verdict: Unknown, Why: undecided(keys, decisions, open)}
	}
	switch {
	case definite == 0:
		return Result{Verdict: Unknown, Why: "no operation is known to have happened, so that nothing was " +
			"seen: give calls more time (--op-timeout)"}
	case written == 0:
		return Result{
			Verdict: Unknown,
			Why: fmt.Sprintf(
				"nothing was written, so that %s proved nothing: let clients write, too",
				count(ops, "operation"),
			),
		}
	case readBack == 0:
		return Result{
			Verdict: Unknown,
			Why: fmt.Sprintf(
				"no value that was written was ever read back, so that %s proved nothing: let clients read the keys that "+
					"they write",
				count(ops, "operation"),
			),
		}
	}
	return remarked(
		Result{
			Verdict: Valid,
			Why: fmt.Sprintf(
				"%s on %s are linearizable (%s), by an order that was replayed",
				count(ops, "operation"),
				count(len(keys), "key"),
				engines(decisions),
			),
		},
		h,
	)
}

// remarked adds what was read in another way than it may have been meant.
func remarked(r Result, h *history.History) Result {
	for _, remark := range h.Remarks() {
		r.Why += "; " + remark
	}
	return r
}

// decide decides keys side by side, one a processor: first all of them with little effort, and then what is
// left, the smallest first. An order that does not explain what was recorded explains nothing.
func (l linear) decide(ctx context.Context, keys []*keyed, w *witness) []register.Decision {
	decisions := make([]register.Decision, len(keys))
	var done atomic.Int64
	round := func(which []int, configs int) {
		workers := min(runtime.GOMAXPROCS(0), len(which))
		limits := register.Limits{Configs: configs, Memory: max(1, int64(l.Memory)/int64(workers))}
		var next atomic.Int64
		var wait sync.WaitGroup
		for range workers {
			wait.Go(func() {
				for n := next.Add(1); int(n) <= len(which); n = next.Add(1) {
					i := which[n-1]
					decisions[i] = decideSafely(ctx, keys[i], l.Engine, limits, w)
					if d := &decisions[i]; configs == 0 || !d.Limited {
						l.progress("linear", int(done.Add(1)), len(keys))
					}
				}
			})
		}
		wait.Wait()
	}
	all := make([]int, len(keys))
	for i := range all {
		all[i] = i
	}
	round(all, firstConfigs)
	hard := slices.DeleteFunc(all, func(i int) bool { return !decisions[i].Limited })
	if len(hard) > 0 && ctx.Err() == nil {
		slices.SortStableFunc(hard, func(a, b int) int { return cmp.Compare(len(keys[a].ops), len(keys[b].ops)) })
		round(hard, 0)
	}
	return decisions
}

// decideSafely decides a key on a goroutine of its own, where a crash would take the process with it.
func decideSafely(
	ctx context.Context,
	k *keyed,
	engine register.Engine,
	limits register.Limits,
	w *witness,
) (d register.Decision) {
	defer func() {
		if p := recover(); p != nil {
			d = register.Decision{Result: porcupine.Unknown, Engine: engine, Why: fmt.Sprintf("the engine crashed: %v", p)}
		}
	}()
	d = register.Decide(ctx, k.ops, engine, limits)
	if d.Result == porcupine.Ok {
		if err := w.replays(k, d.Order); err != nil {
			return register.Decision{
				Result: porcupine.Unknown,
				Engine: d.Engine,
				Why: fmt.Sprintf(
					"the order that was found explains nothing (%v): that is a mistake of sunder; please report it with this history",
					err,
				),
			}
		}
		d.Order = nil // it may be long, and has done what it is for
	}
	return d
}

// undecided names keys that are, their sizes, and why.
func undecided(keys []*keyed, decisions []register.Decision, open []int) string {
	var list []string
	for _, i := range open[:min(len(open), 5)] {
		list = append(
			list,
			fmt.Sprintf(
				"%s (%s, engine %s: %s)",
				named(keys[i].name),
				count(len(keys[i].ops), "operation"),
				decisions[i].Engine,
				decisions[i].Why,
			),
		)
	}
	if len(open) > len(list) {
		list = append(list, "…")
	}
	return fmt.Sprintf("%d of %s are undecided: %s", len(open), count(len(keys), "key"), strings.Join(list, ", "))
}

// engines says how many keys each engine decided.
func engines(decisions []register.Decision) string {
	n := make(map[register.Engine]int)
	for _, d := range decisions {
		n[d.Engine]++
	}
	var used []string
	for _, e := range register.Engines() {
		switch {
		case n[e] > 0 && len(n) == 1:
			used = append(used, fmt.Sprintf("by engine %s", e))
		case n[e] > 0:
			used = append(used, fmt.Sprintf("%d by engine %s", n[e], e))
		}
	}
	return strings.Join(used, ", ")
}

// explain cuts the keys that cannot be explained down to what shows it.
func (l linear) explain(
	ctx context.Context,
	h *history.History,
	w *witness,
	keys []*keyed,
	decisions []register.Decision,
	bad []int,
) Result {
	ctx, stop := context.WithTimeout(ctx, maxExplain)
	defer stop()
	r := Result{Verdict: Invalid}
	limits := register.Limits{Configs: firstConfigs, Memory: max(1, int64(l.Memory))}
	var refuted []string
	shown := 0
	for _, i := range bad {
		if shown == maxTimelines {
			break
		}
		k, d := keys[i], decisions[i]
		proof := l.prove(ctx, k, d, limits)
		judged := w.judge(ctx, proof)
		if judged == porcupine.Ok {
			refuted = append(
				refuted,
				fmt.Sprintf(
					"engine %s and porcupine differ on %s of %s: that is a mistake of sunder; please report it with this history",
					d.Engine,
					count(len(proof.Ops), "operation"),
					named(k.name),
				),
			)
			continue
		}
		line := newTimeline(ctx, h, k, d, proof)
		line.Confirmed = judged == porcupine.Illegal
		if shown++; shown == 1 {
			r.Why = line.sentence()
		}
		for _, o := range line.Ops {
			r.Ops = append(r.Ops, o.Index)
		}
		r.Attach = append(r.Attach, attach(KindTimeline, line)...)
	}
	if shown == 0 {
		return Result{Verdict: Unknown, Why: strings.Join(refuted, "; ")}
	}
	if more := len(bad) - len(refuted) - 1; more > 0 {
		r.Why += fmt.Sprintf("; %d more of %s are not linearizable either", more, count(len(keys), "key"))
	}
	if len(refuted) > 0 {
		r.Why += "; and " + strings.Join(refuted, "; ")
	}
	return r
}

// prove leaves a part of the time to have the proof confirmed, and to say what would have been legal.
func (l linear) prove(ctx context.Context, k *keyed, d register.Decision, limits register.Limits) register.Proof {
	if end, ok := ctx.Deadline(); ok {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Until(end)*2/3)
		defer stop()
	}
	return register.Prove(ctx, k.ops, d, limits)
}

// named is a key for a sentence: it may have no name, or one that a target or another tool made up.
func named(key string) string {
	if key == "" {
		return "the key without a name"
	}
	return "key " + quoted(key)
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
