package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// impair adds what is wrong with links to what was wrong with them before, and brings them to the
// state that follows, all at once.
func (c *Cluster) impair(ctx context.Context, i Impairment, links []Link) error {
	return c.shape(ctx, links, func(l Link) { c.impaired[l] = append(c.impaired[l], i) })
}

// mend takes it away again.
func (c *Cluster) mend(ctx context.Context, i Impairment, links []Link) error {
	return c.shape(ctx, links, func(l Link) {
		if at := slices.Index(c.impaired[l], i); at >= 0 {
			c.impaired[l] = slices.Delete(c.impaired[l], at, at+1)
		}
	})
}

// shape changes what is known of links and brings those whose state is another one now to it.
func (c *Cluster) shape(ctx context.Context, links []Link, change func(Link)) error {
	c.shaping.Lock()
	defer c.shaping.Unlock()
	changed := make(map[Link]Impairment)
	c.mu.Lock()
	for _, l := range links {
		before := all(c.impaired[l])
		change(l)
		if after := all(c.impaired[l]); after != before {
			changed[l] = after
		}
	}
	c.mu.Unlock()
	if len(changed) == 0 {
		return nil
	}
	return c.fleet.(Shaper).Shape(ctx, changed)
}

// all returns what several impairments come to.
func all(impairments []Impairment) (sum Impairment) {
	for _, i := range impairments {
		sum = sum.And(i)
	}
	return sum
}

// probeTimeout is how long an impaired link may take to be seen losing something, or to be late. Nodes that talk
// at all do so many times in this time.
const probeTimeout = 2 * time.Second

// Impair makes links bad until the fault is healed, beside what other faults did to them. It returns once it was seen
// to act on every link, except on those that have nobody to send on them: what is to lose something has lost something,
// and what is to be late is measured.
func (in *Injection) Impair(ctx context.Context, i Impairment, links ...Link) error {
	shaper, ok := in.cluster.fleet.(Shaper)
	if !ok {
		return fmt.Errorf("this fleet does not shape links: %w", ErrUnsupported)
	}
	needs := i.Needs()
	if slices.Contains(ends(links), history.Clients) {
		needs = append(needs, ClientCut)
	}
	if err := Fit("this", needs, "the fleet", in.cluster.fleet.Can()); err != nil {
		return err
	}
	if i.Jitter > 0 && i.Delay == 0 {
		return errors.New("jitter is added to a delay: alone, it could not be seen")
	}
	if i.Delay > 0 { // what is slow now must not change while it is measured how much slower it becomes
		in.cluster.timing.Lock()
		defer in.cluster.timing.Unlock()
	}
	before, err := shaper.Traffic(ctx, links)
	if err != nil {
		return err // nothing is impaired, so nothing is to be mended
	}
	var timer Timer
	var took map[Link]time.Duration
	if i.Delay > 0 {
		if timer, ok = in.cluster.fleet.(Timer); !ok {
			return errors.New("not confirmed: the fleet cannot tell how long a link takes")
		}
		if took, err = in.usual(ctx, timer, links); err != nil {
			return err
		}
		if unknown := without(names(links), names(slices.Collect(maps.Keys(took)))); len(unknown) > 0 {
			in.saw("not_measured", unknown) // nobody can tell whether they are late
		}
	}
	var confirmed map[Link]Traffic // what went over links that are cut by the time that this was seen
	impaired := true               // or about to be
	in.OnHeal(func(ctx context.Context) error {
		if i.Delay > 0 {
			in.cluster.timing.Lock()
			defer in.cluster.timing.Unlock()
		}
		if !impaired { // another fault may have done the same, which is not ours to mend
			return nil
		}
		return errors.Join(leaked(ctx, shaper, i, confirmed), in.cluster.mend(ctx, i, links))
	})
	decided := time.Now()
	if err := in.cluster.impair(ctx, i, links); err != nil {
		return err
	}
	in.Saw("in_force_after_ms", milliseconds(time.Since(decided)))
	for _, sign := range signs(i) {
		now, err := in.see(ctx, shaper, sign, links, before)
		if err != nil {
			return err
		}
		if i.Drop {
			confirmed = now
		}
	}
	if i.Delay == 0 || i.Drop {
		return nil
	}
	err = in.seeLate(ctx, timer, i, took)
	if !errors.Is(err, errNotSeen) {
		return err
	}
	// What the links took before may have been measured while the machine stood still: once more.
	if err := in.cluster.mend(ctx, i, links); err != nil {
		return err
	}
	impaired = false
	if took, err = in.usual(ctx, timer, links); err != nil {
		return err
	}
	impaired = true
	if err := in.cluster.impair(ctx, i, links); err != nil {
		return err
	}
	return in.seeLate(ctx, timer, i, took)
}

