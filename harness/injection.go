package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Injection is one fault in force: the means to bring it about, the evidence that it acts, and
// the stack of what undoes it. Each undoing is pushed before its deed, so that a deed that fails
// half-way is undone too.
//
// Most kinds of deeds hold nodes in a state ([Injection.Hold]) or impair links ([Injection.Impair]): both count the
// faults that do so, undo and record by themselves. A deed that is neither calls [Injection.OnHeal], does it, and tells
// by [Injection.Saw] how it was seen to act.
type Injection struct {
	cluster *Cluster

	mu       sync.Mutex
	heals    []func(context.Context) error
	evidence map[string]any
	deed     int  // the number of the deed that is being done, from 0
	acted    bool // some deed did something, or may have
	idle     bool // some deed is known to have done nothing
}

// NewInjection returns an injection into the cluster that has done nothing yet.
func (c *Cluster) NewInjection() *Injection {
	return &Injection{cluster: c, evidence: map[string]any{}}
}

// Node returns a node to act on.
func (in *Injection) Node(name string) Node { return in.cluster.Node(name) }

// Fleet returns the fleet that the cluster is on.
func (in *Injection) Fleet() Fleet { return in.cluster.fleet }

// Target returns the target that the cluster is of.
func (in *Injection) Target() Target { return in.cluster.target }

// SetMembers records who is a member of the cluster from now on: those that are not are neither waited for nor aimed
// at. A deed that changes the membership calls it once the cluster has agreed to the change.
func (in *Injection) SetMembers(nodes ...string) error { return in.cluster.setMembers(nodes) }

// Members returns who is a member of the cluster now.
func (in *Injection) Members() []string { return in.cluster.Members() }

// OnHeal pushes an undoing. It is called once, and must bear that although the deed failed.
func (in *Injection) OnHeal(undo func(context.Context) error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.heals = append(in.heals, undo)
}

// Saw adds to the evidence that the fault acts. What was seen is written as JSON. A fault without evidence is not
// confirmed.
func (in *Injection) Saw(what string, seen any) {
	in.mu.Lock()
	in.acted = true
	in.mu.Unlock()
	in.saw(what, seen)
}

// DidNot adds to the evidence that a deed did nothing, or that nobody says it did and the cluster lacks nothing by it.
func (in *Injection) DidNot(what string, seen any) {
	in.mu.Lock()
	in.idle = true
	in.mu.Unlock()
	in.saw(what, seen)
}

// saw adds to the evidence, each deed's under names of its own.
func (in *Injection) saw(what string, seen any) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.deed > 0 {
		what = fmt.Sprintf("%s_%d", what, in.deed+1)
	}
	in.evidence[what] = seen
}

// next says that the next deed of the fault is done from here on.
func (in *Injection) next(deed int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.deed = deed
}

// Heal undoes everything, last in first out, whatever of it fails. A second call has nothing left
// to undo.
func (in *Injection) Heal(ctx context.Context) error {
	in.mu.Lock()
	heals := in.heals
	in.heals = nil
	in.mu.Unlock()
	var errs []error
	for _, undo := range slices.Backward(heals) {
		errs = append(errs, undo(ctx))
	}
	return errors.Join(errs...)
}

// Evidence returns what was seen of the fault, as JSON.
func (in *Injection) Evidence() (json.RawMessage, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return json.Marshal(in.evidence)
}

// DidNothing reports whether the fault is known to have done nothing at all.
func (in *Injection) DidNothing() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.idle && !in.acted
}

// Hold holds nodes in a state until the fault is healed. If all of them were in it already, or had no process, the
// fault did not happen.
func (in *Injection) Hold(ctx context.Context, s State, nodes ...string) error {
	in.OnHeal(func(ctx context.Context) error { return in.cluster.leave(ctx, s, nodes) })
	hit, err := in.cluster.enter(ctx, s, nodes)
	in.saw(s.Name, hit.nodes)
	if err == nil {
		if missed := slices.DeleteFunc(
			slices.Clone(nodes),
			func(n string) bool { return slices.Contains(hit.nodes, n) },
		); len(
			missed,
		) > 0 {
			in.saw("already_down", missed)
		}
	}
	in.mu.Lock()
	if len(hit.nodes) == 0 && hit.sure {
		in.idle = true
	} else {
		in.acted = true
	}
	in.mu.Unlock()
	if err == nil && len(hit.nodes) == 0 {
		if s.Serves {
			return fmt.Errorf("%v were all in that state already: %s", nodes, s.Name)
		}
		return fmt.Errorf("%v were all down already", nodes)
	}
	return err
}
