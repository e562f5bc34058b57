package nemesis

import (
	"fmt"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// What happens to a share of the packets on the links to and from nodes. TCP makes up for all of it, so that a server
// sees links that are slow now and then; what is sent by UDP, such as gossip, is lost, comes twice, or in another
// order.
var (
	loss = often(linkFamily("loss", "lose packets at random", lossShapes, shares, "lose",
		share("lose a share of packets", harness.LinkLoss,
			func(s float64) harness.Impairment { return harness.Impairment{Loss: s} }, lossy)))
	reorder = linkFamily("reorder", "let packets overtake others", shareShapes, shares, "reorder",
		share("let a share of packets be overtaken", harness.LinkReorder,
			func(s float64) harness.Impairment { return harness.Impairment{Reorder: s} }, garbled))
	duplicate = linkFamily("duplicate", "let packets come twice", shareShapes, shares, "duplicate",
		share("let a share of packets come twice", harness.LinkDuplicate,
			func(s float64) harness.Impairment { return harness.Impairment{Duplicate: s} }, garbled))
	corrupt = linkFamily("corrupt", "flip bits in packets", shareShapes, shares, "corrupt",
		share("flip a bit in a share of packets", harness.LinkCorrupt,
			func(s float64) harness.Impairment { return harness.Impairment{Corrupt: s} }, lossy))
)

// The shapes: how many packets.
var (
	shareShapes = []string{"some", "half"}
	lossShapes  = append(shareShapes, "most")
	shares      = map[string]shareSettings{"some": {0.1}, "half": {0.5}, "most": {0.8}}
)

type shareSettings struct {
	Share float64 `json:"share"` // of packets, from 0 to 1
}

// share is a kind of deed that does something to a share of packets.
func share(
	about string, need harness.Capability, how func(share float64) harness.Impairment,
	takes func([]harness.Link) history.Takes,
) harness.DeedKind {
	return impairLinks(about, need, func(s shareSettings) (harness.Impairment, error) {
		if s.Share <= 0 || s.Share >= 1 {
			return harness.Impairment{}, fmt.Errorf("a share of %v: above 0 and below 1", s.Share)
		}
		return how(s.Share), nil
	}, takes)
}

func lossy(links []harness.Link) history.Takes   { return history.Takes{Lossy: links} }
func garbled(links []harness.Link) history.Takes { return history.Takes{Garbled: links} }

// rate makes the links to and from nodes narrow: each carries so many bytes a second, and what does not get through
// waits.
var rate = linkFamily("rate", "make links narrow", []string{"slow", "crawl"}, rates, "narrow", impairLinks(
	"let so many bytes a second through", harness.LinkRate,
	func(s rateSettings) (harness.Impairment, error) {
		if s.BytesPerS < leastRate {
			return harness.Impairment{}, fmt.Errorf("%d bytes/s: at least %d, so that connections are not given up", s.BytesPerS,
				leastRate)
		}
		return harness.Impairment{Rate: s.BytesPerS}, nil
	},
	lossy, // of what does not get through in time
))

var rates = map[string]rateSettings{"slow": {256 << 10}, "crawl": {32 << 10}}

// leastRate is how narrow a link may be: one packet of 1,500 bytes takes a second and a half.
const leastRate = 1000

type rateSettings struct {
	BytesPerS int64 `json:"bytes_per_s"`
}
