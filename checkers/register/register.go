// Package register decides whether what clients saw of one register is linearizable (Herlihy and
// Wing, 1990): whether there is an order of their operations that a register would answer in the
// same way, and in which whatever ended before another began comes first.
//
// There is one engine a kind of history, from the fastest to the most general, and [Decide] picks
// the first that is exact for the one at hand:
//
//   - unique: every value is written once. Near-linear time, whatever the number of clients and
//     of operations in doubt.
//   - versioned: the same, and held against the versions that the target told.
//   - compact: anything else. A search whose states are small and few; it takes exponential time
//     only in what is open at the same moment.
//   - porcupine: the field's reference.
//
// Neither verdict is to be taken on trust: one that is legal comes with an order that explains the history
// ([Decision.Order]), and one that is illegal with a few operations that have none ([Prove]). Package referee judges
// both.
//
// The package knows neither histories nor texts: values are numbers, equal if they are equal.
package register

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Never is the return time of an operation in doubt: it may take effect at any time after its
// call, or not at all.
const Never = math.MaxInt64

// Value names what a register holds. Small numbers are best: there are tables of them.
type Value uint32

// Absent is the value of a register that was never written, or was deleted.
const Absent Value = 0

// Action is what an operation does.
type Action uint8

// The actions.
const (
	Read   Action = iota // saw Value
	Write                // installs Value; [Absent] to delete
	Swap                 // compare-and-set: installs Value where it found Old
	Differ               // saw that the register does not hold Old: a compare-and-set that failed
)

// Op is one operation on the register.
type Op struct {
	// Call and Return are the ends of a closed interval, in any unit: two operations that
	// touch are concurrent. Return is [Never] if the operation is in doubt.
	Call, Return int64
	// Version is that of the value which was seen or installed, if the target told; 0 if not.
	// Each time something is installed the version grows.
	Version    uint64
	Value, Old Value
	// ID is the caller's own number of the operation.
	ID     uint32
	Action Action
}

func (o *Op) inDoubt() bool { return o.Return == Never }

// observes returns the value that the operation found, if it took place.
func (o *Op) observes() (Value, bool) {
	switch o.Action {
	case Read:
		return o.Value, true
	case Swap:
		return o.Old, true
	default:
		return 0, false
	}
}

// installs returns the value that the operation leaves behind.
func (o *Op) installs() (Value, bool) {
	return o.Value, o.Action == Write || o.Action == Swap
}

// Engine names a way to decide.
type Engine string

// The engines. Auto is the fastest one that is exact for the history.
const (
	Auto      Engine = "auto"
	Unique    Engine = "unique"
	Versioned Engine = "versioned"
	Compact   Engine = "compact"
	Porcupine Engine = "porcupine"
)

// Engines returns the names of all engines.
func Engines() []Engine { return []Engine{Auto, Unique, Versioned, Compact, Porcupine} }

// Limits bound one decision; its time is the context's. Zero is no limit.
type Limits struct {
	Configs int   // how many configurations the compact search may visit
	Memory  int64 // bytes that a search may hold
}

// Decision is what an engine found.
type Decision struct {
	// Result is Unknown, with the reason in Why, if a limit was reached or the engine does not
	// know such histories.
	Result porcupine.CheckResult
	Engine Engine
	Why    string
	// ByVersion says of an illegal history that its values alone are linearizable, and the
	// versions contradict that; ByValue, that its values alone are illegal. Where there was no
	// time to find out, it is neither.
	ByVersion, ByValue bool
	// Order explains a legal history: indices of its operations. Those in doubt that it does without are not in it.
	Order []uint32
	// Limited says that more memory or configurations might have decided it.
	Limited bool
	// conflict names values whose operations alone are illegal, if the engine knows.
	conflict []Value
}

// name says of an illegal history what it contradicts, given what its values alone are.
func (d *Decision) name(values porcupine.CheckResult) {
	d.ByVersion, d.ByValue = values == porcupine.Ok, values == porcupine.Illegal
}

// hasVersions reports whether the target told any versions.
func hasVersions(ops []Op) bool {
	for i := range ops {
		if ops[i].Version != 0 {
			return true
		}
	}
	return false
}

func decided(legal bool) porcupine.CheckResult {
	if legal {
		return porcupine.Ok
	}
	return porcupine.Illegal
}

// Decide says whether ops, in any order, are linearizable. The register is Absent at first.
func Decide(ctx context.Context, ops []Op, engine Engine, limits Limits) Decision {
	d := decider{ctx: ctx, limits: limits, witness: true}
	switch engine {
	case Unique, Versioned:
		if out, ok := d.unique(ops, engine == Versioned); ok {
			return out
		}
		return Decision{
			Result: porcupine.Unknown,
			Engine: engine,
			Why:    "a value is written twice, or deleted, or a difference was observed",
		}
	case Compact:
		return d.compact(ops)
	case Porcupine:
		return d.search(ops)
	case Auto:
		return d.auto(ops)
	default:
		return Decision{Result: porcupine.Unknown, Engine: engine, Why: fmt.Sprintf("there is no engine %q", engine)}
	}
}

// decider is what one decision may use.
type decider struct {
	ctx     context.Context
	limits  Limits
	witness bool // an order is wanted
}

func (d decider) auto(ops []Op) Decision {
	if d.ctx.Err() != nil {
		return Decision{Result: porcupine.Unknown, Engine: Auto, Why: whyEnded(d.ctx)}
	}
	versioned := hasVersions(ops)
	if out, ok := d.unique(ops, versioned); ok {
		return out
	}
	// What observations of values alone refute needs no search for what the differences allow.
	if rest := withoutDifferences(ops); len(rest) < len(ops) {
		if out, ok := d.unique(rest, versioned); ok && out.Result == porcupine.Illegal {
			if out.ByVersion {
				out.name(d.compact(withoutVersions(ops)).Result)
			}
			return out
		}
	}
	out := d.compact(ops)
	if out.Why != tooManyOpen {
		return out
	}
	if d.limits.Configs > 0 { // porcupine does not count them
		out.Limited = true
		return out
	}
	return d.search(ops)
}

func withoutDifferences(ops []Op) []Op {
	if !slices.ContainsFunc(ops, differs) {
		return ops
	}
	return slices.DeleteFunc(slices.Clone(ops), differs)
}

func differs(o Op) bool { return o.Action == Differ }

// withoutVersions returns the operations as if the target had told no versions.
func withoutVersions(ops []Op) []Op {
	plain := slices.Clone(ops)
	for i := range plain {
		plain[i].Version = 0
	}
	return plain
}

// values returns a bound of the values' names.
func values(ops []Op) int {
	top := Absent
	for i := range ops {
		top = max(top, ops[i].Value, ops[i].Old)
	}
	return int(top) + 1
}
