// Package packets makes the links to one node bad by the kernel's packet rules, in the node's network namespace, and
// counts what they lose.
package packets

// Capability is something that a kernel can do or not.
type Capability struct {
	Name string `json:"name"`
	Lack string `json:"lack,omitempty"` // why not; empty if it can
}

// The capabilities that are probed.
const (
	NFTables = "nftables"
	Loss     = "loss"
	Delay    = "delay"
)
