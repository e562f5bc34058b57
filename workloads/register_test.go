package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

var options = RegisterOptions{Keys: 4, OpsPerKey: 100, Mix: Mix{"read": 2, "write": 1, "cas": 1}, Seed: 7}

func aRegister(t require.TestingT) *register {
	w, err := NewRegister(options)
	require.NoError(t, err)
	return w.(*register)
}

func unseen(string) (json.RawMessage, bool) { return nil, false }

func seen(v string) func(string) (json.RawMessage, bool) {
	return func(string) (json.RawMessage, bool) { return json.RawMessage(v), true }
}

func TestNextIsPure(t *testing.T) {
	w := aRegister(t)
	rapid.Check(t, func(t *rapid.T) {
		turn := harness.Turn{
			Worker: rapid.IntRange(0, 20).Draw(t, "worker"), Seq: rapid.IntRange(0, 1000).Draw(t, "seq"),
			Calls: rapid.IntRange(0, 100_000).Draw(t, "calls"), Seen: seen("5"),
		}
		s := rapid.Uint64().Draw(t, "seed")
		next := func() harness.Call { return w.Next(rand.New(rand.NewPCG(s, 1)), turn) }
		first, again := next(), next()
		require.Equal(t, first, again)
	})
}

// Every value is written once in a run, so that a value says which write a read saw.
func TestValuesAreUnique(t *testing.T) {
	w := aRegister(t)
	r := rand.New(rand.NewPCG(1, 1))
	values := map[string]bool{}
	counts := map[string]int{}
	for worker := range 20 {
		for seq := range 500 {
			call := w.Next(r, harness.Turn{Worker: worker, Seq: seq, Calls: seq * 20, Seen: seen("3")})
			counts[call.F]++
			value := string(call.Value)
			switch call.F {
			case read:
				require.True(t, call.ReadOnly)
				continue
			case cas:
				var v [2]json.Number
				require.NoError(t, json.Unmarshal(call.Value, &v))
				require.Equal(t, "3", v[0].String())
				value = v[1].String()
			}
			require.False(t, values[value], "%s twice", value)
			values[value] = true
		}
	}
	require.InDelta(t, 5000, counts[read], 300)
	require.InDelta(t, 2500, counts[write], 300)
	require.InDelta(t, 2500, counts[cas], 300)
}

// Keys live about as long as asked for, do not come back, and do not change in step.
func TestKeysAreRetired(t *testing.T) {
	w := aRegister(t)
	life := map[string]int{}
	last := map[string]int{}
	changes := map[int]int{}
	const calls = 200_000
	for n := range calls {
		for slot := range options.Keys {
			key := w.key(slot, n)
			if life[key] == 0 {
				changes[n]++
			} else {
				require.Equal(t, n-1, last[key], "%s comes back", key)
			}
			life[key]++
			last[key] = n
		}
	}
	require.InDelta(t, calls/options.OpsPerKey, len(life), 100)
	together := 0
	for n, c := range changes {
		if n > 0 && c > 1 {
			together++
		}
	}
	require.Less(t, together, len(life)/10)
	final := map[string]bool{}
	for _, call := range w.Final(calls - 1) {
		require.NotZero(t, life[call.Key])
		final[call.Key] = true
	}
	require.Len(t, final, options.Keys*finalKeys)
	for key, n := range last {
		if n >= calls-finalKeys/2*options.OpsPerKey {
			require.True(t, final[key], "%s was in use of late and is not read at the end", key)
		}
	}
}

func TestCASNeedsAValueToCompare(t *testing.T) {
	options := options
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		mix   Mix
		empty string
	}{{Mix{"cas": 1}, write}, {Mix{"cas": 1000, "write": 1}, read}} {
		options.Mix = c.mix
		w, err := NewRegister(options)
		require.NoError(t, err)
		require.Equal(t, read, w.Next(r, harness.Turn{Seen: unseen}).F)
		require.Equal(t, c.empty, w.Next(r, harness.Turn{Seen: seen("null")}).F, "somebody must write")
		require.Equal(t, cas, w.Next(r, harness.Turn{Seen: seen("1")}).F)
	}
	options.Mix = Mix{"read": 1}
	_, err := NewRegister(options)
	require.ErrorContains(t, err, "nothing is ever written")
}

