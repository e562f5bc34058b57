package harness

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// comparer compares the states of nodes while the run goes on, before and after every heal and every few seconds: two
// members may diverge while they are apart, and a snapshot may make them the same again before the end.
type comparer struct {
	observe *observer
	cluster *Cluster
	hasher  PastHasher
	asked   chan struct{}
	agreed  uint64 // the last revision at which all that answered were the same
	found   bool   // where they differ, which need not be found twice
}

// compareEvery is how often nodes are compared where no fault is healed. The sooner a difference is seen, the less is
// compacted of what it began with.
const compareEvery = 2 * time.Second

// compareTimeout bounds one comparison. Nodes that are down do not answer, and the others are compared.
const compareTimeout = time.Second

// start begins to compare, if the target's members can tell of the past, until stop is called. It may be called twice.
func (c *comparer) start(o *observer, cluster *Cluster) (stop func()) {
	hasher, ok := o.target.(PastHasher)
	if !ok || !hasher.HashesPast() {
		return func() {}
	}
	c.observe, c.cluster, c.hasher, c.asked = o, cluster, hasher, make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		defer o.crashed("the comparing of nodes")
		tick := time.NewTicker(compareEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.asked:
				tick.Reset(compareEvery)
			case <-tick.C:
			}
			c.compare(ctx)
		}
	})
	return sync.OnceFunc(func() { cancel(); wait.Wait() })
}

// look asks for a comparison, and does not wait for it.
func (c *comparer) look() {
	if c.asked == nil {
		return
	}
	select {
	case c.asked <- struct{}{}:
	default: // one is due already
	}
}

// said is what a node says of its state at a revision.
type said struct {
	node string
	history.Hash
}

// ask asks some nodes for the hashes of their states at a revision, or now if it is 0.
func (c *comparer) ask(ctx context.Context, nodes []string, revision uint64) (all []said) {
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, name := range nodes {
		wait.Go(func() {
			defer c.observe.crashed("the hashing of " + name)
			if h, err := c.hasher.Hash(ctx, c.cluster.Node(name), revision); err == nil {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, said{name, h})
			}
		})
	}
	wait.Wait()
	slices.SortFunc(all, func(a, b said) int { return slices.Index(nodes, a.node) - slices.Index(nodes, b.node) })
	return all
}

// compare compares all nodes that answer at the newest revision that all of them have, and notes what they say. If
// they differ, it finds the first revision at which they do.
func (c *comparer) compare(ctx context.Context) {
	now := c.ask(ctx, c.cluster.up(), 0)
	if len(now) < 2 {
		return
	}
	common := slices.MinFunc(now, func(a, b said) int { return int(a.Revision) - int(b.Revision) }).Revision
	var nodes []string
	for _, s := range now {
		nodes = append(nodes, s.node)
	}
	at := c.ask(ctx, nodes, common)
	c.note(at)
	a, b, differ := apart(at)
	if !differ {
		if len(at) == len(c.cluster.Members()) {
			c.agreed = common
		}
		return
	}
	if c.found || ctx.Err() != nil {
		return
	}
	c.found = true
	// Between these two, nodes a and b begin to differ. What is compacted cannot be asked for any more.
	low, high := c.agreed, common
	for high-low > 1 && ctx.Err() == nil {
		middle := low + (high-low)/2
		two := c.ask(ctx, []string{a, b}, middle)
		c.note(two)
		if _, _, differ := apart(two); differ {
			high = middle
		} else {
			low = middle
		}
	}
}

// apart returns two nodes whose hashes differ although they are of the same part of the past.
func apart(all []said) (a, b string, differ bool) {
	for i, x := range all {
		for _, y := range all[i+1:] {
			if x.Revision == y.Revision && x.Since == y.Since && x.Sum != y.Sum {
				return x.node, y.node, true
			}
		}
	}
	return "", "", false
}

func (c *comparer) note(all []said) {
	for _, s := range all {
		c.observe.note(s.node, history.FHash, s.Hash)
	}
}
