package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/view"
)

// The geometry of a timeline's picture.
const (
	timelineWidth = 1100.0
	rowHeight     = 34.0
	barHeight     = 22.0
	processGutter = 130.0
	letterWidth   = 6.4 // of text in bars, about
	spanWidth     = 30  // of a span between two ends in a crowded picture, about
)

const timelineCaption = "Each bar is a call, from its invocation to its answer; one that fades to the right is " +
	"in doubt, and may take effect at any time. " +
	"Which call ended before which other began is exact; the axis is not to scale, since quiet spans are drawn short."

// timeline shows operations on a key that no order explains.
func (p *Page) timeline(of string, data json.RawMessage) error {
	t, err := checkers.Decode[checkers.Timeline](data)
	if err != nil {
		return err
	}
	e := Evidence{
		Of: of,
		Heading: fmt.Sprintf("Key %s: %d of its %d operations, %s", t.Key, len(t.Ops), t.Whole,
			cmp.Or(t.About, "and no order explains them")),
		Figures: []Figure{{drawing: drawTimeline(t.Key, t.Ops, nil, timelineWidth)}},
		Text:    t.Text(),
	}
	e.Figures[0].Caption = strings.Join(append(t.Hints(), timelineCaption), " ")
	if len(t.Near) > 0 {
		e.Figures = append(e.Figures, Figure{
			drawing: drawTimeline(t.Key, t.Ops, t.Near, spanWidth*float64(len(t.Near)+len(t.Ops))*2),
			Summary: fmt.Sprintf("With the %d operations on the key that were called next to the impossible one", len(t.Near)),
		})
	}
	for _, o := range t.Ops {
		if o.Culprit { // from here on it was impossible, and not from the first write
			if e.From, e.To = o.Call, o.Return; e.To == history.Never {
				e.To = e.From // results of another sunder may say so
			}
		}
	}
	p.Add(e)
	return nil
}

// drawTimeline draws operations as bars, a row a process, and others near them. Their order in time and which of
// them overlap is exact; the lengths are not: what matters may be a millisecond long and seconds apart, so the axis
// gives each span between two ends a width that grows with its logarithm, and names the times.
func drawTimeline(key string, ops, near []checkers.TimelineOp, width float64) drawing {
	all := slices.Concat(ops, near)
	slices.SortStableFunc(all, func(a, b checkers.TimelineOp) int { return a.Index - b.Index })
	width = max(width, timelineWidth)
	s := newStretch(all, width)
	d := drawing{W: width, Label: "Operations on key " + key + " as bars over time, a row a process"}
	if width > timelineWidth {
		d.Wide = width
	}
	rows := make(map[int]float64)
	for _, o := range all {
		if _, ok := rows[o.Process]; !ok {
			y := 26 + rowHeight*float64(len(rows))
			rows[o.Process] = y
			d.text(processGutter-10, y+15, "name", "end", fmt.Sprintf("process %d at %s", o.Process, view.Clip(o.Node, 8)))
			d.line(processGutter, y+rowHeight-5, width-10, y+rowHeight-5, "grid")
		}
	}
	d.H = 26 + rowHeight*float64(len(rows)) + 20
	labelled := math.Inf(-1)
	for i, point := range s.points {
		x := s.xs[i]
		d.line(x, 20, x, d.H-18, "grid")
		if x-labelled >= 62 {
			d.text(x, d.H-5, "tick", "middle", fmt.Sprintf("%.4f s", point.Seconds()))
			labelled = x
		}
	}
	for i, o := range all {
		y, x := rows[o.Process], s.x(o.Call)
		end, class := s.x(o.Return), "op"
		if o.Return == history.Never {
			end, class = width-10, "op doubt"
		}
		text := o.Text
		switch {
		case o.Culprit:
			class += " culprit"
			text += "  ✗ impossible"
		case o.Order > 0:
			text = fmt.Sprintf("%d. %s", o.Order, text)
		case !slices.Contains(ops, o):
			class += " near"
		}
		d.box(
			x,
			y,
			end-x,
			barHeight,
			class,
			fmt.Sprintf("%s\nprocess %d at %s\n%s to %s", o.Text, o.Process, o.Node, view.At(o.Call), view.At(o.Return)),
		)
		// The text may run on beyond its bar, but not into the next of its row.
		room := width - x
		for _, next := range all[i+1:] {
			if next.Process == o.Process {
				room = s.x(next.Call) - x
				break
			}
		}
		if letters := int((room - 6) / letterWidth); letters < utf8.RuneCountInString(text) {
			text = view.Clip(text, max(letters, 1))
		}
		d.text(x+4, y+15, "inbar", "start", view.Clip(text, 80))
	}
	return d
}

// stretch is a time axis whose scale differs from span to span.
type stretch struct {
	points []time.Duration
	xs     []float64
	end    float64
}

func newStretch(ops []checkers.TimelineOp, width float64) *stretch {
	s := &stretch{end: width - 10}
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
	for _, w := range weights {
		s.xs = append(s.xs, processGutter+10+(width-processGutter-220)*w/max(total, 1))
	}
	return s
}

func (s *stretch) x(t time.Duration) float64 {
	i, found := slices.BinarySearch(s.points, t)
	if !found {
		return s.end
	}
	return s.xs[i]
}
