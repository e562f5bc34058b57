package zookeeper

import (
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
)

// node returns the name of an ephemeral, sequential node as the server makes it.
func node(number string) string { return "_c_9f9d3b2a5f6f4f0e8f3a2b1c0d9e8f7a-lock-" + number }

func TestNextLower(t *testing.T) {
	all := []string{node("0000000012"), node("0000000003"), node("0000000009"), node("0000000010")}
	for own, want := range map[string]string{
		node("0000000003"): "",
		node("0000000009"): node("0000000003"),
		node("0000000010"): node("0000000009"),
		node("0000000012"): node("0000000010"),
	} {
		next, err := nextLower(all, own)
		require.NoError(t, err)
		require.Equal(t, want, next)
	}
	// The library begins a new session by itself: whose node is gone has the lock no more, even if no other node is there.
	_, err := nextLower(nil, node("0000000001"))
	require.ErrorContains(t, err, "the session ended while it waited")
	_, err = nextLower(append(all, "lock-x"), node("0000000003"))
	require.ErrorContains(t, err, `node "lock-x" has no number`)
}

// A holder that is disconnected holds nothing more, and nobody comes to hold something by what it saw before.
func TestDisconnected(t *testing.T) {
	for _, end := range []zk.State{zk.StateDisconnected, zk.StateExpired} {
		l := &locker{held: map[*tenure]bool{}}
		first := &tenure{locker: l, lost: make(chan struct{})}
		require.False(t, l.hold(first, l.broke()), "it has no session yet")
		l.see(zk.Event{Type: zk.EventSession, State: zk.StateHasSession})
		before := l.broke()
		require.True(t, l.hold(first, before))
		l.see(zk.Event{Type: zk.EventNodeDeleted, State: end})
		select {
		case <-first.Lost():
			t.Fatal("that was said of a node")
		default:
		}
		l.see(zk.Event{Type: zk.EventSession, State: end})
		<-first.Lost()
		second := &tenure{locker: l, lost: make(chan struct{})}
		l.see(zk.Event{Type: zk.EventSession, State: zk.StateHasSession})
		require.False(t, l.hold(second, before), "the session may have ended meanwhile")
		require.True(t, l.hold(second, l.broke()))
		l.see(zk.Event{Type: zk.EventSession, State: end})
		<-second.Lost()
	}
}
