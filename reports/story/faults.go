package story

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder/harness/history"
)

// verbs are what happened to nodes that were down, by the kinds of faults that take them.
var verbs = map[string]string{
	"pause": "paused", "unplug": "unplugged", "amnesia": "killed and lost its disk",
	"replace": "replaced by a new member",
}

// FaultSentence says what a fault did to whom, and from when to when.
func FaultSentence(f history.Fault) string {
	if family, _, _ := strings.Cut(f.F, ":"); len(f.Took.Down) > 0 && family == "kill" {
		if f.Healed == history.Never {
			return fmt.Sprintf("%s killed at %s.", nodes(f.Took.Down), seconds(f.InForce))
		}
		return fmt.Sprintf("%s killed at %s and started again by %s.", nodes(f.Took.Down), seconds(f.InForce),
			seconds(f.Healed))
	}
	until := " until the end"
	if f.Healed != history.Never {
		until = " to " + seconds(f.Healed)
	}
	return fmt.Sprintf("%s from %s%s.", what(f), seconds(f.InForce), until)
}

// what says what a fault took.
func what(f history.Fault) string {
	family, _, _ := strings.Cut(f.F, ":")
	took := f.Took
	switch {
	case len(took.Down) > 0:
		verb, ok := verbs[family]
		if !ok {
			verb = "down (" + family + ")"
		}
		return nodes(took.Down) + " " + verb
	case len(took.Cut) > 0:
		if one, other, ok := sides(took.Cut); ok {
			return fmt.Sprintf("%s cut off from %s", nodes(one), strings.Join(other, " "))
		}
		return "Links were cut (" + links(took.Cut) + ")"
	case len(took.Lossy) > 0:
		return "Links lost packets (" + links(took.Lossy) + ")"
	case len(took.Slow) > 0:
		return "Links were slow (" + links(took.Slow) + ")"
	case len(took.Garbled) > 0:
		return "Links garbled packets (" + links(took.Garbled) + ")"
	}
	return "The fault " + f.F + " was in force"
}

// nodes begins a sentence about nodes: "n1 was", "n1 and n2 were".
func nodes(names []string) string {
	if len(names) == 1 {
		return names[0] + " was"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " were"
}

// mostLinks is how many links a sentence names.
const mostLinks = 4

func links(all []history.Link) string {
	var words []string
	for _, l := range all {
		words = append(words, l.String())
	}
	if more := len(words) - mostLinks; more > 0 {
		return strings.Join(words[:mostLinks], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(words, ", ")
}

// sides returns the two sides of a cut, the smaller one first, if it cuts all links between two groups of nodes in both
// directions and no other.
func sides(cut []history.Link) (one, other []string, ok bool) {
	first := cut[0].From
	isCut := make(map[history.Link]bool)
	var all []string
	for _, l := range cut {
		isCut[l] = true
		for _, n := range []string{l.From, l.To} {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	for _, n := range all {
		if isCut[history.Link{From: first, To: n}] {
			other = append(other, n)
		} else {
			one = append(one, n)
		}
	}
	if len(cut) != 2*len(one)*len(other) {
		return nil, nil, false
	}
	for _, a := range one {
		for _, b := range other {
			if !isCut[history.Link{From: a, To: b}] || !isCut[history.Link{From: b, To: a}] {
				return nil, nil, false
			}
		}
	}
	if len(other) < len(one) {
		one, other = other, one
	}
	return one, other, true
}
