// Package packets makes the links to one node bad by the kernel's packet rules, in the node's network namespace, and
// counts what they lose.
package packets

import "github.com/sunder-dev/sunder/harness"

// Capability is something that a kernel can do to packets, or not.
type Capability struct {
	Name harness.Capability `json:"name"`
	Lack string             `json:"lack,omitempty"` // why not; empty if it can
}

// Can is what packet rules can do where the kernel lacks nothing.
func Can() []harness.Capability {
	return []harness.Capability{
		harness.LinkCut, harness.LinkLoss, harness.LinkDelay, harness.LinkRate, harness.LinkReorder, harness.LinkDuplicate,
		harness.LinkCorrupt,
	}
}

// Lacks returns those of some capabilities that are lacking.
func Lacks(probed []Capability) (lacks []harness.Capability) {
	for _, c := range probed {
		if c.Lack != "" {
			lacks = append(lacks, c.Name)
		}
	}
	return lacks
}
