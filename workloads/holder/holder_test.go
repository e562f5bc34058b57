package holder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/workloads/endpoint"
	"github.com/sunder-dev/sunder/workloads/guard"
)

// fakeLocker gives a lock to whoever asks, with tokens that grow, until it is told to refuse.
type fakeLocker struct {
	token  *uint64
	refuse *bool

	mu     sync.Mutex
	given  []*fakeTenure
	closed bool
}

type fakeTenure struct {
	token    uint64
	lost     chan struct{}
	released chan struct{}
	stuck    bool
}

func (f *fakeTenure) Token() uint64         { return f.token }
func (f *fakeTenure) Lost() <-chan struct{} { return f.lost }
func (f *fakeTenure) Release(context.Context) error {
	close(f.released)
	if f.stuck {
		return errors.New("no answer")
	}
	return nil
}

func (f *fakeLocker) Acquire(ctx context.Context, _ string) (harness.Tenure, error) {
	if *f.refuse {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	*f.token++
	t := &fakeTenure{token: *f.token, lost: make(chan struct{}), released: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.given = append(f.given, t)
	return t, nil
}

func (f *fakeLocker) Close(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *fakeLocker) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// holding is a holder over fake lockers, and a real guard.
type holding struct {
	*Holder
	refuse  bool
	lockers []*fakeLocker
	out     *bytes.Buffer
}

func newHolding(t *testing.T) *holding {
	g := httptest.NewServer(guard.New(true, &bytes.Buffer{}))
	t.Cleanup(g.Close)
	h := &holding{out: &bytes.Buffer{}}
	token := uint64(0)
	open := func(int) (harness.Locker, error) {
		l := &fakeLocker{token: &token, refuse: &h.refuse}
		h.lockers = append(h.lockers, l)
		return l, nil
	}
	client := guard.NewClient(strings.TrimPrefix(g.URL, "http://"))
	h.Holder = New(open, client, func() int64 { return 42 }, h.out)
	t.Cleanup(h.Close)
	return h
}

func (h *holding) do(t *testing.T, f string, process int, value uint64) Reply {
	return h.Call(t.Context(), Call{F: f, Process: process, Lock: "a", Value: value, Timeout: time.Second})
}

func TestHolder(t *testing.T) {
	h := newHolding(t)
	require.Equal(t, Reply{Outcome: NotDone, Err: errIdle.Error()}, h.do(t, Write, 1, 1))
	require.Equal(t, Reply{Outcome: NotDone, Err: errIdle.Error()}, h.do(t, Release, 1, 0))
	require.Equal(t, Reply{Outcome: Done, Token: 1}, h.do(t, Acquire, 1, 0))
	require.Equal(t, Reply{Outcome: NotDone, Err: errHolds.Error()}, h.do(t, Acquire, 1, 0))
	require.Equal(t, Reply{Outcome: Done, Token: 1}, h.do(t, Write, 1, 1))
	require.Equal(t, Reply{Outcome: Done, Token: 1}, h.do(t, Release, 1, 0))
	require.Equal(t, NotDone, h.do(t, "shout", 1, 0).Outcome)
	require.Equal(t, Reply{Outcome: Done, Token: 2}, h.do(t, Campaign, 1, 0), "where there are no elections, a lock is one")
	require.Len(t, h.lockers, 1, "one session does for all that")
	h.Close()
	require.True(t, h.lockers[0].closed)
	require.Empty(t, h.out.String(), "what was given up is not lost")
}

// A holder that was told that it holds it no more does not write, says when it was told, and begins anew.
func TestAHolderThatIsTold(t *testing.T) {
	h := newHolding(t)
	require.Equal(t, Done, h.do(t, Acquire, 7, 0).Outcome)
	close(h.lockers[0].given[0].lost)
	require.Equal(t, Reply{Outcome: NotDone, Err: errLost.Error()}, h.do(t, Write, 7, 1))
	require.Equal(t, Reply{Outcome: Done, Token: 2}, h.do(t, Acquire, 7, 0))
	require.Len(t, h.lockers, 2)
	h.Close()
	if h.out.Len() > 0 { // it may have begun anew before anybody noticed that it was told
		var said Line
		require.NoError(t, json.Unmarshal(h.out.Bytes(), &said))
		require.Equal(t, Lost{Process: 7, Lock: "a", Token: 1, Monotonic: 42}, *said.Lost)
	}
}

// The stale write of one that does not know is refused, and then it knows.
func TestAHolderThatDoesNotKnow(t *testing.T) {
	h := newHolding(t)
	h.do(t, Acquire, 1, 0)
	h.do(t, Acquire, 2, 0)
	require.Equal(t, Done, h.do(t, Write, 2, 1).Outcome)
	require.Equal(t, Reply{Outcome: Refused, Token: 1, Err: guard.ErrStale.Error()}, h.do(t, Write, 1, 2))
	require.Equal(t, errIdle.Error(), h.do(t, Write, 1, 3).Err)
}

func TestWhatIsInDoubt(t *testing.T) {
	h := newHolding(t)
	h.do(t, Acquire, 1, 0)
	h.lockers[0].given[0].stuck = true
	require.Equal(t, Reply{Outcome: NotKnown, Err: "no answer"}, h.do(t, Release, 1, 0))
	h.refuse = true
	r := h.Call(t.Context(), Call{F: Acquire, Process: 1, Lock: "a", Timeout: time.Millisecond})
	require.Equal(t, NotDone, r.Outcome)
	h.refuse = false
	h.do(t, Acquire, 2, 0)
	h.guard = guard.NewClient("127.0.0.1:1")
	require.Equal(t, NotKnown, h.do(t, Write, 2, 1).Outcome)
}

func TestTheEndOfAProcess(t *testing.T) {
	h := newHolding(t)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	addr := strings.TrimPrefix(server.URL, "http://")
	require.NoError(t, endpoint.Ready(t.Context(), addr))
	c := Dial(addr)
	r, err := c.Call(t.Context(), Call{F: Acquire, Process: 3, Lock: "a", Timeout: time.Second})
	require.NoError(t, err)
	require.Equal(t, Reply{Outcome: Done, Token: 1}, r)
	require.NoError(t, c.Close())
	<-h.lockers[0].given[0].released

	server.Close()
	_, err = c.Call(t.Context(), Call{F: Acquire, Process: 3, Lock: "a", Timeout: time.Second})
	require.ErrorIs(t, err, harness.ErrNotApplied, "nobody was there")
	require.Error(t, endpoint.Ready(t.Context(), addr))
	require.NoError(t, c.Close())
}

// A word that comes late from a client that has hung up does not take anything from the one that goes on.
func TestALateEnd(t *testing.T) {
	h := newHolding(t)
	call := func(client, f string) Reply {
		return h.Call(t.Context(), Call{F: f, Process: 1, Client: client, Lock: "a", Value: 1, Timeout: time.Second})
	}
	require.Equal(t, Done, call("former", Acquire).Outcome)
	require.Equal(t, uint64(2), call("next", Acquire).Token, "what the former one held is given up")
	<-h.lockers[0].given[0].released
	require.Equal(t, Done, call("former", End).Outcome)
	require.Equal(t, Done, call("next", Write).Outcome, "it holds it still")
	require.Equal(t, Done, call("next", End).Outcome)
	require.Equal(t, errIdle.Error(), call("next", Write).Err)
}

// While a write may be under way, nobody else is to hold the lock before its time: it is not released.
func TestAWriteInDoubtKeepsTheLock(t *testing.T) {
	h := newHolding(t)
	h.do(t, Acquire, 1, 0)
	right := h.guard
	h.guard = guard.NewClient("127.0.0.1:1")
	require.Equal(t, NotKnown, h.do(t, Write, 1, 1).Outcome)
	h.guard = right
	h.do(t, End, 1, 0)
	h.Close()
	require.True(t, h.lockers[0].closed)
	select {
	case <-h.lockers[0].given[0].released:
		t.Fatal("it was released")
	default:
	}
}

// Nobody is left to ask for it: a process gives up what it holds.
func TestAnIdleProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse, token := false, uint64(0)
		l := &fakeLocker{token: &token, refuse: &refuse}
		h := New(func(int) (harness.Locker, error) { return l, nil }, nil, func() int64 { return 0 }, &bytes.Buffer{})
		call := func(f string) Reply {
			return h.Call(t.Context(), Call{F: f, Process: 1, Lock: "a", Timeout: time.Second})
		}
		require.Equal(t, Done, call(Acquire).Outcome)
		time.Sleep(idle / 2) // in the bubble's time
		require.False(t, l.isClosed())
		time.Sleep(idle)
		synctest.Wait()
		require.True(t, l.isClosed())
		<-l.given[0].released
		require.Equal(t, errIdle.Error(), call(Write).Err)
		h.Close()
	})
}
