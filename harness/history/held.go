package history

import (
	"errors"
	"fmt"
	"time"
)

// Lost is what the client of a lock says who was told, or found out by its own clock, that it may hold the lock no
// more.
type Lost struct {
	Process int    `json:"process"`
	Lock    string `json:"lock"`
	Token   uint64 `json:"token"`
	// At is when it learned of it, by its own machine's clock.
	At time.Duration `json:"at_ns"`
}

func (l Lost) validate(now time.Duration) error {
	switch {
	case l.Lock == "":
		return errors.New("it does not say which lock")
	case l.Process < 0:
		return fmt.Errorf("process %d is no client", l.Process)
	case l.At < 0 || l.At > now:
		return fmt.Errorf("it was at %v, and told of at %v", l.At, now)
	}
	return nil
}

// LeaseOver is how long after a lease of a TTL was kept alive last it must be over, in a cluster that is whole and
// serves since then: Consul documents up to twice the TTL, and leaders that were just elected give all leases their
// time again.
func LeaseOver(ttl time.Duration) time.Duration { return 2*ttl + 5*time.Second }

// Taken is the Err of a grant that failed since another one holds the key, and Gone that of what failed since the lease
// is over.
const (
	Taken = "taken"
	Gone  = "gone"
)

// Stale is the Err of a guarded write that failed since the resource refused it for its token.
const Stale = "stale token"

// Guarded is what a resource did with a write of somebody who held the lock that guards it, or believed so.
type Guarded struct {
	// Seq numbers the writes to the resource, from 1.
	Seq     uint64 `json:"seq"`
	Process int    `json:"process"`
	Lock    string `json:"lock"`
	// Token came with the write, and Highest is the highest that came with one before; 0 if none did.
	Token   uint64 `json:"token"`
	Highest uint64 `json:"highest"`
	Value   uint64 `json:"value"`
	// Accepted says that it was made; otherwise it was refused for its token.
	Accepted bool `json:"accepted"`
}

func (g Guarded) validate(last uint64) error {
	switch {
	case g.Lock == "":
		return errors.New("it does not say of which lock")
	case g.Process < 0:
		return fmt.Errorf("process %d is no client", g.Process)
	case g.Seq != last+1:
		return fmt.Errorf("write %d comes after write %d", g.Seq, last)
	}
	return nil
}