// kv is a client of a map, or one that fails.
type kv struct {
	values map[string]string
	err    error
}

func (c *kv) Close() error { return nil }

func (c *kv) Read(_ context.Context, key string) (*string, history.Stamp, error) {
	if v, ok := c.values[key]; ok {
		return &v, history.Stamp{Version: 7}, c.err
	}
	return nil, history.Stamp{}, c.err
}

func (c *kv) Write(_ context.Context, key, value string) (history.Stamp, error) {
	c.values[key] = value
	return history.Stamp{Version: 8}, c.err
}

func (c *kv) CompareAndSet(_ context.Context, key, old, value string) (history.Stamp, error) {
	if now := c.values[key]; now != old {
		return history.Stamp{Version: 9}, harness.Refusal{Reason: history.Mismatch, Found: &now, Known: true}
	}
	c.values[key] = value
	return history.Stamp{Version: 9}, c.err
}

func TestInvoke(t *testing.T) {
	w := aRegister(t)
	c := &kv{values: map[string]string{}}
	invoke := func(f, value string) (string, error) {
		answer, err := w.Invoke(t.Context(), c, harness.Call{F: f, Key: "k", Value: json.RawMessage(value)})
		if err == nil && string(answer.Value) != null {
			require.Equal(t, map[string]uint64{read: 7, write: 8, cas: 9}[f], answer.Stamp.Version, "what the target says of the place is passed on")
		}
		return string(answer.Value), err
	}
	for _, step := range []struct {
		f, value, want string
		err            error
	}{
		{read, "", "null", nil},
		{write, "3", "3", nil},
		{read, "", "3", nil},
		{cas, "[3,4]", "4", nil},
		{cas, "[3,5]", "4", harness.ErrNotApplied}, // what it found
		{read, "", "4", nil},
	} {
		got, err := invoke(step.f, step.value)
		require.ErrorIs(t, err, step.err)
		require.Equal(t, step.want, got, step.f)
	}
	// What a target says is data: it is recorded as it is, and is JSON in any case.
	for _, odd := range []string{"</script>", "007", "", "null", "1e3", "\x00\xff"} {
		c.values["k"] = odd
		got, err := invoke(read, "")
		require.NoError(t, err)
		require.True(t, json.Valid([]byte(got)), got)
		require.Equal(t, byte('"'), got[0])
	}
	c.values["k"] = strings.Repeat("x", 1<<20)
	got, err := invoke(read, "")
	require.NoError(t, err)
	require.Less(t, len(got), 2*maxValue)
	c.err = errors.New("lost")
	_, err = invoke(write, "9")
	require.ErrorIs(t, err, c.err)
	require.NotErrorIs(t, err, harness.ErrNotApplied, "an error is a maybe")
}

func TestInvokeNeedsAKV(t *testing.T) {
	_, err := aRegister(t).Invoke(t.Context(), noKV{}, harness.Call{F: read})
	require.ErrorIs(t, err, harness.ErrNotApplied)
	require.ErrorContains(t, err, "cannot read, write")
}

type noKV struct{}

func (noKV) Close() error { return nil }

func TestOptionsAreValidated(t *testing.T) {
	for want, spoil := range map[string]func(*RegisterOptions){
		"0 keys: at least 1":             func(o *RegisterOptions) { o.Keys = 0 },
		"0 operations a key: at least 1": func(o *RegisterOptions) { o.OpsPerKey = 0 },
		`unknown operation "append"`:     func(o *RegisterOptions) { o.Mix = Mix{"append": 1} },
		"read=-1: not below 0":           func(o *RegisterOptions) { o.Mix = Mix{"read": -1} },
		"no operation of read":           func(o *RegisterOptions) { o.Mix = nil },
	} {
		o := options
		spoil(&o)
		_, err := NewRegister(o)
		require.ErrorContains(t, err, want)
	}
}

func ExampleNewRegister() {
	w, _ := NewRegister(RegisterOptions{Keys: 1, OpsPerKey: 100, Mix: Mix{"write": 1}})
	r := rand.New(rand.NewPCG(1, 2))
	fmt.Printf("%s\n", w.Next(r, harness.Turn{Worker: 2, Seq: 1}).Value)
	// Output: 10003
}
