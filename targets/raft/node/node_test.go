package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/targets/kvhttp"
	"github.com/sunder-dev/sunder/targets/raft/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// members are nodes in this process, on loopback.
type members struct {
	t       *testing.T
	configs []Config
	stops   []context.CancelFunc
	done    []chan struct{}
	client  *http.Client
}

func startMembers(t *testing.T, n int, change func(*Config)) *members {
	m := &members{t: t, client: &http.Client{Timeout: 5 * time.Second}}
	var addrs []string
	for range 2 * n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	peers := map[core.ID]string{}
	for i := range n {
		peers[core.ID(i+1)] = addrs[i]
	}
	for i := range n {
		cfg := DefaultConfig()
		cfg.ID, cfg.Peers, cfg.Client, cfg.Dir = core.ID(i+1), peers, addrs[n+i], t.TempDir()
		if change != nil {
			change(&cfg)
		}
		m.configs = append(m.configs, cfg)
	}
	m.stops, m.done = make([]context.CancelFunc, n), make([]chan struct{}, n)
	t.Cleanup(func() {
		for i := range n {
			m.stop(i)
		}
		m.client.CloseIdleConnections()
	})
	return m
}

// start starts a member, again if need be; the addresses are free by now or soon.
func (m *members) start(i int) {
	ctx, stop := context.WithCancel(m.t.Context())
	done := make(chan struct{})
	m.stops[i], m.done[i] = stop, done
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			err := Run(ctx, m.configs[i], slog.New(slog.DiscardHandler))
			if err != nil && !strings.Contains(err.Error(), "address already in use") {
				m.t.Errorf("node %d: %v", i+1, err)
				return
			}
		}
	}()
}

func (m *members) stop(i int) {
	if m.stops[i] != nil {
		m.stops[i]()
		<-m.done[i]
		m.stops[i] = nil
	}
}

func (m *members) call(i int, method, path, body string) (int, kvhttp.Reply) {
	m.t.Helper()
	request, err := http.NewRequestWithContext(m.t.Context(), method, "http://"+m.configs[i].Client+path, strings.NewReader(body))
	require.NoError(m.t, err)
	response, err := m.client.Do(request)
	if err != nil {
		return 0, kvhttp.Reply{}
	}
	defer response.Body.Close()
	var r kvhttp.Reply
	require.NoError(m.t, json.NewDecoder(response.Body).Decode(&r))
	return response.StatusCode, r
}

// eventually calls until the answer has the wanted code.
func (m *members) eventually(i int, method, path, body string, want int) kvhttp.Reply {
	m.t.Helper()
	var reply kvhttp.Reply
	require.Eventually(m.t, func() bool {
		var code int
		code, reply = m.call(i, method, path, body)
		return code == want
	}, 20*time.Second, 20*time.Millisecond, "%s %s at node %d", method, path, i+1)
	return reply
}

func TestNodesServe(t *testing.T) {
	m := startMembers(t, 3, nil)
	for i := range 3 {
		m.start(i)
	}
	m.eventually(0, "PUT", "/kv/a%2Fb", `{"value": "1"}`, 200)
	for i := range 3 { // followers forward
		_, r := m.call(i, "GET", "/kv/a%2Fb", "")
		require.Equal(t, "1", *r.Value)
		code, _ := m.call(i, "GET", "/kv/absent", "")
		require.Equal(t, 404, code)
	}
	code, r := m.call(1, "POST", "/kv/a%2Fb/cas", `{"old": "2", "value": "3"}`)
	require.Equal(t, 409, code)
	require.Equal(t, "1", *r.Value)
	code, _ = m.call(2, "POST", "/kv/a%2Fb/cas", `{"old": "1", "value": "3"}`)
	require.Equal(t, 200, code)
	code, r = m.call(0, "DELETE", "/kv/a%2Fb", "")
	require.Equal(t, 200, code)
	require.Equal(t, "3", *r.Value)
	code, _ = m.call(0, "DELETE", "/kv/a%2Fb", "")
	require.Equal(t, 404, code)
	code, _ = m.call(0, "PUT", "/kv/x", `{"valeu": "1"}`)
	require.Equal(t, 400, code)
}

// A leader hands over and says so once another node leads; who does not lead refuses. Writes go on.
func TestLeadershipIsHandedOver(t *testing.T) {
	m := startMembers(t, 3, nil)
	for i := range 3 {
		m.start(i)
	}
	m.eventually(0, "PUT", "/kv/x", `{"value": "1"}`, 200)
	leader := -1
	require.Eventually(t, func() bool {
		leader = slices.IndexFunc([]int{0, 1, 2}, func(i int) bool { code, _ := m.call(i, "POST", "/transfer", ""); return code == 200 })
		return leader >= 0
	}, 20*time.Second, 20*time.Millisecond)
	code, r := m.call(leader, "POST", "/transfer", "")
	require.Equal(t, 409, code, "it does not lead any more")
	require.Contains(t, r.Error, "it does not lead")
	m.eventually(leader, "PUT", "/kv/x", `{"value": "2"}`, 200)
}

