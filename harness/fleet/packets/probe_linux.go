package packets

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sunder-dev/sunder/harness"
)

// Probe tries what the kernel can do in the network namespace of the process, which should be one of
// its own: it leaves its traces there.
func Probe() (probed []Capability) {
	for _, c := range []struct {
		name harness.Capability
		with harness.Impairment
	}{
		{harness.LinkCut, harness.Impairment{Drop: true}},
		{harness.LinkLoss, harness.Impairment{Loss: 0.5}},
		{harness.LinkDelay, harness.Impairment{Delay: time.Second}},
		{harness.LinkRate, harness.Impairment{Rate: 1000}},
		{harness.LinkReorder, harness.Impairment{Reorder: 0.5}},
		{harness.LinkDuplicate, harness.Impairment{Duplicate: 0.5}},
		{harness.LinkCorrupt, harness.Impairment{Corrupt: 0.5}},
	} {
		tried := Capability{Name: c.name}
		if err := tryRules(c.with); err != nil {
			tried.Lack = err.Error()
		}
		probed = append(probed, tried)
	}
	return probed
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
