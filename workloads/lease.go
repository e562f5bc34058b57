package workloads

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Leaser is what a client must be able to do for lease, beside reading keys. An error that is a [harness.Refusal] is
// the proof that nothing was changed: for [history.Taken] that another lease's key was there, and for [history.Gone]
// that the lease was over.
type Leaser interface {
	// Read returns the value of a key, or nil if there is none.
	Read(ctx context.Context, key string) (*string, history.Stamp, error)
	// Grant sets a key, if it is not there, under a lease of its own, and returns the lease's time.
	Grant(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error)
	// KeepAlive gives the lease of a key with a value its time again, and returns that time.
	KeepAlive(ctx context.Context, key string, value uint64, ttl time.Duration) (time.Duration, error)
	// Revoke ends the lease of a key with a value, and so the key.
	Revoke(ctx context.Context, key string, value uint64) error
}

// leases is the workload lease: a few keys, of which each is set under a lease. Some of the leases are left to run out
// at once, some are kept alive for a while, and some are revoked; everybody reads all keys.
type leases struct {
	keys int
	ttl  time.Duration
}

// Operations of leases.
const (
	grant     = "grant"
	keepAlive = "keepalive"
	revoke    = "revoke"
)

func leaseEntry() harness.WorkloadEntry {
	return harness.WorkloadEntry{
		About: "keys under leases, which are kept alive, revoked, or run out",
		New: func(flags *flag.FlagSet) func(seed uint64) (harness.Workload, error) {
			keys := flags.Int("leases", 40, "keys that are set under leases")
			ttl := flags.Duration("lease-ttl", 2*time.Second, "after how long a lease runs out that nobody keeps alive")
			return func(uint64) (harness.Workload, error) { return NewLeases(*keys, *ttl) }
		},
	}
}

// NewLeases returns the workload lease, with so many keys.
func NewLeases(keys int, ttl time.Duration) (harness.Workload, error) {
	switch {
	case keys < 1:
		return nil, fmt.Errorf("%d keys with leases: at least 1", keys)
	case ttl < time.Second || ttl%time.Second != 0:
		return nil, fmt.Errorf("a TTL of %v: whole seconds, at least one; servers count in them", ttl)
	}
	return &leases{keys, ttl}, nil
}

// Operations implements [harness.Operator].
func (*leases) Operations() []harness.Operation {
	return []harness.Operation{{F: grant}, {F: keepAlive}, {F: revoke}, {F: read, ReadOnly: true}}
}

// Needs implements [harness.Workload].
func (*leases) Needs() []harness.Capability { return []harness.Capability{harness.Lease} }

// Checkers implements [harness.Judged].
func (*leases) Checkers() []string { return []string{"lease"} }

// spells is how many spells of a TTL come before the same lease is kept alive again; it is in half of them.
const spells = 6

// Next implements [harness.Workload].
func (w *leases) Next(r *rand.Rand, t harness.Turn) harness.Call {
	key := w.key(r.IntN(w.keys))
	held, known := heldBy(t, key)
	chance := r.IntN(100)
	if !known {
		if chance < 30 {
			value := uint64(t.Seq*maxWorkers + t.Worker + 1) // as register's: unique
			return harness.Call{F: grant, Key: key, Value: number(value)}
		}
		return harness.Call{F: read, Key: key, ReadOnly: true}
	}
	spell := uint64(t.Elapsed/w.ttl) + held
	switch kept := held%3 > 0 && spell%spells < spells/2; {
	case chance < 3 && held%3 == 2 && !kept:
		return harness.Call{F: revoke, Key: key, Value: number(held)}
	case chance < 15 && kept:
		return harness.Call{F: keepAlive, Key: key, Value: number(held)}
	}
	return harness.Call{F: read, Key: key, ReadOnly: true}
}

// heldBy returns whose lease a key is under, as far as it is known that it is.
func heldBy(t harness.Turn, key string) (value uint64, ok bool) {
	seen, _ := t.Seen(key) // what a read found, or the answer to a grant or keep-alive
	if value, err := strconv.ParseUint(string(seen), 10, 64); err == nil {
		return value, true
	}
	var said granted
	return said.Lease, json.Unmarshal(seen, &said) == nil && said.Lease > 0
}

func number(n uint64) json.RawMessage { return json.RawMessage(strconv.FormatUint(n, 10)) }

func (w *leases) key(i int) string { return fmt.Sprintf("lease-%d", i+1) }

// Final implements [harness.Finalizer].
func (w *leases) Final(int) (reads []harness.Call) {
	for i := range w.keys {
		reads = append(reads, harness.Call{F: read, Key: w.key(i), ReadOnly: true})
	}
	return reads
}

// Settle implements [harness.Settling]: all leases must be over, and a little more, as the bound must have passed.
func (w *leases) Settle() time.Duration { return history.LeaseOver(w.ttl) + 500*time.Millisecond }

// granted is what the answer to a grant or a keep-alive tells.
type granted struct {
	Lease uint64 `json:"lease"` // the value that the key is set to
	TTL   int64  `json:"ttl_ms"`
}

// Invoke implements [harness.Workload].
func (w *leases) Invoke(ctx context.Context, c harness.Client, call harness.Call) (answer harness.Answer, err error) {
	l, ok := c.(Leaser)
	if !ok {
		return answer, fmt.Errorf("a %T has no leases: %w", c, harness.ErrNotApplied)
	}
	if call.F == read {
		var value *string
		if value, answer.Stamp, err = l.Read(ctx, call.Key); err == nil {
			answer.Value, err = recorded(value)
		}
		return answer, err
	}
	value, err := strconv.ParseUint(string(call.Value), 10, 64)
	if err != nil {
		return answer, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	var ttl time.Duration
	switch call.F {
	case grant:
		ttl, err = l.Grant(ctx, call.Key, value, w.ttl)
	case keepAlive:
		ttl, err = l.KeepAlive(ctx, call.Key, value, w.ttl)
	case revoke:
		return answer, l.Revoke(ctx, call.Key, value)
	default:
		return answer, fmt.Errorf("lease has no operation %q: %w", call.F, harness.ErrNotApplied) // nothing was sent
	}
	if err != nil {
		return answer, err
	}
	answer.Value, err = json.Marshal(granted{value, ttl.Milliseconds()})
	return answer, err
}
