package fleettest

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// wrong is the fleet in memory with a mistake.
type wrong struct {
	*harnesstest.Fake
	can    []harness.Capability // those that it says it has; nil are its own
	shape  func(map[harness.Link]harness.Impairment) map[harness.Link]harness.Impairment
	launch bool        // after it was closed, too
	moves  bool        // nodes move when they are started again
	zombie bool        // a killed node exits with the fleet
	keeps  bool        // disks are not wiped, whatever is said
	mu     *sync.Mutex // over late: nodes are launched side by side
	late   []chan struct{}
}

func (w *wrong) Can() []harness.Capability {
	if w.can != nil {
		return w.can
	}
	return w.Fake.Can()
}

func (w *wrong) Shape(ctx context.Context, links map[harness.Link]harness.Impairment) error {
	if w.shape != nil {
		links = w.shape(links)
	}
	return w.Fake.Shape(ctx, links)
}

func (w *wrong) Launch(ctx context.Context, s harness.NodeSpec, log io.Writer) (harness.Node, error) {
	if w.launch {
		w.Reopen()
	}
	n, err := w.Fake.Launch(ctx, s, log)
	late := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = append(w.late, late)
	return &wrongNode{n, w, 0, late}, err
}

func (w *wrong) Close() error {
	for _, late := range w.late {
		close(late)
	}
	w.late = nil
	return w.Fake.Close()
}

type wrongNode struct {
	harness.Node
	fleet  *wrong
	starts int
	late   chan struct{} // closed with the fleet
}

func (n *wrongNode) Addr(port string) string {
	if n.fleet.moves && n.starts > 0 {
		return "elsewhere"
	}
	return n.Node.Addr(port)
}

func (n *wrongNode) Start(ctx context.Context) error { n.starts++; return n.Node.Start(ctx) }

func (n *wrongNode) Exited() <-chan struct{} {
	if n.fleet.zombie {
		return n.late
	}
	return n.Node.Exited()
}

func (n *wrongNode) Wipe(ctx context.Context) (int64, error) {
	if n.fleet.keeps {
		return 0, nil
	}
	return n.Node.(harness.Wiper).Wipe(ctx)
}

func (n *wrongNode) Unplug(ctx context.Context) error { return n.Node.(harness.Unplugger).Unplug(ctx) }
func (n *wrongNode) Plug(ctx context.Context) error   { return n.Node.(harness.Unplugger).Plug(ctx) }

// target is the fake as a target of such nodes.
type target struct{ *harnesstest.Fake }

func (t target) Ready(ctx context.Context, n harness.Node) error { return t.Fake.Ready(ctx, inner(n)) }

func (t target) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	return t.Fake.Status(ctx, inner(n))
}

func inner(n harness.Node) harness.Node { return n.(*wrongNode).Node }

// The suite passes a fleet that is right, and says of each that is wrong what is wrong with it.
func TestTheSuite(t *testing.T) {
	only := func(c ...harness.Capability) *wrong { return &wrong{can: c} }
	for want, w := range map[string]*wrong{
		"": {},
		"kill: the node is said to be killed, and has": {zombie: true},
		"kill: port \"peer\" was at":                   {moves: true},
		"wipe: the disk of a node that runs was wiped": {keeps: true},
		"clients: a node answers although clients>n2": {shape: func(links map[harness.Link]harness.Impairment) map[harness.Link]harness.Impairment {
			return nil
		}, can: []harness.Capability{harness.ClientCut, harness.NodeKill, harness.NodeUnplug}},
		"unplug: the fleet does not say so":             only(harness.NodeKill),
		"refusals: the fleet does not have [link.loss]": only(harness.NodeKill, harness.NodeUnplug, harness.LinkCut, harness.LinkDelay),
		"close: a node was launched after":              {launch: true},
		"cut: it never came to be that cut links lose": {shape: func(map[harness.Link]harness.Impairment) map[harness.Link]harness.Impairment {
			return nil
		}},
		"packets: it never came to be that link.corrupt is counted no more": {shape: func(links map[harness.Link]harness.Impairment) map[harness.Link]harness.Impairment {
			for l, i := range links { // what is mended corrupts packets still
				i.Corrupt = 0.1
				links[l] = i
			}
			return links
		}, can: []harness.Capability{harness.LinkCorrupt, harness.NodeUnplug}},
		"packets: it never came to be that link.rate is counted": {shape: func(map[harness.Link]harness.Impairment) map[harness.Link]harness.Impairment {
			return nil
		}, can: []harness.Capability{harness.LinkRate, harness.NodeUnplug}},
		"delay: n3>n1 is to take 40ms, and took 20ms": {shape: func(links map[harness.Link]harness.Impairment) map[harness.Link]harness.Impairment {
			for l, i := range links {
				i.Delay /= 2
				links[l] = i
			}
			return links
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			err := Check(t.Context(), Config{New: func() (harness.Fleet, harness.Target, error) {
				again := *w
				again.Fake, again.mu = harnesstest.New(harnesstest.Mistakes{}), &sync.Mutex{}
				return &again, target{again.Fake}, nil
			}})
			if want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
