package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

func someLeases(t *testing.T) harness.Workload {
	w, err := NewLeases(3, 2*time.Second)
	require.NoError(t, err)
	return w
}

func TestOptionsOfLeases(t *testing.T) {
	for _, bad := range []struct {
		keys int
		ttl  time.Duration
	}{{0, time.Second}, {1, 0}, {1, 500 * time.Millisecond}, {1, 1500 * time.Millisecond}} {
		_, err := NewLeases(bad.keys, bad.ttl)
		require.Error(t, err)
	}
	w := someLeases(t)
	require.Equal(t, []harness.Capability{harness.Lease}, w.Needs())
	require.Equal(t, []string{"lease"}, w.(harness.Judged).Checkers())
	require.Len(t, w.(harness.Finalizer).Final(100), 3)
	require.Greater(t, w.(harness.Settling).Settle(), history.LeaseOver(2*time.Second))
}

// Of the leases, some are left alone, some are kept alive for a while, and some of these are revoked after it; each is
// asked for once.
func TestLivesOfLeases(t *testing.T) {
	w := someLeases(t)
	r := rand.New(rand.NewPCG(1, 1))
	values := map[string]bool{}
	for worker := range 10 {
		for seq := range 50 {
			c := w.Next(r, harness.Turn{Worker: worker, Seq: seq, Seen: unseen})
			require.Contains(t, []string{grant, read}, c.F)
			if c.F == grant {
				require.False(t, values[string(c.Value)])
				values[string(c.Value)] = true
			}
		}
	}
	require.Greater(t, len(values), 50)

	did := func(held int, spell int) (all map[string]int) {
		all = map[string]int{}
		for _, form := range []string{"%d", `{"lease":%d,"ttl_ms":2000}`} {
			for range 1000 {
				c := w.Next(r, harness.Turn{Seen: seen(fmt.Sprintf(form, held)), Elapsed: time.Duration(spell) * 2 * time.Second})
				require.Contains(t, []string{"lease-1", "lease-2", "lease-3"}, c.Key)
				if c.F != read {
					require.Equal(t, fmt.Sprint(held), string(c.Value))
				}
				require.Equal(t, c.F == read, c.ReadOnly)
				all[c.F]++
			}
		}
		require.Zero(t, all[grant])
		return all
	}
	for spell := range 6 {
		require.Equal(t, 2000, did(9, spell)[read], "it is left alone")
		kept := did(10, spell)
		require.Zero(t, kept[revoke])
		require.Equal(t, (spell+10)%6 < 3, kept[keepAlive] > 100)
		ended := did(11, spell)
		require.Equal(t, (spell+11)%6 < 3, ended[keepAlive] > 100)
		require.Equal(t, (spell+11)%6 >= 3, ended[revoke] > 20)
	}
}

// leaser is a client whose calls all end in the same way.
type leaser struct {
	err   error
	value *string
}

func (leaser) Close() error { return nil }
func (l leaser) Read(context.Context, string) (*string, history.Stamp, error) {
	return l.value, history.Stamp{}, l.err
}

func (l leaser) Grant(_ context.Context, _ string, _ uint64, ttl time.Duration) (time.Duration, error) {
	return ttl, l.err
}

func (l leaser) KeepAlive(_ context.Context, _ string, _ uint64, ttl time.Duration) (time.Duration, error) {
	return 2 * ttl, l.err
}
func (l leaser) Revoke(context.Context, string, uint64) error { return l.err }

func TestInvokeLeases(t *testing.T) {
	w, seven := someLeases(t), "7"
	answer := func(l leaser, f, value string) (string, error) {
		a, err := w.Invoke(t.Context(), l, harness.Call{F: f, Key: "lease-1", Value: json.RawMessage(value)})
		return string(a.Value), err
	}
	for f, want := range map[string]string{
		grant: `{"lease":5,"ttl_ms":2000}`, keepAlive: `{"lease":5,"ttl_ms":4000}`, revoke: "", read: "7",
	} {
		got, err := answer(leaser{value: &seven}, f, "5")
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = answer(leaser{err: harness.Refusal{Reason: history.Gone}}, f, "5")
		require.ErrorIs(t, err, harness.ErrNotApplied)
		require.Empty(t, got)
		_, err = answer(leaser{err: errors.New("who knows")}, f, "5")
		require.NotErrorIs(t, err, harness.ErrNotApplied)
	}
	got, err := answer(leaser{}, read, "")
	require.NoError(t, err)
	require.Equal(t, "null", got)
	for _, bad := range []string{"burn", grant} {
		_, err = answer(leaser{}, bad, map[string]string{"burn": "5", grant: `"x"`}[bad])
		require.ErrorIs(t, err, harness.ErrNotApplied)
	}
	_, err = w.Invoke(t.Context(), nil, harness.Call{F: grant, Value: json.RawMessage("5")})
	require.ErrorIs(t, err, harness.ErrNotApplied)
}
