package workloads

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// KV is what a client must be able to do for register.
type KV interface {
	// Read returns the value of a key, or nil if there is none.
	Read(ctx context.Context, key string) (*string, history.Stamp, error)
	Write(ctx context.Context, key, value string) (history.Stamp, error)
	// CompareAndSet sets a key if it holds old. A [harness.Refusal] for [history.Mismatch] is the proof that it
	// holds another value, or none.
	CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error)
}

// register is Jepsen's workload of the same name: every key is a register. Written values are
// unique in the whole run, so that a value says which write a read saw. A few keys are in use at
// a time, by all clients; each is retired after a number of calls that differs from key to key,
// so that keys do not change in step with anything else.
type register struct {
	RegisterOptions
	mix weights
	// shifts are what the mix, and how many of the slots are in use, are in turn; empty if they do not change.
	shifts []shift
	// lives[slot] are how many of a slot's calls each of its keys gets, in order; after the
	// last one they begin again.
	lives [][]int
}

// livesPerSlot is after how many keys the lengths of a slot's lives repeat.
const livesPerSlot = 64

// Operations of a register.
const (
	read  = "read"
	write = "write"
	cas   = "cas"
)

// RegisterOptions are what can be chosen of the workload register.
type RegisterOptions struct {
	// Keys is how many keys are in use at a time.
	Keys int
	// OpsPerKey is after how many calls, on average, a key is retired for a new one.
	OpsPerKey int
	// Mix is how often read, write and cas come.
	Mix Mix
	// Vary changes the number of keys in use every few seconds, and the mix if it is the default one.
	Vary bool
	Seed uint64
}

// shift is what clients do for a while.
type shift struct {
	mix  weights
	keys int
}

// DefaultRegister returns options that do for most.
func DefaultRegister() RegisterOptions {
	return RegisterOptions{Keys: 8, OpsPerKey: 200, Mix: Mix{read: 50, write: 25, cas: 25}}
}

func registerEntry() harness.WorkloadEntry {
	return harness.WorkloadEntry{
		About: "reads, writes and compare-and-sets of many keys, several clients on each",
		New: func(flags *flag.FlagSet) func(seed uint64) (harness.Workload, error) {
			o := DefaultRegister()
			flags.IntVar(&o.Keys, "keys", o.Keys, "keys in use at a time")
			flags.IntVar(&o.OpsPerKey, "ops-per-key", o.OpsPerKey, "calls after which a key is retired, on average")
			flags.BoolVar(&o.Vary, "vary", o.Vary,
				"draw anew every few seconds how many of the keys are in use, and, unless it is given, the mix")
			flags.Var(&o.Mix, "mix", "`shares` of the operations read, write and cas")
			return func(seed uint64) (harness.Workload, error) {
				o.Seed = seed
				return NewRegister(o)
			}
		},
	}
}

// NewRegister returns the workload register.
func NewRegister(o RegisterOptions) (harness.Workload, error) {
	switch {
	case o.Keys < 1:
		return nil, fmt.Errorf("%d keys: at least 1", o.Keys)
	case o.OpsPerKey < 1:
		return nil, fmt.Errorf("%d operations a key: at least 1", o.OpsPerKey)
	}
	mix, err := newWeights(o.Mix, read, write, cas)
	if err != nil {
		return nil, err
	}
	if !mix.has(write) && !mix.has(cas) {
		return nil, errors.New("mix: nothing is ever written, so that reads prove nothing: give write or cas a share")
	}
	w := &register{RegisterOptions: o, mix: mix}
	for slot := range o.Keys {
		jitter := rand.New(rand.NewPCG(o.Seed, uint64(slot)))
		lives := make([]int, livesPerSlot)
		for i := range lives { // between three and five quarters of OpsPerKey
			lives[i] = max(1, o.OpsPerKey*3/4+jitter.IntN(o.OpsPerKey/2+1))
		}
		w.lives = append(w.lives, lives)
	}
	if o.Vary {
		w.drawShifts()
	}
	return w, nil
}

// mixes are those that a load that varies draws from: what exposes a bug in one hides it in another. Each has something
// of all operations, so that none goes untested in a run that is short.
var mixes = []Mix{
	{read: 50, write: 25, cas: 25}, {read: 80, write: 17, cas: 3}, {read: 80, write: 10, cas: 10},
	{read: 20, write: 75, cas: 5}, {read: 48, write: 48, cas: 4}, {read: 30, cas: 60, write: 10},
}

func (w *register) drawShifts() {
	r := rand.New(rand.NewPCG(w.Seed, 0x5417))
	w.shifts = make([]shift, tides)
	for i := range w.shifts {
		s := shift{mix: w.mix, keys: max(1, min(w.Keys, int(between(r, 1, float64(w.Keys)+1))))}
		if drawn := mixes[r.IntN(len(mixes))]; maps.Equal(w.Mix, DefaultRegister().Mix) { // another one was asked for
			s.mix, _ = newWeights(drawn, read, write, cas) // they are right
		}
		w.shifts[i] = s
	}
}

// now returns what clients do after some time.
func (w *register) now(elapsed time.Duration) shift {
	if len(w.shifts) == 0 {
		return shift{w.mix, w.Keys}
	}
	return w.shifts[int(elapsed/tideLength)%tides]
}

