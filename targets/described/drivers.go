package described

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// drivers are processes that wait for their next client: it takes an interpreter so long to start that clients would do
// little else, as they call another member now and then, and are others after each call in doubt. One that has not
// answered its last call is not among them.
type drivers struct {
	mu     sync.Mutex
	idle   map[string][]*driven // by where they call
	closed bool
}

// take returns a process that calls a member, once it is ready.
func (d *drivers) take(ctx context.Context, of *Description, n harness.Node) (*driven, error) {
	where := n.Name() + " " + n.Addr(portClient)
	for {
		p := d.waiting(where)
		if p == nil {
			var err error
			if p, err = of.drive(n); err != nil {
				return nil, err
			}
			p.home, p.where = d, where
		}
		select {
		case <-p.ready:
			if !p.hasEnded() {
				return p, nil
			}
			if err := p.end(); err != nil {
				return nil, err
			}
		case <-p.gone:
			return nil, errors.Join(p.ended(), p.end())
		case <-ctx.Done():
			err := fmt.Errorf("%s is not ready: %w", p.name, ctx.Err())
			return nil, errors.Join(err, d.put(p)) // it will be for the next one
		}
	}
}

// waiting returns a process that has no client, if there is one.
func (d *drivers) waiting(where string) *driven {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.idle[where]
	if len(all) == 0 {
		return nil
	}
	d.idle[where] = all[:len(all)-1]
	return all[len(all)-1]
}

// put lets a process wait.
func (d *drivers) put(p *driven) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return p.end()
	}
	if d.idle == nil {
		d.idle = map[string][]*driven{}
	}
	d.idle[p.where] = append(d.idle[p.where], p)
	return nil
}

// Close ends those that wait, and those that have clients still when these are closed.
func (d *drivers) Close() (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, waiting := range d.idle {
		for _, p := range waiting {
			err = errors.Join(err, p.end())
		}
	}
	clear(d.idle)
	return err
}

// statusByDriver asks a member by a driver.
func (t *Target) statusByDriver(ctx context.Context, n harness.Node) (s history.Status, err error) {
	p, err := t.drivers.take(ctx, &t.description, n)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	reply, err := p.ask(ctx, driverCall{Op: opStatus})
	if err != nil {
		return s, err
	}
	s.Term, s.Vague = reply.Term, true
	if s.Leader, err = nodeIn(reply.Leader); err != nil {
		return s, err
	}
	switch {
	case reply.Role != "":
		s.Role, err = roleIn(reply.Role)
	case s.Leader == n.Name():
		s.Role = "leader"
	}
	return s, err
}

// tryDriver reports whether a driver can be had for a member.
func (t *Target) tryDriver(ctx context.Context, n harness.Node) error {
	p, err := t.drivers.take(ctx, &t.description, n)
	if err != nil {
		return err
	}
	return p.Close()
}
