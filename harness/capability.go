package harness

import (
	"fmt"
	"slices"
	"strings"
)

// Capability is a word for what faults, workloads and targets need, and what fleets and targets can do. What fits
// together is computed from nothing else.
type Capability string

// What fleets can do.
const (
	// NodeAddress: all members see a node at the same address. Without it each sees the others at addresses of its own.
	NodeAddress Capability = "node.address"
	// NodeProgram: the fleet brings the target's program itself, such as by an image.
	NodeProgram Capability = "node.program"
	NodeKill    Capability = "node.kill"
	NodePause   Capability = "node.pause"
	NodeUnplug  Capability = "node.unplug" // its network goes, clients' way to it included
	NodeWipe    Capability = "node.wipe"   // what is on its disk goes, while it is down
	// NodeRelaunch: a node that ended is started with another program, or other arguments.
	NodeRelaunch Capability = "node.relaunch"
	LinkCut      Capability = "link.cut"
	LinkLoss     Capability = "link.loss"
	LinkDelay    Capability = "link.delay"
	LinkRate     Capability = "link.rate"
	// What can be done to packets, and not to a stream of bytes.
	LinkReorder   Capability = "link.reorder"
	LinkDuplicate Capability = "link.duplicate"
	LinkCorrupt   Capability = "link.corrupt"
	ClientCut     Capability = "client.cut" // clients can be cut off from nodes that reach each other
)

// What targets can do.
const (
	// KV: clients read and write keys; CAS: they set a key if it holds a value that they name.
	KV  Capability = "kv"
	CAS Capability = "kv.cas"
	// Lock: clients take locks; targets that can do [CAS] need not say it.
	Lock Capability = "lock"
	// Lease: clients set keys under leases, which they keep alive, revoke, or let run out.
	Lease Capability = "lease"
	// Leader: members say who leads, so that faults can be aimed at it.
	Leader Capability = "leader"
	// What operators can ask of members, by [Operated].
	MoveLeader   Capability = "leader.move"
	Defragment   Capability = "store.defragment"
	SaveSnapshot Capability = "store.snapshot"
	Compact      Capability = "store.compact"
	// Members can be removed and added, by [Membered].
	ReplaceMember Capability = "member.replace"
	// MixVersions: members may be of several versions, of which the run has more than one; by [VersionTeller].
	MixVersions Capability = "version.mix"
)

// ClientsCan returns what clients of a target can do: what it says, and what follows from that.
func ClientsCan(t Target) []Capability {
	can := slices.Clone(t.Can())
	if slices.Contains(can, CAS) && !slices.Contains(can, Lock) {
		can = append(can, Lock) // by a lease under a key
	}
	return can
}

// Missing returns what is needed and cannot be done, sorted.
func Missing(needs, can []Capability) []Capability {
	missing := slices.DeleteFunc(slices.Clone(needs), func(c Capability) bool { return slices.Contains(can, c) })
	slices.Sort(missing)
	return slices.Compact(missing)
}

// CanOn returns what can be done to a target on a fleet that can do so much: all that either can, but for what the
// target is to be spared.
func CanOn(fleet []Capability, t Target) []Capability {
	spare := sparedOf(t)
	all := slices.Concat(fleet, t.Can())
	return slices.DeleteFunc(all, func(c Capability) bool { return slices.Contains(spare, c) })
}

func sparedOf(t Target) []Capability {
	if s, ok := t.(Spared); ok {
		return s.Spare()
	}
	return nil
}

// FitSpared returns an error if something that is needed is what a target is to be spared.
func FitSpared(who string, needs []Capability, name string, t Target) error {
	for _, c := range sparedOf(t) {
		if slices.Contains(needs, c) {
			return fmt.Errorf("%s needs %s, which %s does not promise to come through", who, c, name)
		}
	}
	return nil
}

// Lacks is the error that something which is asked for cannot be done.
type Lacks struct {
	Who, By string // "nemesis loss", "fleet local"
	What    []Capability
}

// Error says who needs what of whom.
func (l Lacks) Error() string {
	return fmt.Sprintf("%s needs %s, which %s does not have", l.Who, l.words(), l.By)
}

// Unwrap makes it what it is.
func (l Lacks) Unwrap() error { return ErrUnsupported }

func (l Lacks) words() string {
	words := make([]string, len(l.What))
	for i, c := range l.What {
		words[i] = string(c)
	}
	return strings.Join(words, " and ")
}

// Fit returns a [Lacks] if something that is needed cannot be done.
func Fit(who string, needs []Capability, by string, can []Capability) error {
	if missing := Missing(needs, can); len(missing) > 0 {
		return Lacks{Who: who, By: by, What: missing}
	}
	return nil
}
