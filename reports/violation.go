package reports

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

// The geometry of a violation's picture.
const (
	violationWidth = 1100.0
	rowHeight      = 34.0
	barHeight      = 22.0
	processGutter  = 130.0
)

// drawTimeline draws the operations of a timeline as bars, a row a process. Their order in time
// and which of them overlap is exact; the lengths are not: what matters may be a millisecond long
// and seconds apart, so the axis gives each span between two ends a width that grows with its
// logarithm, and names the times.
func drawTimeline(t checkers.Timeline) drawing {
	stretch := newStretch(t.Ops)
	d := drawing{W: violationWidth, Label: "Operations on key " + t.Key + " as bars over time, a row a process"}
	rows := make(map[int]float64)
	for _, o := range t.Ops {
		if _, ok := rows[o.Process]; !ok {
			y := 26 + rowHeight*float64(len(rows))
			rows[o.Process] = y
			d.text(processGutter-10, y+15, "name", "end", fmt.Sprintf("process %d at %s", o.Process, clip(o.Node, 8)))
			d.line(processGutter, y+rowHeight-5, violationWidth-10, y+rowHeight-5, "grid")
		}
	}
	d.H = 26 + rowHeight*float64(len(rows)) + 20
	for i, point := range stretch.points {
		x := stretch.xs[i]
		d.line(x, 20, x, d.H-18, "grid")
		if i == 0 || x-stretch.labelled >= 62 {
			d.text(x, d.H-5, "tick", "middle", fmt.Sprintf("%.4f s", point.Seconds()))
			stretch.labelled = x
		}
	}
	for _, o := range t.Ops {
		y, x := rows[o.Process], stretch.x(o.Call)
		end, class := stretch.x(o.Return), "op"
		if o.Return == history.Never {
			end, class = violationWidth-10, "op doubt"
		}
		note := ""
		if o.Culprit {
			class += " culprit"
			note = "  ✗ impossible"
		}
		title := fmt.Sprintf("%s\nprocess %d at %s\n%s to %s", o.Text, o.Process, o.Node, at(o.Call), at(o.Return))
		d.box(x, y, end-x, barHeight, class, title)
		d.text(x+4, y+15, "inbar", "start", clip(o.Text, 60)+note)
	}
	return d
}

// stretch is a time axis whose scale differs from span to span.
type stretch struct {
	points   []time.Duration
	xs       []float64
	labelled float64
}

func newStretch(ops []checkers.TimelineOp) *stretch {
	s := &stretch{}
	for _, o := range ops {
		s.points = append(s.points, o.Call)
		if o.Return != history.Never {
			s.points = append(s.points, o.Return)
		}
	}
	slices.Sort(s.points)
	s.points = slices.Compact(s.points)
	weights := []float64{0}
	total := 0.0
	for i := 1; i < len(s.points); i++ {
		w := 1 + math.Log10(1+float64(s.points[i]-s.points[i-1])/float64(time.Millisecond))
		total += w
		weights = append(weights, total)
	}
	// The rest is for what is in doubt, and for the text of the last bar.
	width := violationWidth - processGutter - 220
	for _, w := range weights {
		s.xs = append(s.xs, processGutter+10+width*w/max(total, 1))
	}
	return s
}

func (s *stretch) x(t time.Duration) float64 {
	i, found := slices.BinarySearch(s.points, t)
	if !found {
		return violationWidth - 10
	}
	return s.xs[i]
}
