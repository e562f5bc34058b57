package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/view"
)

// The geometry of the overview: all its panels share one time axis.
const (
	overviewWidth = 1100.0
	gutter        = 90.0 // for names on the left
	laneHeight    = 18.0
	panelHeight   = 110.0
	panelGap      = 34.0
	maxBuckets    = 240
	maxBars       = 5000 // of faults that are drawn even where only zooming shows them
)

// overview draws the whole run on one time axis: faults, leaders, throughput, latency.
func overview(h *history.History, faults []history.Fault, l leaders) (drawing, figures) {
	a := axis{0, max(h.End(), time.Millisecond), gutter, overviewWidth - 10}
	d := drawing{
		W:     overviewWidth,
		Label: "Faults, leaders, throughput and latency over time",
		To:    a.to.Seconds(),
		Left:  a.left,
		Right: a.right,
	}
	y := 24.0
	y = faultLanes(&d, a, y, faults)
	y = leaderLanes(&d, a, y, l)
	buckets := fill(h, a)
	y = throughput(&d, a, y, buckets)
	y = latency(&d, a, y, buckets)
	timeScale(&d, a, y)
	for _, p := range h.Notes().Phases {
		if p.From > 0 && p.Phase != history.PhaseEnd {
			d.line(a.x(p.From), 10, a.x(p.From), y, "phase")
		}
	}
	d.H = y + 24
	return d, figuresOf(buckets)
}

// timeScale draws the times of an axis, from the top down to y.
func timeScale(d *drawing, a axis, y float64) {
	for _, t := range a.ticks() {
		d.line(a.x(t), 10, a.x(t), y, "grid")
		d.text(a.x(t), y+14, "tick", "middle", fmt.Sprintf("%g s", t.Seconds()))
	}
}

// moment draws what happened around some part of the run, which is marked: faults and leaders, true to scale.
func moment(faults []history.Fault, l leaders, from, to time.Duration) drawing {
	if to == history.Never {
		to = from
	}
	a := axis{max(from-margin, 0), to + margin, gutter, overviewWidth - 10}
	d := drawing{W: overviewWidth, Label: fmt.Sprintf("Faults and leaders from %s to %s", view.At(a.from), view.At(a.to))}
	d.box(a.x(from), 8, a.x(to)-a.x(from), 0, "range", "the violation, "+view.At(from)+" to "+view.At(to))
	y := faultLanes(&d, a, 24, faults)
	y = leaderLanes(&d, a, y, l) - panelGap + 6
	d.Rects[0].H = round(max(y-8, 0))
	timeScale(&d, a, y)
	d.H = y + 24
	return d
}

// figures are the numbers behind the curves, for the crosshair: a second, and milliseconds.
type figures struct {
	Width float64   `json:"width"`
	OK    []float64 `json:"ok"`
	Fail  []float64 `json:"fail"`
	Info  []float64 `json:"info"`
	P50   []float64 `json:"p50"`
	P99   []float64 `json:"p99"`
	Max   []float64 `json:"max"`
}

func figuresOf(buckets []bucket) (f figures) {
	ms := func(t time.Duration) float64 { return round(float64(t) / float64(time.Millisecond)) }
	for _, b := range buckets {
		f.Width = b.width.Seconds()
		f.OK = append(f.OK, round(float64(b.ok)/f.Width))
		f.Fail = append(f.Fail, round(float64(b.fail)/f.Width))
		f.Info = append(f.Info, round(float64(b.info)/f.Width))
		var p50, p99, slowest float64
		if n := len(b.took); n > 0 {
			p50, p99, slowest = ms(b.took[n/2]), ms(b.took[n*99/100]), ms(b.took[n-1])
		}
		f.P50, f.P99, f.Max = append(f.P50, p50), append(f.P99, p99), append(f.Max, slowest)
	}
	return f
}

func heading(d *drawing, y float64, text string) { d.text(4, y-9, "heading", "start", text) }

// laneName is a fault's name where there is little room: of "partition:halves", the shape.
func laneName(fault string) string {
	if _, shape, ok := strings.Cut(fault, ":"); ok && len(fault) > 12 {
		return shape
	}
	return fault
}

// faultLanes draws a lane for each kind of fault.
func faultLanes(d *drawing, a axis, y float64, faults []history.Fault) float64 {
	faults = slices.DeleteFunc(slices.Clone(faults), func(f history.Fault) bool { return !a.shows(f.Began, f.Healed) })
	if len(faults) == 0 {
		return y
	}
	heading(d, y, "Faults")
	lanes, drawn := make(map[string]float64), make(map[string]float64) // and where the last one of a lane ends
	for _, f := range faults {
		if _, ok := lanes[f.F]; !ok {
			lanes[f.F] = y + laneHeight*float64(len(lanes))
			d.text(gutter-8, lanes[f.F]+13, "name", "end", view.Clip(laneName(f.F), 15))
		}
	}
	for _, f := range faults {
		class, state := "fault", "confirmed"
		if !f.Confirmed {
			class, state = "fault unconfirmed", "NOT confirmed"
		}
		x, end := a.x(f.Began), a.x(f.Healed)
		// What is within a pixel of the one before is not seen, unless the picture can be zoomed.
		if f.Confirmed && end < drawn[f.F]+1 && (d.To == 0 || len(faults) > maxBars) {
			continue
		}
		drawn[f.F] = end
		title := fmt.Sprintf(
			"%s, %s to %s, %s\n%s",
			f.F,
			view.At(f.Began),
			view.At(f.Healed),
			state,
			view.Clip(detail(f), 400*100/max(len(faults), 100)),
		)
		d.box(x, lanes[f.F]+2, end-x, laneHeight-4, class, title)
		if !f.Confirmed {
			d.text(x+2, lanes[f.F]+13, "mark", "start", "?")
		}
	}
	return y + laneHeight*float64(len(lanes)) + panelGap
}

