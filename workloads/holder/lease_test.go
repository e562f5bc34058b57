package holder

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a register that is linearizable, and loses answers if it is told to.
type store struct {
	mu     sync.Mutex
	values map[string]string
	writes int
	// lose, if it is there, says what becomes of a call: it is not made, or its answer is lost.
	lose func() (before, after error)
}

func newStore() *store { return &store{values: map[string]string{}} }

func (s *store) dial(context.Context, int) (harness.Client, error) { return storeClient{s}, nil }

type storeClient struct{ *store }

func (storeClient) Close() error { return nil }

func (s *store) do(call func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before, after error
	if s.lose != nil {
		before, after = s.lose()
	}
	if before != nil {
		return before
	}
	if err := call(); err != nil {
		return err
	}
	return after
}

func (s *store) Read(_ context.Context, key string) (value *string, at history.Stamp, err error) {
	err = s.do(func() error {
		if v, ok := s.values[key]; ok {
			value = &v
		}
		return nil
	})
	return value, at, err
}

func (s *store) Write(_ context.Context, key, value string) (at history.Stamp, err error) {
	return at, s.do(func() error { s.values[key] = value; s.writes++; return nil })
}

func (s *store) CompareAndSet(_ context.Context, key, old, value string) (at history.Stamp, err error) {
	return at, s.do(func() error {
		if now := s.values[key]; now != old {
			return harness.Refusal{Reason: history.Mismatch, Found: &now, Known: true}
		}
		s.values[key] = value
		return nil
	})
}

const ttl = 3 * time.Second

func leasesOf(s *store, who string) harness.Locker { return NewLeases(s.dial, 3, 0, ttl, who) }

func prepared(t *testing.T) *store {
	s := newStore()
	require.NoError(t, Prepare(t.Context(), s.dial, 3, []string{"a"}))
	return s
}

func isLost(t harness.Tenure) bool {
	select {
	case <-t.Lost():
		return true
	default:
		return false
	}
}

func TestALeaseIsKeptAndHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := prepared(t)
		one, two := leasesOf(s, "one"), leasesOf(s, "two")
		first, err := one.Acquire(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, uint64(1), first.Token())

		waiting, cancel := context.WithTimeout(t.Context(), 10*ttl)
		defer cancel()
		_, err = two.Acquire(waiting, "a")
		require.ErrorIs(t, err, context.DeadlineExceeded, "it is renewed for as long as it is held")
		require.False(t, isLost(first))

		require.NoError(t, first.Release(t.Context()))
		began := time.Now()
		second, err := two.Acquire(t.Context(), "a")
		require.NoError(t, err)
		require.Less(t, time.Since(began), ttl, "what was released is not waited for")
		require.Equal(t, uint64(2), second.Token())
		require.NoError(t, one.Close(t.Context()))
		require.NoError(t, two.Close(t.Context()))
	})
}

// A holder that cannot renew gives up before anybody else takes over.
func TestALeaseThatIsNotRenewedIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := prepared(t)
		one, two := leasesOf(s, "one"), leasesOf(s, "two")
		first, err := one.Acquire(t.Context(), "a")
		require.NoError(t, err)
		l := one.(*leases)
		l.dial = func(context.Context, int) (harness.Client, error) { return nil, errors.New("cut off") }
		l.calling.Lock()
		l.client = nil
		l.calling.Unlock()
		began := time.Now()
		learned := make(chan time.Duration, 1)
		go func() {
			<-first.Lost()
			learned <- time.Since(began)
		}()
		second, err := two.Acquire(t.Context(), "a")
		require.NoError(t, err)
		require.True(t, isLost(first), "it must have given up by now")
		after := <-learned
		require.Less(t, after, ttl)
		require.GreaterOrEqual(t, after, l.share(deadlineShare))
		require.GreaterOrEqual(t, time.Since(began), ttl-l.share(retryShare))
		require.Equal(t, uint64(2), second.Token())
		require.NoError(t, one.Close(t.Context()))
		require.NoError(t, two.Close(t.Context()))
	})
}

// Whatever calls fail, and whatever answers are lost, no two clients hold the lock at once, and tokens grow.
func TestLeasesExclude(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			s := prepared(t)
			r := rand.New(rand.NewPCG(seed, 1))
			s.lose = func() (before, after error) {
				switch r.IntN(8) {
				case 0:
					return errors.New("not today"), nil
				case 1:
					return nil, errors.New("the answer is lost")
				}
				return nil, nil
			}
			var mu sync.Mutex
			holding, last, taken := "", uint64(0), 0
			var wait sync.WaitGroup
			for i := range 4 {
				wait.Go(func() {
					who := fmt.Sprint("p", i)
					l := leasesOf(s, who)
					defer func() { _ = l.Close(t.Context()) }()
					for range 5 {
						ctx, cancel := context.WithTimeout(t.Context(), 4*ttl)
						held, err := l.Acquire(ctx, "a")
						cancel()
						if err != nil {
							continue
						}
						mu.Lock()
						require.Empty(t, holding, "seed %d: %s holds it too", seed, who)
						require.Greater(t, held.Token(), last, "seed %d", seed)
						holding, last = who, held.Token()
						taken++
						mu.Unlock()
						select {
						case <-held.Lost():
						case <-time.After(time.Duration(i+1) * ttl / 2):
						}
						mu.Lock()
						holding = ""
						mu.Unlock()
						if !isLost(held) {
							_ = held.Release(t.Context())
						}
					}
				})
			}
			wait.Wait()
			require.Positive(t, taken, "seed %d", seed)
		})
	}
}

// A lock is prepared by one write, however long it takes for it to be seen.
func TestPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		tries := 0
		s.lose = func() (before, after error) {
			if tries++; tries == 2 {
				return errors.New("nobody leads"), nil // in doubt, and never made
			}
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, Prepare(ctx, s.dial, 3, []string{"a"}), "a could not be prepared")
		require.Zero(t, s.writes)

		s, tries = newStore(), 0
		s.lose = func() (before, after error) {
			if tries++; tries == 2 {
				return fmt.Errorf("nobody leads: %w", harness.ErrNotApplied), nil
			}
			return nil, nil
		}
		require.NoError(t, Prepare(t.Context(), s.dial, 3, []string{"a", "b"}))
		require.NoError(t, Prepare(t.Context(), s.dial, 3, []string{"a", "b"}))
		require.Equal(t, 2, s.writes)
	})
	_, err := leasesOf(newStore(), "one").Acquire(canceled(t), "a")
	require.ErrorContains(t, err, "there is no lock a")
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
