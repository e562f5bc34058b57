package etcd

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// Where nobody answers, a lock is given up when its time is over, although the client's own cleaning up has no limit.
func TestALockOfNobody(t *testing.T) {
	target, err := New(DefaultVersion, false, nil)
	require.NoError(t, err)
	l, err := target.Locker([]harness.Member{{Addr: map[string]string{portClient: "127.0.0.1:1"}}}, time.Second)
	require.NoError(t, err)
	for _, take := range []func(context.Context) (harness.Tenure, error){
		func(ctx context.Context) (harness.Tenure, error) { return l.Acquire(ctx, "a") },
		func(ctx context.Context) (harness.Tenure, error) { return l.(harness.Elector).Campaign(ctx, "a", "me") },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		held, err := take(ctx)
		cancel()
		require.Error(t, err)
		require.Nil(t, held)
	}
	_ = l.Close(t.Context()) // nothing is there to be told
}