// bucket is what happened in one slice of the time axis.
type bucket struct {
	ok, fail, info int
	took           []time.Duration
	middle         time.Duration
	width          time.Duration
}

func fill(h *history.History, a axis) []bucket {
	width := max((a.to-a.from)/maxBuckets, 100*time.Millisecond)
	buckets := make([]bucket, int((a.to-a.from)/width)+1)
	for i := range buckets {
		buckets[i].width, buckets[i].middle = width, width*time.Duration(i)+width/2
	}
	for op := range h.Calls() {
		end := op.End()
		if end == history.Never {
			end = op.Begin()
		}
		b := &buckets[min(int(end/width), len(buckets)-1)]
		switch op.Kind() {
		case history.OK:
			b.ok++
			b.took = append(b.took, end-op.Begin())
		case history.Fail:
			b.fail++
		default:
			b.info++
		}
	}
	for i := range buckets {
		slices.Sort(buckets[i].took)
	}
	return buckets
}

// throughput draws operations a second by outcome.
func throughput(d *drawing, a axis, y float64, buckets []bucket) float64 {
	most := 1.0
	for _, b := range buckets {
		most = max(most, float64(max(b.ok, b.fail, b.info))/b.width.Seconds())
	}
	most = niceCeiling(most)
	heading(d, y, "Operations a second")
	bottom := y + panelHeight
	for _, share := range []float64{0, 0.5, 1} {
		d.line(a.left, bottom-panelHeight*share, a.right, bottom-panelHeight*share, "grid")
		d.text(gutter-8, bottom-panelHeight*share+4, "tick", "end", fmt.Sprintf("%g", most*share))
	}
	for _, c := range []struct {
		name, class string
		count       func(bucket) int
	}{
		{"ok", "curve ok", func(b bucket) int { return b.ok }},
		{"fail", "curve fail", func(b bucket) int { return b.fail }},
		{"info", "curve info", func(b bucket) int { return b.info }},
	} {
		var xs, ys []float64
		for _, b := range buckets {
			xs = append(xs, a.x(b.middle))
			ys = append(ys, bottom-panelHeight*float64(c.count(b))/b.width.Seconds()/most)
		}
		d.curve(xs, ys, c.class)
	}
	return bottom + panelGap
}

// latency draws quantiles of successful operations on a logarithmic scale.
func latency(d *drawing, a axis, y float64, buckets []bucket) float64 {
	low, high := math.Inf(1), 0.0
	for _, b := range buckets {
		if n := len(b.took); n > 0 {
			low, high = min(low, b.took[n/2].Seconds()), max(high, b.took[n-1].Seconds())
		}
	}
	heading(d, y, "Latency of ok operations")
	bottom := y + panelHeight
	if high == 0 {
		d.text(a.left+8, y+panelHeight/2, "tick", "start", "no operation succeeded")
		return bottom
	}
	from, to := math.Floor(math.Log10(max(low, 1e-6))), math.Ceil(math.Log10(max(high, 1e-6)))
	to = max(to, from+1)
	place := func(seconds float64) float64 {
		return bottom - panelHeight*(math.Log10(max(seconds, 1e-6))-from)/(to-from)
	}
	for p := from; p <= to; p++ {
		d.line(a.left, place(math.Pow(10, p)), a.right, place(math.Pow(10, p)), "grid")
		d.text(
			gutter-8,
			place(math.Pow(10, p))+4,
			"tick",
			"end",
			time.Duration(math.Pow(10, p)*float64(time.Second)).String(),
		)
	}
	for _, c := range []struct {
		class string
		pick  func([]time.Duration) time.Duration
	}{
		{"curve p50", func(t []time.Duration) time.Duration { return t[len(t)/2] }},
		{"curve p99", func(t []time.Duration) time.Duration { return t[len(t)*99/100] }},
		{"curve max", func(t []time.Duration) time.Duration { return t[len(t)-1] }},
	} {
		var xs, ys []float64
		for _, b := range buckets {
			xs = append(xs, a.x(b.middle))
			if len(b.took) == 0 {
				ys = append(ys, math.NaN())
			} else {
				ys = append(ys, place(c.pick(b.took).Seconds()))
			}
		}
		d.curve(xs, ys, c.class)
	}
	return bottom
}

// niceCeiling returns the next 1, 2 or 5 times a power of ten.
func niceCeiling(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5, 10} {
		if x <= m*power {
			return m * power
		}
	}
	return 10 * power
}