// Without a quorum nothing is confirmed: what may happen later is in doubt (504), what was never
// handed to a leader did not happen (503).
func TestWithoutAQuorumNothingIsPromised(t *testing.T) {
	m := startMembers(t, 3, func(c *Config) { c.RequestTimeout = 300 * time.Millisecond })
	m.start(0)
	require.Eventually(t, func() bool { code, _ := m.call(0, "PUT", "/kv/x", `{"value": "1"}`); return code == 503 }, 20*time.Second, 10*time.Millisecond)
	code, _ := m.call(0, "GET", "/kv/x", "")
	require.Equal(t, 503, code)
	m.start(1)
	m.eventually(0, "PUT", "/kv/x", `{"value": "2"}`, 200)
	_, r := m.call(1, "GET", "/kv/x", "")
	require.Equal(t, "2", *r.Value, "the refused write must not come back")
}

// Acknowledged writes outlast a restart of all nodes, by log and by snapshot, and a node that
// missed them catches up by snapshot.
func TestNodesRestartAndCatchUp(t *testing.T) {
	m := startMembers(t, 3, func(c *Config) { c.SnapshotEvery, c.SnapshotKeep = 20, 5 })
	m.start(0)
	m.start(1)
	for i := range 50 {
		m.eventually(i%2, "PUT", fmt.Sprint("/kv/k", i), fmt.Sprintf(`{"value": "%d"}`, i), 200)
	}
	m.stop(0)
	m.stop(1)
	for i := range 3 {
		m.start(i)
	}
	for i := range 50 {
		r := m.eventually(2, "GET", fmt.Sprint("/kv/k", i), "", 200)
		require.Equal(t, fmt.Sprint(i), *r.Value)
	}
	// All have applied the same in the end, and so are in the same state.
	require.Eventually(t, func() bool {
		states := map[string]bool{}
		for i := range 3 {
			response, err := m.client.Get("http://" + m.configs[i].Client + "/status")
			require.NoError(t, err)
			var s Status
			require.NoError(t, json.NewDecoder(response.Body).Decode(&s))
			response.Body.Close()
			states[fmt.Sprint(s.Applied, s.Hash, s.Term)] = true
		}
		return len(states) == 1
	}, 20*time.Second, 20*time.Millisecond)
}

// Leadership is logged as one structured line, which the harness reads as a claim.
func TestLeadershipIsLogged(t *testing.T) {
	m := startMembers(t, 1, nil)
	var log syncBuffer
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Run(ctx, m.configs[0], slog.New(slog.NewJSONHandler(&log, nil))) }()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), `"became leader"`) }, 20*time.Second, 5*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "became leader") {
			var said struct {
				Msg, Node string
				Term      uint64
			}
			require.NoError(t, json.Unmarshal([]byte(line), &said))
			require.Equal(t, "n1", said.Node)
			require.Equal(t, uint64(1), said.Term)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestConfigIsValidated(t *testing.T) {
	good := DefaultConfig()
	good.ID, good.Peers, good.Client, good.Dir = 1, map[core.ID]string{1: "127.0.0.1:0"}, "127.0.0.1:0", t.TempDir()
	require.NoError(t, good.validate())
	for want, spoil := range map[string]func(*Config){
		"own address":      func(c *Config) { c.ID = 2 },
		"for clients":      func(c *Config) { c.Client = "" },
		"data directory":   func(c *Config) { c.Dir = "" },
		"too short":        func(c *Config) { c.Heartbeat = time.Millisecond },
		"election timeout": func(c *Config) { c.ElectionTimeout = c.Heartbeat },
		"request timeout":  func(c *Config) { c.RequestTimeout = 0 },
		"every 0 entries":  func(c *Config) { c.SnapshotEvery = 0 },
	} {
		cfg := good
		spoil(&cfg)
		require.ErrorContains(t, cfg.validate(), want)
	}
}

// A follower that missed much more than fits a message catches up in seconds, and nobody's memory holds it many times
// over.
func TestHeavyEntries(t *testing.T) {
	m := startMembers(t, 3, nil)
	for i := range 2 {
		m.start(i)
	}
	const entries, size = 50, 1 << 20
	value := strings.Repeat("x", size-100) // a body is a MiB at the most
	body := `{"value": "` + value + `"}`
	for i := range entries {
		m.eventually(0, "PUT", fmt.Sprintf("/kv/k%d", i%3), body, 200)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	m.start(2)
	require.Eventually(t, func() bool {
		var s struct{ Applied uint64 }
		response, err := m.client.Get("http://" + m.configs[2].Client + "/status")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		runtime.ReadMemStats(&after)
		return json.NewDecoder(response.Body).Decode(&s) == nil && s.Applied >= entries
	}, 20*time.Second, 50*time.Millisecond)
	t.Logf("caught up after %v, with %d MiB more on the heap", time.Since(start), int64(after.HeapAlloc-before.HeapAlloc)>>20)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(12*entries*size), "of three nodes and their messages")
}
