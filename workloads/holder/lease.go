package holder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// registers is what a client of one member must be able to do for leases.
type registers interface {
	Read(ctx context.Context, key string) (*string, history.Stamp, error)
	Write(ctx context.Context, key, value string) (history.Stamp, error)
	CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error)
}

// leases takes locks by a lease under a key, by the rules of Kubernetes' client-go (tools/leaderelection, 2025): the
// holder renews a record; whoever waits takes it over once it has not seen it change for the lease's duration, by its
// own clock; a holder that could not renew it for two thirds of that time gives up. Those two thirds count from when
// the last renewal was asked for, and not, as client-go's, from its answer. No clock is compared with another, but all
// must run equally fast, and a holder that is paused finds out too late: only a token helps then.
type leases struct {
	dial    func(ctx context.Context, member int) (harness.Client, error)
	members int
	at      int // the member that is called
	client  harness.Client
	ttl     time.Duration
	who     string

	calling sync.Mutex // held while the store is called: a renewal must not be in the way of a release
	closing context.CancelFunc
	closed  context.Context
	renewal sync.WaitGroup
}

// The times of client-go's defaults, 15 s, 10 s and 2 s, as shares of the first.
const (
	deadlineShare = 10. / 15
	retryShare    = 2. / 15
)

// NewLeases returns a locker by the name of who, which calls one member after the other, by dial, when one fails. It
// begins with the given one.
func NewLeases(
	dial func(ctx context.Context, member int) (harness.Client, error), members, first int, ttl time.Duration, who string,
) harness.Locker {
	closed, closing := context.WithCancel(context.Background())
	return &leases{
		dial: dial, members: members, at: first % members, ttl: ttl, who: who, closed: closed, closing: closing,
	}
}

func (l *leases) share(s float64) time.Duration { return time.Duration(float64(l.ttl) * s) }

// record is what is under the key.
type record struct {
	Holder string `json:"holder"` // empty if it was released
	// Transitions counts the holders; it is their token.
	Transitions uint64 `json:"transitions"`
	Renewals    uint64 `json:"renewals"`
}

func (r record) text() string {
	b, _ := json.Marshal(r) // a name and numbers
	return string(b)
}

// stored is a record, if there is one.
type stored struct {
	record
	found bool
}

// call calls the store at one member, and goes on to the next when that fails.
func (l *leases) call(ctx context.Context, do func(ctx context.Context, c registers) error) error {
	l.calling.Lock()
	defer l.calling.Unlock()
	ctx, cancel := context.WithTimeout(ctx, l.share(deadlineShare)/2)
	defer cancel()
	if l.client == nil {
		c, err := l.dial(ctx, l.at)
		if err != nil {
			l.at = (l.at + 1) % l.members
			return err
		}
		l.client = c
	}
	store, ok := l.client.(registers)
	if !ok {
		return fmt.Errorf("a %T cannot compare and set: %w", l.client, harness.ErrUnsupported)
	}
	err := do(ctx, store)
	if refusal := (harness.Refusal{}); err != nil && !errors.As(err, &refusal) {
		_ = l.client.Close() // nothing of it is used again
		l.client, l.at = nil, (l.at+1)%l.members
	}
	return err
}

func (l *leases) read(ctx context.Context, name string) (s stored, err error) {
	err = l.call(ctx, func(ctx context.Context, c registers) error {
		text, _, err := c.Read(ctx, name)
		if err != nil || text == nil {
			return err
		}
		s.found = true
		return json.Unmarshal([]byte(*text), &s.record)
	})
	return s, err
}

// set replaces a record. Where the answer is lost, or a call before it was made after all, the record itself tells: no
// two writes are the same, but for those of one renewal that was tried twice.
func (l *leases) set(ctx context.Context, name string, old, to record) error {
	err := l.call(ctx, func(ctx context.Context, c registers) error {
		_, err := c.CompareAndSet(ctx, name, old.text(), to.text())
		return err
	})
	if err == nil {
		return nil
	}
	if now, readErr := l.read(ctx, name); readErr == nil && now.found && now.record == to {
		return nil
	}
	return err
}

// Prepare puts an empty record under each name that has none, before anybody takes the locks: there is nothing to
// compare with then. It writes once: a write that is made late would take a lock away from whoever has it by then.
func Prepare(
	ctx context.Context, dial func(ctx context.Context, member int) (harness.Client, error), members int, names []string,
) error {
	l := NewLeases(dial, members, 0, prepareTime, "").(*leases)
	defer func() { _ = l.Close(ctx) }() // connections
	for _, name := range names {
		for inDoubt := false; ; {
			s, err := l.read(ctx, name)
			if err == nil && s.found {
				break
			}
			if err == nil && !inDoubt {
				err = l.call(ctx, func(ctx context.Context, c registers) error {
					_, err := c.Write(ctx, name, record{}.text())
					return err
				})
				inDoubt = err == nil || !errors.Is(err, harness.ErrNotApplied)
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s could not be prepared: %w", name, errors.Join(ctx.Err(), err))
			case <-time.After(prepareTime / 100):
			}
		}
	}
	return nil
}

