package workloads

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads/holder"
)

func TestTenureOptions(t *testing.T) {
	for want, spoil := range map[string]func(*TenureOptions){
		"0 locks":           func(o *TenureOptions) { o.Names = 0 },
		"1 processes":       func(o *TenureOptions) { o.Holders = 1 },
		"0 guarded writes":  func(o *TenureOptions) { o.Writes = 0 },
		"a TTL of 100ms":    func(o *TenureOptions) { o.TTL = 100 * time.Millisecond },
		`no recipe "magic"`: func(o *TenureOptions) { o.Recipe = "magic" },
	} {
		o := DefaultTenures()
		spoil(&o)
		_, err := NewLock(o)
		require.ErrorContains(t, err, want)
	}
}

// A client acquires, writes a few times, releases, and begins anew after whatever went wrong.
func TestTenuresTakeTurns(t *testing.T) {
	for _, make := range []func(TenureOptions) (harness.Workload, error){NewLock, NewElection} {
		w, err := make(DefaultTenures())
		require.NoError(t, err)
		take, end := w.(*tenures).words.take, w.(*tenures).words.end
		r := rand.New(rand.NewPCG(1, 1))
		turn := harness.Turn{Worker: 3}
		writes, tenures, values := 0, 0, map[string]bool{}
		for turn.Seq = range 2000 {
			call := w.Next(r, turn)
			var last string
			if turn.Last != nil {
				last = turn.Last.Call.F
				require.Equal(t, turn.Last.Kind == history.OK && last != end, call.F != take)
			}
			switch call.F {
			case write:
				require.Equal(t, turn.Last.Call.Key, call.Key)
				require.False(t, values[string(call.Value)])
				values[string(call.Value)] = true
				writes++
			case end:
				require.Equal(t, write, last, "who takes it uses it")
				tenures++
			}
			turn.Last = &harness.Outcome{Call: call, Kind: []history.Kind{
				history.OK, history.OK, history.OK, history.OK, history.OK, history.OK, history.OK, history.Fail, history.Info,
			}[r.IntN(9)]}
		}
		require.Greater(t, tenures, 20)
		require.Greater(t, writes, 5*tenures)
		ops := w.(harness.Operator).Operations()
		require.Equal(t, []string{take, write, end}, []string{ops[0].F, ops[1].F, ops[2].F})
	}
}

func TestTenuresNeedAndAreJudged(t *testing.T) {
	o := DefaultTenures()
	w, err := NewLock(o)
	require.NoError(t, err)
	require.Equal(t, []harness.Capability{harness.Lock}, w.Needs())
	require.Equal(t, []string{"fencing"}, w.(harness.Judged).Checkers())
	o.Recipe, o.Fencing = holder.Lease, false
	w, err = NewLock(o)
	require.NoError(t, err)
	require.Equal(t, []harness.Capability{harness.KV, harness.CAS}, w.Needs())
	require.Equal(t, []string{"mutex"}, w.(harness.Judged).Checkers())
}

func TestCompanionsOfLocks(t *testing.T) {
	w, err := NewLock(DefaultTenures())
	require.NoError(t, err)
	all := w.(harness.Accompanied).Companions(&harness.Test{
		Target: harnesstest.New(harnesstest.Mistakes{}), About: history.Test{Target: "raft@v1"},
	})
	var names []string
	place := harness.Placement{Members: []harness.Member{{Name: "n1"}, {Name: "n2"}, {Name: "n3"}}}
	for _, c := range all {
		names = append(names, c.Name)
		place.Companions = append(place.Companions, harness.Member{Name: c.Name, Addr: map[string]string{"peer": c.Name + ":1"}})
		require.Equal(t, c.Name == "guard", c.Dial == nil)
	}
	require.Equal(t, []string{"guard", "c1", "c2", "c3", "c4", "c5"}, names)
	place.Node = "c2"
	spec := all[2].Spec(place)
	require.True(t, spec.Self)
	require.Equal(t, "holderd", spec.Command[0])
	var c holder.Config
	require.NoError(t, json.Unmarshal([]byte(spec.Command[1]), &c))
	require.Equal(t, "c2:1", c.Listen)
	require.Equal(t, "guard:1", c.Guard)
	require.Equal(t, "raft@v1", c.Target)
	require.Equal(t, []string{"lock-1", "lock-2", "lock-3", "lock-4"}, c.Locks)
	require.Equal(t, "n2", c.Members[0].Name, "each calls another member first")
	require.False(t, c.Prepares)
}

func TestTenuresHeed(t *testing.T) {
	w, err := NewLock(DefaultTenures())
	require.NoError(t, err)
	at := func(monotonic int64) time.Duration { return time.Duration(monotonic - 100) }
	heed := w.(harness.Accompanied).Heed
	f, note, ok := heed([]byte(`{"lost":{"process":3,"lock":"lock-1","token":7,"monotonic_ns":350}}`), at)
	require.True(t, ok)
	require.Equal(t, history.FLost, f)
	require.JSONEq(t, `{"process":3,"lock":"lock-1","token":7,"at_ns":250}`, string(note))
	line := `{"guarded":{"seq":1,"process":3,"lock":"lock-1","token":7,"highest":0,"value":5,"accepted":true}}`
	f, note, ok = heed([]byte(line), at)
	require.True(t, ok)
	require.Equal(t, history.FGuarded, f)
	require.JSONEq(t, line, string(bytes.Join([][]byte{[]byte(`{"guarded":`), note, []byte(`}`)}, nil)))
	for _, other := range []string{"", "panic: oh dear", `{"level":"info"}`, `7`} {
		_, _, ok = heed([]byte(other), at)
		require.False(t, ok, other)
	}
}
