package page

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// drawing is a picture made of plain shapes. The template writes it as inline SVG and escapes
// every text in it: much of it comes from a target.
type drawing struct {
	W, H  float64
	Label string // for those who do not see it
	Rects []rect
	Lines []line
	Paths []stroke
	Texts []label
	// To, in seconds, is the end of the time axis between Left and Right, if the picture has one that a
	// script may zoom into.
	To, Left, Right float64
	// Wide is how wide the picture is at least shown, in CSS pixels; narrower screens scroll.
	Wide float64
}

type rect struct {
	X, Y, W, H   float64
	Class, Title string
}

type line struct {
	X1, Y1, X2, Y2 float64
	Class          string
}

type stroke struct{ D, Class string }

type label struct {
	X, Y                float64
	Class, Anchor, Text string
}

// box adds a rectangle that is wide enough to be seen.
func (d *drawing) box(x, y, w, h float64, class, title string) {
	d.Rects = append(d.Rects, rect{round(x), round(y), round(max(w, 1.5)), round(h), class, title})
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	d.Lines = append(d.Lines, line{round(x1), round(y1), round(x2), round(y2), class})
}

func (d *drawing) text(x, y float64, class, anchor, text string) {
	d.Texts = append(d.Texts, label{round(x), round(y), class, anchor, text})
}

// curve adds a line through points; where y is not a number, it is interrupted.
func (d *drawing) curve(xs, ys []float64, class string) {
	var b strings.Builder
	down := false
	for i := range xs {
		if math.IsNaN(ys[i]) {
			down = false
			continue
		}
		command := "M"
		if down {
			command = "L"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, xs[i], ys[i])
		down = true
	}
	if b.Len() > 0 {
		d.Paths = append(d.Paths, stroke{b.String(), class})
	}
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// axis maps times to places from left to right.
type axis struct {
	from, to    time.Duration
	left, right float64
}

func (a axis) x(t time.Duration) float64 {
	t = min(max(t, a.from), a.to)
	if a.to <= a.from {
		return a.left
	}
	return a.left + (a.right-a.left)*float64(t-a.from)/float64(a.to-a.from)
}

// shows says whether any of a time is on the axis.
func (a axis) shows(from, to time.Duration) bool { return to >= a.from && from <= a.to }

// ticks returns round times that divide the axis into some ten parts.
func (a axis) ticks() []time.Duration {
	span := a.to - a.from
	step := time.Millisecond
	for i := 0; span/step > 12; i++ { // 1, 2, 5, 10, 20, ...
		if i%3 == 1 {
			step = step * 5 / 2
		} else {
			step *= 2
		}
	}
	var ticks []time.Duration
	for t := a.from.Truncate(step); t <= a.to; t += step {
		if t >= a.from {
			ticks = append(ticks, t)
		}
	}
	return ticks
}