// prepareTime is three times what one call may take while locks are prepared.
const prepareTime = 3 * time.Second

// Acquire implements [harness.Locker].
func (l *leases) Acquire(ctx context.Context, name string) (harness.Tenure, error) {
	seen, since := stored{}, time.Now()
	for {
		now, err := l.read(ctx, name)
		switch {
		case err == nil && !now.found:
			err = fmt.Errorf("there is no lock %s", name)
		case err == nil:
			if now != seen {
				seen, since = now, time.Now()
			}
			if seen.Holder != "" && time.Since(since) < l.ttl {
				break
			}
			mine := record{Holder: l.who, Transitions: seen.Transitions + 1, Renewals: 1}
			asked := time.Now()
			if l.set(ctx, name, seen.record, mine) == nil && time.Since(asked) < l.share(deadlineShare) {
				return l.hold(name, mine, asked), nil
			}
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s was not acquired: %w", name, errors.Join(ctx.Err(), err))
		}
		wait := time.NewTimer(l.share(retryShare * (0.5 + rand.Float64()))) // as client-go's jitter
		select {
		case <-ctx.Done():
			wait.Stop()
		case <-wait.C:
		}
	}
}

// hold renews a record until it is released, or could not be renewed in time. It was asked for at a moment before which
// nobody can have seen it.
func (l *leases) hold(name string, r record, asked time.Time) *lease {
	t := &lease{
		leases: l, name: name, token: r.Transitions, now: r, next: r, lost: make(chan struct{}), over: make(chan struct{}),
	}
	l.renewal.Go(func() { t.renew(asked) })
	return t
}

// Close implements [harness.Locker]: what it holds is renewed no more, and others take it over after its time.
func (l *leases) Close(context.Context) error {
	l.closing()
	l.renewal.Wait()
	l.calling.Lock()
	defer l.calling.Unlock()
	if l.client == nil {
		return nil
	}
	c := l.client
	l.client = nil
	return c.Close()
}

// lease is a tenure.
type lease struct {
	*leases
	name  string
	token uint64
	lost  chan struct{}
	over  chan struct{}
	once  sync.Once

	mu        sync.Mutex
	now, next record    // as it is, and as it may be by now
	asked     time.Time // when next was asked for first
}

// Token implements [harness.Tenure].
func (t *lease) Token() uint64 { return t.token }

// Lost implements [harness.Tenure].
func (t *lease) Lost() <-chan struct{} { return t.lost }

// lose says that it is held no more, once.
func (t *lease) lose() { t.once.Do(func() { close(t.lost) }) }

// renew renews the record. It is lost two thirds of its time after the last renewal that was made was asked for, even
// while a call hangs: others count from when they saw that renewal, which cannot be before it was asked for.
func (t *lease) renew(asked time.Time) {
	deadline := asked.Add(t.share(deadlineShare))
	expiry := time.AfterFunc(time.Until(deadline), t.lose)
	defer expiry.Stop()
	for {
		wait := time.NewTimer(t.share(retryShare))
		select {
		case <-t.over:
		case <-t.closed.Done():
		case <-t.lost:
		case <-wait.C:
			ctx, cancel := context.WithDeadline(t.closed, deadline)
			at, known, err := t.renewOnce(ctx)
			cancel()
			switch {
			case err == nil && expiry.Stop():
				deadline = at.Add(t.share(deadlineShare))
				expiry.Reset(time.Until(deadline))
			case known:
				t.lose()
			}
			continue
		}
		wait.Stop()
		return
	}
}

// renewOnce tries to renew the record, and returns when that renewal was asked for first: what seems to have failed may
// have been made. An error is known if the record is another one's.
func (t *lease) renewOnce(ctx context.Context) (asked time.Time, known bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.over:
		return time.Time{}, false, errReleased
	default:
	}
	if t.next == t.now {
		t.next.Renewals++
		t.asked = time.Now()
	}
	err = t.set(ctx, t.name, t.now, t.next)
	if err == nil {
		t.now = t.next
	}
	refusal := harness.Refusal{}
	return t.asked, errors.As(err, &refusal), err
}

// errReleased says that there is nothing to renew.
var errReleased = errors.New("it was released")

// Release implements [harness.Tenure].
func (t *lease) Release(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.over)
	free := record{Transitions: t.now.Transitions, Renewals: t.now.Renewals + 1}
	err := t.set(ctx, t.name, t.now, free)
	if refusal := (harness.Refusal{}); errors.As(err, &refusal) && t.next != t.now { // which was made after all
		err = t.set(ctx, t.name, t.next, free)
	}
	return err
}
