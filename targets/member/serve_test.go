package member

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A request that its client has given up by the time that its turn comes is not made: whoever has much to do would do
// nothing else.
func TestWhatNobodyWaitsFor(t *testing.T) {
	core := &echo{id: "n1"}
	m := &running{ctx: t.Context(), core: core, events: make(chan func() Effects), waiting: map[uint64]chan Answer{}}
	m.RequestTimeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan Answer)
	go func() { answers <- m.ask(ctx, Request{Op: Put, Value: string(OK)}) }()
	event := <-m.events
	cancel()
	require.Equal(t, InDoubt, (<-answers).Outcome)
	require.Equal(t, Effects{}, event())
	require.Zero(t, core.Asked)

	require.Equal(t, Refused, m.ask(ctx, Request{Op: Put}).Outcome, "it was never handed over")
	require.Empty(t, m.waiting)
}

// What comes at once is put on disk at once, in its order; each election is said.
func TestMoreAtOnce(t *testing.T) {
	m := &running{events: make(chan func() Effects, 3)}
	say := func(to string, leads uint64) {
		m.events <- func() Effects {
			return Effects{Remember: []byte(`"` + to + `"`), Send: []Message{{To: to}}, Leads: leads}
		}
	}
	say("a", 0)
	say("b", 7)
	say("c", 9)
	e := m.more(Effects{Send: []Message{{To: "first"}}})
	require.Equal(t, []Message{{To: "first"}, {To: "a"}, {To: "b"}}, e.Send)
	require.Equal(t, `"b"`, string(e.Remember))
	require.Equal(t, uint64(7), e.Leads)
	require.Equal(t, uint64(9), m.more(Effects{}).Leads)
	require.Equal(t, Effects{}, m.more(Effects{}))
}
