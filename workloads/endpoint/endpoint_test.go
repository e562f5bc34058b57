package endpoint

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEndpoint(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	ready := http.StatusServiceUnavailable
	go func() {
		ended <- Serve(ctx, addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(ready)
				return
			}
			var n struct{ N int }
			if Decode(w, r, &n) {
				fmt.Fprint(w, n.N+1)
			}
		}))
	}()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.ErrorContains(c, Ready(ctx, addr), "it answers 503")
	}, 10*time.Second, time.Millisecond)
	ready = http.StatusOK
	require.NoError(t, Ready(ctx, addr))
	client := &http.Client{Transport: &http.Transport{}}
	status, body, err := Post(ctx, client, addr, map[string]int{"N": 6})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "7", string(body))
	status, _, err = Post(ctx, client, addr, map[string]int{"M": 6})
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, status, "a field that nobody knows")
	client.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
	require.Error(t, Ready(t.Context(), addr))
	_, _, err = Post(t.Context(), client, addr, 1)
	require.Error(t, err)
	_, _, err = Post(t.Context(), client, addr, make(chan int))
	require.Error(t, err)
	require.Error(t, Serve(t.Context(), "nowhere", nil))
}
