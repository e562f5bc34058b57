package packets

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Probe tries what the kernel can do in the network namespace of the process, which should be one of
// its own: it leaves its traces there.
func Probe() []Capability {
	return []Capability{
		capability(NFTables, func() error { return tryRules(harness.Impairment{Drop: true}) }),
		capability(Loss, func() error { return tryRules(harness.Impairment{Loss: 0.5}) }),
		capability(Delay, func() error { return tryRules(harness.Impairment{Delay: time.Second}) }),
	}
}

func capability(name string, try func() error) Capability {
	c := Capability{Name: name}
	if err := try(); err != nil {
		c.Lack = err.Error()
	}
	return c
}

// tryRules makes the real thing, for a peer that is not there (an address for documentation).
func tryRules(i harness.Impairment) (err error) {
	peer := netip.MustParseAddr("192.0.2.1")
	rules, err := NewRules([]netip.Addr{peer})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rules.Close()) }()
	if err := rules.Set(map[netip.Addr]harness.Impairment{peer: i}); err != nil {
		return err
	}
	_, err = rules.Traffic()
	return err
}
