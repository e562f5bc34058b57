//go:build !linux

package agent

import (
	"errors"
	"net/netip"
)

// NewFirewall fails: agents run in containers, which run Linux.
func NewFirewall([]netip.Addr) (Firewall, error) {
	return nil, errors.New("an agent runs on Linux only")
}