// sign is what a link counts that is as bad as it is to be.
type sign struct {
	evidence string // under which the counts are recorded
	missing  string // what is said if there is none
	of       func(Traffic) uint64
	passing  bool // only what passes shows it: nothing on a link that is cut
}

// lost is the sign of what loses.
var lost = sign{"dropped_bytes", "nothing was lost", func(t Traffic) uint64 { return t.Dropped }, false}

// signs returns those of an impairment. A link that is cut shows nothing but what it loses; one that is late is
// measured.
func signs(i Impairment) (all []sign) {
	of := func(evidence, missing string, of func(Traffic) uint64) sign { return sign{evidence, missing, of, true} }
	if i.Drop {
		return []sign{lost}
	}
	for _, s := range []struct {
		wanted bool
		sign   sign
	}{
		{i.Loss > 0, lost},
		{i.Rate > 0, of("queued_packets", "nothing had to wait", func(t Traffic) uint64 { return t.Queued })},
		{i.Reorder > 0, of("overtaken_packets", "nothing was overtaken", func(t Traffic) uint64 { return t.Overtaken })},
		{i.Duplicate > 0, of("duplicated_packets", "nothing came twice", func(t Traffic) uint64 { return t.Duplicated })},
		{i.Corrupt > 0, of("corrupted_packets", "nothing was corrupted", func(t Traffic) uint64 { return t.Corrupted })},
	} {
		if s.wanted {
			all = append(all, s.sign)
		}
	}
	return all
}

// see waits until every link has counted some of a sign, and returns what went over them by then.
func (in *Injection) see(
	ctx context.Context,
	shaper Shaper,
	s sign,
	links []Link,
	before map[Link]Traffic,
) (now map[Link]Traffic, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	silent, idle := in.sort(links)
	unseen := links
	began := time.Now()
	err = in.watch(ctx, func() (done bool, err error) {
		if p, ok := in.cluster.fleet.(Prober); ok && time.Since(began) >= p.Patience() {
			if err := p.Probe(ctx, unseen); err != nil {
				return false, fmt.Errorf("probe: %w", err)
			}
			if p.Patience() > 0 {
				in.Saw("probed", names(unseen))
			}
		}
		if now, err = shaper.Traffic(ctx, links); err != nil {
			return false, err
		}
		counted := make(map[string]uint64)
		for _, l := range links {
			if n, was := s.of(now[l]), s.of(before[l]); n > was {
				counted[l.String()] = n - was
			}
		}
		unseen = slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return counted[l.String()] > 0 })
		if s.passing {
			dark := in.dark(unseen)
			unseen = slices.DeleteFunc(unseen, func(l Link) bool { return slices.Contains(dark, l) })
		}
		silent, idle = in.sort(unseen)
		in.Saw(s.evidence, counted)
		in.saw("sender_down", idle)
		if _, probes := in.cluster.fleet.(Prober); len(counted) == 0 && len(silent) == 0 && probes {
			return false, nil // a probe needs no sender
		}
		if len(silent) == 0 && len(counted) == 0 {
			return false, fmt.Errorf("not confirmed, since nobody sends on these links: %v", idle)
		}
		return len(silent) == 0, nil
	})
	if errors.Is(err, errNotSeen) && len(silent) == 0 {
		return nil, fmt.Errorf("not confirmed, since nobody sends on these links: %v", idle)
	}
	if errors.Is(err, errNotSeen) {
		err = fmt.Errorf("%s on %v within %v", s.missing, silent, probeTimeout)
	}
	return now, err
}

// seeLate waits until every link was seen to take as much longer than before as it is to take.
func (in *Injection) seeLate(
	ctx context.Context, timer Timer, i Impairment, before map[Link]time.Duration,
) error {
	delay := i.Delay
	if len(before) == 0 {
		return errors.New("not confirmed, since nothing came over these links before")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout+2*(delay+i.Jitter))
	defer cancel()
	late := make(map[string]float64)
	open := slices.Collect(
		maps.Keys(before),
	) // those that were not seen yet; the fleet sends, whether the nodes run or not
	dark := newDarkness(in)
	err := in.watch(ctx, func() (bool, error) {
		dark.look(open)
		took, err := timer.Delays(ctx, open)
		if err != nil {
			return false, fmt.Errorf("probe: %w", err)
		}
		dark.look(open) // a probe that another fault met is lost
		open = slices.DeleteFunc(open, func(l Link) bool {
			if d, ok := took[l]; ok && d >= before[l]+delay-delay/10 {
				late[l.String()] = milliseconds(d)
				return true
			}
			return dark.lasts(l)
		})
		in.Saw("delay_ms", late)
		if len(open) == 0 && len(late) == 0 {
			return false, fmt.Errorf("not confirmed, since other faults cut these links meanwhile: %v",
				slices.Sorted(slices.Values(names(slices.Collect(maps.Keys(before))))))
		}
		return len(open) == 0, nil
	})
	if errors.Is(err, errNotSeen) {
		return fmt.Errorf(
			"%v were not seen to take %v longer than before: %w",
			slices.Sorted(slices.Values(names(open))),
			delay,
			err,
		)
	}
	return err
}