// Operations implements [harness.Operator].
func (w *register) Operations() (all []harness.Operation) {
	for _, f := range w.mix.names {
		all = append(all, harness.Operation{F: f, ReadOnly: f == read})
	}
	return all
}

// Needs implements [harness.Workload].
func (w *register) Needs() []harness.Capability {
	if slices.Contains(w.mix.names, cas) {
		return []harness.Capability{harness.KV, harness.CAS}
	}
	return []harness.Capability{harness.KV}
}

// Checkers implements [harness.Judged].
func (w *register) Checkers() []string { return []string{"linear"} }

// Next implements [harness.Workload].
func (w *register) Next(r *rand.Rand, t harness.Turn) harness.Call {
	now := w.now(t.Elapsed)
	slot := r.IntN(now.keys)
	f := now.mix.pick(r.IntN(now.mix.total()))
	key := w.key(slot, t.Calls)
	// Unique: no other worker has this remainder, and this one no other multiple.
	value := strconv.Itoa(t.Seq*maxWorkers + t.Worker + 1)
	switch f {
	case write:
		return harness.Call{F: write, Key: key, Value: json.RawMessage(value)}
	case cas:
		switch old, ok := t.Seen(key); {
		case ok && string(old) != null:
			return harness.Call{F: cas, Key: key, Value: json.RawMessage("[" + string(old) + "," + value + "]")}
		case ok && !w.mix.has(write): // nobody else would ever give it something to compare
			return harness.Call{F: write, Key: key, Value: json.RawMessage(value)}
		}
	}
	return harness.Call{F: read, Key: key, ReadOnly: true}
}

const (
	maxWorkers = harness.MaxClients
	null       = "null"
)

// key returns the name of the key that is in use in a slot after so many calls of all workers.
func (w *register) key(slot, calls int) string { return name(slot, w.generation(slot, calls)) }

func name(slot, generation int) string { return fmt.Sprintf("r%d.%d", slot, generation) }

// generation counts the keys that a slot has retired.
func (w *register) generation(slot, calls int) int {
	// The slot's share of the calls, shifted so that no two slots change keys together.
	share := calls/w.Keys + slot*w.OpsPerKey/w.Keys
	lives := w.lives[slot]
	all := 0
	for _, n := range lives {
		all += n
	}
	generation := share / all * len(lives)
	share %= all
	for _, n := range lives {
		if share < n {
			break
		}
		share -= n
		generation++
	}
	return generation
}

// finalKeys is how many keys of a slot are read at the end, the youngest ones: what a fault may
// have lost is found only where somebody looks.
const finalKeys = 32

// Final implements [harness.Finalizer]: the keys in use, and many that were, are read once more.
func (w *register) Final(calls int) []harness.Call {
	var reads []harness.Call
	for slot := range w.Keys {
		last := w.generation(slot, calls)
		for g := max(0, last-finalKeys+1); g <= last; g++ {
			reads = append(reads, harness.Call{F: read, Key: name(slot, g), ReadOnly: true})
		}
	}
	return reads
}

// maxValue bounds what is recorded of a value that was never written.
const maxValue = 1024

func bounded(value string) string {
	if len(value) <= maxValue {
		return value
	}
	return fmt.Sprintf("%q… (%d bytes, SHA-256 %x)", value[:32], len(value), sha256.Sum256([]byte(value)))
}

var errNoKV = errors.New("the target's client cannot read, write and compare-and-set")

// Invoke implements [harness.Workload].
func (w *register) Invoke(ctx context.Context, c harness.Client, call harness.Call) (answer harness.Answer, err error) {
	kv, ok := c.(KV)
	if !ok {
		return answer, fmt.Errorf("%w: %w", errNoKV, harness.ErrNotApplied) // nothing was sent
	}
	switch call.F {
	case read:
		var value *string
		if value, answer.Stamp, err = kv.Read(ctx, call.Key); err == nil {
			answer.Value, err = recorded(value)
		}
		return answer, err
	case write:
		if answer.Stamp, err = kv.Write(ctx, call.Key, string(call.Value)); err == nil {
			answer.Value = call.Value
		}
		return answer, err
	case cas:
		var values [2]json.Number
		if err := json.Unmarshal(call.Value, &values); err != nil {
			return answer, fmt.Errorf("cas %s: %w: %w", call.Value, err, harness.ErrNotApplied) // nothing was sent
		}
		answer.Stamp, err = kv.CompareAndSet(ctx, call.Key, string(values[0]), string(values[1]))
		var refusal harness.Refusal
		switch {
		case err == nil:
			answer.Value = json.RawMessage(values[1])
		case errors.As(err, &refusal) && refusal.Known:
			answer.Value, _ = recorded(refusal.Found) // what cannot be written down is left out
		}
		return answer, err
	}
	return answer, fmt.Errorf("register has no operation %q: %w", call.F, harness.ErrNotApplied) // nothing was sent
}

// recorded is a value as it goes to the history. What a target says is data: if it is none of the
// numbers that were written, it is recorded as the string that it is.
func recorded(value *string) (json.RawMessage, error) {
	if value == nil {
		return json.RawMessage(null), nil
	}
	if n, err := strconv.Atoi(*value); err != nil || strconv.Itoa(n) != *value {
		return json.Marshal(bounded(*value))
	}
	return json.RawMessage(*value), nil
}
