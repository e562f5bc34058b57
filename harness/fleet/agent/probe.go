package agent

// Capability is something that a kernel can do or not.
type Capability struct {
	Name string `json:"name"`
	Lack string `json:"lack,omitempty"` // why not; empty if it can
}

// The capabilities that are probed.
const (
	NFTables = "nftables"
	Loss     = "loss"
)
