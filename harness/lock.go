package harness

import (
	"context"
	"time"
)

// Locking is a target on which users take locks and elect leaders by a client library or a recipe of the target's own.
// On others that can do [CAS], it is done by a lease under a key.
type Locking interface {
	// Locker returns what takes locks of the cluster, as users do: what it holds is lost when nobody has heard of it for
	// ttl. It knows all members.
	Locker(members []Member, ttl time.Duration) (Locker, error)
}

// Locker is one client's way to locks, with a session or leases of its own. It is used by one goroutine at a time.
type Locker interface {
	// Acquire waits until it holds a lock, or ctx ends. After an error nothing is held by it, as far as anybody can tell.
	Acquire(ctx context.Context, name string) (Tenure, error)
	// Close ends it. What it holds and was not released, it loses after its time.
	Close(ctx context.Context) error
}

// Elector is a [Locker] that elects leaders by other means than locks.
type Elector interface {
	// Campaign waits until it is elected, or ctx ends.
	Campaign(ctx context.Context, election, candidate string) (Tenure, error)
}

// Tenure is a lock that was acquired, or an election that was won.
type Tenure interface {
	// Token is a number that is higher for each later holder: a resource that remembers the highest one can refuse the
	// writes of all holders before (fencing).
	Token() uint64
	// Lost is closed when the holder is told, or finds out by its own clock, that it may hold it no more.
	Lost() <-chan struct{}
	// Release gives it up.
	Release(ctx context.Context) error
}
