//go:build !linux

package packets

import (
	"errors"
	"net/netip"
	"os"

	"github.com/sunder-dev/sunder/harness"
)

var errNotLinux = errors.New("packet rules are Linux's")

// Probe finds nothing here.
func Probe() []Capability { return nil }

// Rules are not to be had here.
type Rules struct{}

// NewRules fails here.
func NewRules([]netip.Addr) (*Rules, error) { return nil, errNotLinux }

// NewRulesIn fails here.
func NewRulesIn(*os.File, []netip.Addr) (*Rules, error) { return nil, errNotLinux }

// NewNamedRules fails here.
func NewNamedRules(string, []netip.Addr) (*Rules, error) { return nil, errNotLinux }

// Set fails here.
func (*Rules) Set(map[netip.Addr]harness.Impairment) error { return errNotLinux }

// Traffic fails here.
func (*Rules) Traffic() (map[netip.Addr]harness.Traffic, error) { return nil, errNotLinux }

// Close does nothing here.
func (*Rules) Close() error { return nil }
