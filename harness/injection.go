package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Injection is one fault in force: the means to bring it about, the evidence that it acts, and
// the stack of what undoes it. Each undoing is pushed before its deed, so that a deed that fails
// half-way is undone too.
type Injection struct {
	cluster *Cluster

	mu       sync.Mutex
	heals    []func(context.Context) error
	evidence map[string]any
	nothing  bool // it is known to have done nothing
}

// NewInjection returns an injection into the cluster that has done nothing yet.
func (c *Cluster) NewInjection() *Injection {
	return &Injection{cluster: c, evidence: map[string]any{}}
}

// OnHeal pushes an undoing. It is called once, and must bear that although the deed failed.
func (in *Injection) OnHeal(undo func(context.Context) error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.heals = append(in.heals, undo)
}

// Heal undoes everything, last in first out, whatever of it fails. A second call has nothing left
// to undo.
func (in *Injection) Heal(ctx context.Context) error {
	in.mu.Lock()
	heals := in.heals
	in.heals = nil
	in.mu.Unlock()
	var errs []error
	for _, undo := range slices.Backward(heals) {
		errs = append(errs, undo(ctx))
	}
	return errors.Join(errs...)
}

// Evidence returns what was seen of the fault, as JSON.
func (in *Injection) Evidence() (json.RawMessage, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return json.Marshal(in.evidence)
}

// DidNothing reports whether the fault is known to have done nothing at all.
func (in *Injection) DidNothing() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.nothing
}

func (in *Injection) saw(what string, seen any) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.evidence[what] = seen
}

// Kill ends nodes at once; healing starts them again. The fleet's Kill returns once the
// processes are gone, which is the evidence.
func (in *Injection) Kill(ctx context.Context, nodes ...string) error {
	in.OnHeal(func(ctx context.Context) error { return in.cluster.start(ctx, nodes) })
	hit, err := in.cluster.kill(ctx, nodes)
	return in.sawHit("kill", "killed", nodes, hit, err)
}

// sawHit records on which of the nodes that were aimed at a deed was done. If on none, because they
// were all down already, the fault did not happen.
func (in *Injection) sawHit(verb, done string, nodes []string, hit hits, err error) error {
	in.saw(done, hit.nodes)
	if missed := slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(hit.nodes, n) }); len(missed) > 0 && err == nil {
		in.saw("already_down", missed)
	}
	if len(hit.nodes) == 0 && hit.sure {
		in.mu.Lock()
		in.nothing = true
		in.mu.Unlock()
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", verb, err)
	case len(hit.nodes) == 0:
		return fmt.Errorf("%s: %v were all down already", verb, nodes)
	}
	return nil
}

// Pause stops nodes in their tracks; healing lets them go on. The fleet's Pause returns once
// the processes are seen to stand still.
func (in *Injection) Pause(ctx context.Context, nodes ...string) error {
	in.OnHeal(func(ctx context.Context) error { return in.cluster.resume(ctx, nodes) })
	hit, err := in.cluster.pause(ctx, nodes)
	return in.sawHit("pause", "paused", nodes, hit, err)
}

// Unplug pulls out nodes' networks; healing puts them back. The fleet's Unplug returns once the
// network is seen to be gone, which is the evidence.
func (in *Injection) Unplug(ctx context.Context, nodes ...string) error {
	in.OnHeal(func(ctx context.Context) error { return in.cluster.plug(ctx, nodes) })
	hit, err := in.cluster.unplug(ctx, nodes)
	return in.sawHit("unplug", "unplugged", nodes, hit, err)
}

// probeTimeout is how long an impaired link may take to be seen losing something. Nodes that talk
// at all do so many times in this time.
const probeTimeout = 2 * time.Second

// Cut makes links lose everything; healing mends them. It returns once every link was seen to
// lose something, except those that have nobody to send on them.
func (in *Injection) Cut(ctx context.Context, links ...Link) error {
	return in.impair(ctx, "cut", Impairment{Drop: true}, links)
}

// Lose makes links lose a share of what is sent on them, from 0 to 1, packet by packet at random;
// healing mends them. It returns once every link was seen to lose something, as Cut does.
func (in *Injection) Lose(ctx context.Context, share float64, links ...Link) error {
	return in.impair(ctx, "lose", Impairment{Loss: share}, links)
}

func (in *Injection) impair(ctx context.Context, verb string, i Impairment, links []Link) error {
	before, err := in.cluster.fleet.Traffic(ctx, links)
	if err != nil {
		return fmt.Errorf("%s: %w", verb, err) // nothing is impaired, so nothing is to be mended
	}
	var confirmed map[Link]Traffic
	in.OnHeal(func(ctx context.Context) error {
		return errors.Join(in.leaked(ctx, i, confirmed), in.cluster.mend(ctx, i, links))
	})
	decided := time.Now()
	if err := in.cluster.impair(ctx, i, links); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	in.saw("in_force_after_ms", float64(time.Since(decided).Microseconds())/1000)
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := in.probe(ctx, links)
		if err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		silent, idle, lost := in.sort(links, before, now)
		in.saw("dropped_bytes", lost)
		in.saw("sender_down", idle)
		switch {
		case len(silent) == 0 && len(lost) > 0:
			confirmed = now
			return nil
		case len(silent) == 0:
			return fmt.Errorf("%s: not confirmed, since nobody sends on these links: %v", verb, idle)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: nothing was lost on %v within %v", verb, silent, probeTimeout)
		case <-tick.C:
		}
	}
}

// leaked says which of the links that were cut have let something pass since that was confirmed. Whatever
// the reason, what was recorded of them is not what happened.
func (in *Injection) leaked(ctx context.Context, i Impairment, confirmed map[Link]Traffic) error {
	if !i.Drop || confirmed == nil {
		return nil
	}
	links := slices.Collect(maps.Keys(confirmed))
	now, err := in.cluster.fleet.Traffic(ctx, links)
	if err != nil {
		return err
	}
	for _, l := range links {
		switch before, after := confirmed[l], now[l]; {
		case after.Passed < before.Passed || after.Dropped < before.Dropped:
			err = errors.Join(err, fmt.Errorf("the counters of link %v began anew while it was cut: somebody else has restarted what counts, and the cut may have been gone", l))
		case after.Passed > before.Passed:
			err = errors.Join(err, fmt.Errorf("link %v was cut, and %d bytes have passed it", l, after.Passed-before.Passed))
		}
	}
	return err
}

// probe sends something over the links, if the fleet can, and returns what the links have seen.
func (in *Injection) probe(ctx context.Context, links []Link) (map[Link]Traffic, error) {
	if p, ok := in.cluster.fleet.(Prober); ok {
		if err := p.Probe(ctx, links); err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
	}
	return in.cluster.fleet.Traffic(ctx, links)
}

// sort tells impaired links that lost something since before from those that did not, and from
// those on which nobody sends: a link that lost nothing because its sender is down, or because the
// network of either end is gone, proves nothing and disproves nothing.
func (in *Injection) sort(links []Link, before, now map[Link]Traffic) (silent, idle []string, lost map[string]uint64) {
	up := in.cluster.up()
	unplugged := in.cluster.unplugged()
	lost = make(map[string]uint64)
	for _, l := range links {
		switch was, is := before[l].Dropped, now[l].Dropped; {
		case is > was:
			lost[l.String()] = is - was
		case slices.Contains(up, l.From) && !slices.Contains(unplugged, l.To):
			silent = append(silent, l.String())
		default:
			idle = append(idle, l.String())
		}
	}
	slices.Sort(silent)
	slices.Sort(idle)
	return silent, idle, lost
}
