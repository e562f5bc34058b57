//go:build !linux

package agent

import (
	"errors"
	"net/netip"
	"os"
)

// Probe finds nothing: agents run on Linux only.
func Probe() []Capability { return nil }

// NewFirewall fails: agents run in containers, which run Linux.
func NewFirewall([]netip.Addr) (Firewall, error) {
	return nil, errors.New("an agent runs on Linux only")
}

// NewFirewallIn fails likewise.
func NewFirewallIn(*os.File, []netip.Addr) (Firewall, error) { return NewFirewall(nil) }
