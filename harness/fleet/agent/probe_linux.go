package agent

import (
	"net/netip"

	"github.com/sunder-dev/sunder/harness"
)

// Probe tries what the kernel can do in the network namespace of the process, which should be one of
// its own: it leaves its traces there.
func Probe() []Capability {
	return []Capability{
		capability(NFTables, func() error { return tryFirewall(harness.Impairment{Drop: true}) }),
		capability(Loss, func() error { return tryFirewall(harness.Impairment{Loss: 0.5}) }),
	}
}

func capability(name string, try func() error) Capability {
	c := Capability{Name: name}
	if err := try(); err != nil {
		c.Lack = err.Error()
	}
	return c
}

// tryFirewall makes the real thing, for a peer that is not there (an address for documentation).
func tryFirewall(i harness.Impairment) error {
	peer := netip.MustParseAddr("192.0.2.1")
	fw, err := NewFirewall([]netip.Addr{peer})
	if err != nil {
		return err
	}
	if err := fw.Set(map[netip.Addr]harness.Impairment{peer: i}); err != nil {
		return err
	}
	_, err = fw.Traffic()
	return err
}
