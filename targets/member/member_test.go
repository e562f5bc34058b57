package member

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/kvhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a core whose members ask the next one for what they are asked, which answers with how often it was asked.
type echo struct {
	id, next string
	Asked    int
}

type word struct {
	Asked  *Request `json:"asked,omitempty"`
	Answer *Answer  `json:"answer,omitempty"`
}

func (e *echo) Tick() Effects { return Effects{} }

func (e *echo) Receive(from string, text json.RawMessage) Effects {
	var w word
	if json.Unmarshal(text, &w) != nil {
		return Effects{}
	}
	if w.Answer != nil {
		return Effects{Answers: []Answer{*w.Answer}}
	}
	e.Asked++
	value := fmt.Sprint(e.id, " ", e.Asked)
	remembered, _ := json.Marshal(e.Asked)
	return Effects{
		Remember: remembered, Leads: uint64(e.Asked),
		Send: []Message{To(from, word{Answer: &Answer{ID: w.Asked.ID, Outcome: Outcome(w.Asked.Value), Value: &value, Why: "so"}})},
	}
}

func (e *echo) Request(r Request) Effects {
	if r.Op == Get {
		return Effects{Answers: []Answer{{ID: r.ID, Outcome: OK}}}
	}
	return Effects{Send: []Message{To(e.next, word{Asked: &r})}}
}

func (e *echo) Status() Status { return Status{ID: e.id, Role: "echo"} }

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A core that runs for real: its messages arrive, clients are answered as it says, and what it remembers is on disk.
func TestServe(t *testing.T) {
	peers := map[string]string{"n1": freeAddr(t), "n2": freeAddr(t)}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	clients := map[string]string{}
	dirs := map[string]string{}
	ends := map[string]chan error{}
	var log strings.Builder
	for id, next := range map[string]string{"n1": "n2", "n2": "n1"} {
		clients[id], dirs[id] = freeAddr(t), t.TempDir()
		c := Config{ID: id, Peers: peers, Client: clients[id], Dir: dirs[id], Tick: time.Millisecond, RequestTimeout: 300 * time.Millisecond}
		say := slog.New(slog.DiscardHandler)
		if id == "n2" {
			say = slog.New(slog.NewJSONHandler(&log, nil))
		}
		ended := make(chan error, 1)
		ends[id] = ended
		wait.Go(func() { ended <- Serve(ctx, c, &echo{id: id, next: next}, say) })
	}
	c := kvhttp.NewClient(clients["n1"])
	require.Eventually(t, func() bool {
		_, _, err := c.Read(ctx, "x")
		return err == nil
	}, 10*time.Second, time.Millisecond)
	var s Status
	code, err := c.Do(ctx, http.MethodGet, "/status", nil, &s)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, Status{ID: "n1", Role: "echo"}, s)

	_, err = c.Write(ctx, "x", string(OK))
	require.NoError(t, err)
	_, err = c.CompareAndSet(ctx, "x", "a", string(Mismatch))
	var refusal harness.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "n2 2", *refusal.Found)
	_, err = c.Write(ctx, "x", string(Refused))
	require.ErrorIs(t, err, harness.ErrNotApplied)
	_, err = c.Write(ctx, "x", string(InDoubt))
	require.ErrorContains(t, err, "504")
	require.NotErrorIs(t, err, harness.ErrNotApplied)
	code, err = c.Do(ctx, http.MethodPut, "/kv/x", 7, &s)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, code)

	remembered, err := Remembered(dirs["n2"])
	require.NoError(t, err)
	require.Equal(t, "4", string(remembered))
	remembered, err = Remembered(dirs["n1"])
	require.NoError(t, err)
	require.Nil(t, remembered)

	require.NoError(t, os.RemoveAll(dirs["n2"])) // it cannot remember, so it must not answer, and ends
	_, err = c.Write(ctx, "x", string(OK))
	require.Error(t, err)
	require.NotErrorIs(t, err, harness.ErrNotApplied)
	require.NoError(t, c.Close())
	cancel()
	wait.Wait()
	require.NoError(t, <-ends["n1"])
	require.ErrorContains(t, <-ends["n2"], "remember: ")
	require.Contains(t, log.String(), `"msg":"became leader","term":3`)
}

func TestServeNowhere(t *testing.T) {
	c := Config{ID: "n1", Peers: map[string]string{"n1": "nowhere"}, Client: "nowhere"}
	require.Error(t, Serve(t.Context(), c, &echo{}, slog.New(slog.DiscardHandler)))
	c.Peers["n1"] = "127.0.0.1:0"
	require.Error(t, Serve(t.Context(), c, &echo{}, slog.New(slog.DiscardHandler)))
	_, err := Remembered(filepath.Join(t.TempDir(), strings.Repeat("x", 300)))
	require.Error(t, err)
}

// The same seed does the same; what is cut off, lost or down does not arrive.
func TestNetwork(t *testing.T) {
	begin := func(id string, remembered json.RawMessage) Core {
		e := &echo{id: id, next: map[string]string{"n1": "n2", "n2": "n1"}[id]}
		if remembered != nil {
			require.NoError(t, json.Unmarshal(remembered, &e.Asked))
		}
		return e
	}
	asked := func(seed uint64, loss float64) map[uint64]Answer {
		n := NewNetwork(seed, []string{"n1", "n2"}, begin)
		n.Loss = loss
		for id := range uint64(50) {
			n.Request("n1", Request{ID: id, Op: Put, Value: string(OK)})
			n.Run(1)
		}
		n.Run(10)
		return n.Answers
	}
	first := asked(1, 0.3)
	require.Equal(t, first, asked(1, 0.3))
	require.NotEqual(t, asked(1, 0.3), asked(2, 0.3))
	require.Len(t, asked(1, 0), 50)

	n := NewNetwork(1, []string{"n1", "n2"}, begin)
	ask := func(id uint64) bool {
		n.Request("n1", Request{ID: id, Op: Put, Value: string(OK)})
		n.Run(10)
		_, answered := n.Answers[id]
		return answered
	}
	require.True(t, ask(1))
	n.Cut([]string{"n1"}, []string{"n2"})
	require.False(t, ask(2))
	n.Heal()
	n.Stop("n2")
	require.Nil(t, n.Core("n2"))
	require.False(t, ask(3))
	n.Start("n2")
	require.True(t, ask(4))
	require.Equal(t, "n2 2", *n.Answers[4].Value, "it remembers")
	require.Equal(t, []Lead{{n.Led[0].At, "n2", 1}, {n.Led[1].At, "n2", 2}}, n.Led)
	require.Equal(t, 40, n.Now())
}