// dark returns those of some links over which nothing comes: a fault cuts them, or takes the network of either end.
func (in *Injection) dark(links []Link) []Link {
	unplugged := in.cluster.unplugged()
	return slices.DeleteFunc(slices.Clone(links), func(l Link) bool {
		return !in.cluster.cut(l) && !slices.Contains(unplugged, l.From) && !slices.Contains(unplugged, l.To)
	})
}

// darkness tells links over which nothing comes for good from those that come and go.
type darkness struct {
	in   *Injection
	seen map[Link]int // how often each was dark when it was looked at, without a break
}

func newDarkness(in *Injection) darkness { return darkness{in, map[Link]int{}} }

func (d darkness) look(links []Link) {
	dark := d.in.dark(links)
	for _, l := range links {
		if d.seen[l]++; !slices.Contains(dark, l) {
			d.seen[l] = 0
		}
	}
}

// lasts reports whether a link was dark often enough to be taken for one that stays so.
func (d darkness) lasts(l Link) bool { return d.seen[l] >= 4 }

// usual returns how long links take as they are: the least of a few times, since a busy machine makes any of them
// longer. Links over which nothing comes are left out; of the others, all must be measured.
func (in *Injection) usual(ctx context.Context, timer Timer, links []Link) (map[Link]time.Duration, error) {
	const times, apart = 5, 3 * time.Millisecond // one stall of the machine must not last through all of them
	least := make(map[Link]time.Duration)
	dark := newDarkness(in)
	unknown := func() []Link {
		return slices.DeleteFunc(slices.Clone(links), func(l Link) bool {
			_, known := least[l]
			return known || dark.lasts(l)
		})
	}
	began := time.Now()
	for i := 0; i < times || len(unknown()) > 0 && time.Since(began) < probeTimeout; i++ { // a link may be lossy
		if i > 0 && !sleep(ctx, apart) {
			return nil, ctx.Err()
		}
		dark.look(links)
		took, err := timer.Delays(ctx, links)
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		dark.look(links) // what was cut meanwhile
		for l, d := range took {
			if before, known := least[l]; !known || d < before {
				least[l] = d
			}
		}
	}
	if never := unknown(); len(never) > 0 {
		return nil, fmt.Errorf("not confirmed: nothing came over %v before, which are not cut", names(never))
	}
	return least, nil
}

// errNotSeen says that what was looked for was not seen in time.
var errNotSeen = errors.New("not seen in time")

// watch looks again and again until what is looked for is seen, there is an error, or ctx ends.
func (in *Injection) watch(ctx context.Context, look func() (done bool, err error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := look()
		if ctx.Err() != nil && err != nil && errors.Is(err, ctx.Err()) {
			return errNotSeen
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errNotSeen
		case <-tick.C:
		}
	}
}

func names(links []Link) (names []string) {
	for _, l := range links {
		names = append(names, l.String())
	}
	return names
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// leaked says which of the links that were cut have let something pass since that was confirmed. Whatever
// the reason, what was recorded of them is not what happened.
func leaked(ctx context.Context, shaper Shaper, i Impairment, confirmed map[Link]Traffic) error {
	if !i.Drop || confirmed == nil {
		return nil
	}
	links := slices.Collect(maps.Keys(confirmed))
	now, err := shaper.Traffic(ctx, links)
	if err != nil {
		return err
	}
	for _, l := range links {
		switch before, after := confirmed[l], now[l]; {
		case after.Passed < before.Passed || after.Dropped < before.Dropped:
			err = errors.Join(err, fmt.Errorf("the counters of link %v began anew while it was cut: somebody else has "+
				"restarted what counts, and the cut may have been gone", l))
		case after.Passed > before.Passed:
			err = errors.Join(err, fmt.Errorf("link %v was cut, and %d bytes have passed it", l, after.Passed-before.Passed))
		}
	}
	return err
}

// cut reports whether any fault makes a link lose everything.
func (c *Cluster) cut(l Link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return all(c.impaired[l]).Drop
}

// sort tells links on which nothing was seen from those on which nobody sends: a link that shows nothing because its
// sender is down, or because the network of either end is gone, proves nothing and disproves nothing.
func (in *Injection) sort(links []Link) (silent, idle []string) {
	up := append(in.cluster.up(), history.Clients)
	unplugged := in.cluster.unplugged()
	for _, l := range links {
		switch {
		case slices.Contains(up, l.From) && !slices.Contains(unplugged, l.To):
			silent = append(silent, l.String())
		default:
			idle = append(idle, l.String())
		}
	}
	slices.Sort(silent)
	slices.Sort(idle)
	return silent, idle
}
