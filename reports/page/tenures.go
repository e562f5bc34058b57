package page

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/reports/view"
)

// mostAround is how much of the time before and after another client got the lock is shown at most.
const mostAround = 5 * time.Second

// maxOverlaps bounds the table of holders that did not know.
const maxOverlaps = 20

const tenuresCaption = "Who held the lock: a bar begins when a client was answered that it has the lock, and ends " +
	"when it called to release it, or learned that it had lost it; the number is its token. Red is the time in which " +
	"its holder did not know that another client had acquired the lock. Marks are writes to what the lock guards: a line was accepted, a cross refused."

// tenures shows a holder that did not know that another client had the lock, with the faults and the leaders of that
// time.
func (p *Page) tenures(of string, data json.RawMessage) error {
	t, err := checkers.Decode[checkers.Tenures](data)
	if err != nil || len(t.Overlaps) == 0 {
		return err
	}
	var table Table
	table.Head = []string{
		"Lock", "Holder", "Token", "Held from", "Next acquired it", "Token", "Learned of it", "Writes meanwhile",
	}
	shown, worst := t.Overlaps[0], 0 // of writes that came too late
	for i, o := range t.Overlaps {
		if o.Holder < 0 || o.Holder >= len(t.All) || o.Next < 0 || o.Next >= len(t.All) {
			return fmt.Errorf("there is no tenure %d or %d", o.Holder, o.Next)
		}
		holder, next := t.All[o.Holder], t.All[o.Next]
		accepted, refused := 0, 0
		for _, w := range t.Writes {
			switch {
			case w.Tenure != o.Holder || w.At < next.From:
			case w.Accepted:
				accepted++
			default:
				refused++
			}
		}
		if late := 1_000*accepted + refused; late > worst {
			shown, worst = o, late
		}
		if i >= maxOverlaps {
			continue
		}
		table.Rows = append(table.Rows, []string{
			holder.Lock, client(holder), fmt.Sprint(holder.Token), view.At(holder.From),
			view.At(next.From) + " " + client(next), fmt.Sprint(next.Token), view.At(holder.Until),
			fmt.Sprintf("%d accepted, %d refused", accepted, refused),
		})
	}
	holder, next := t.All[shown.Holder], t.All[shown.Next]
	from, to := max(holder.From, next.From-mostAround), min(holder.Until, next.From+mostAround)
	p.Add(Evidence{
		Of: of, Heading: fmt.Sprintf("%s: %s did not know that %s had acquired it", holder.Lock, client(holder), client(next)),
		Figures: []Figure{{drawing: p.drawTenures(t, holder.Lock, from, to), Caption: tenuresCaption}},
		Table:   table, From: from, To: to, Drawn: true,
	})
	return nil
}

func client(t checkers.Tenure) string { return fmt.Sprintf("process %d at %s", t.Process, t.Node) }

// drawTenures draws who held a lock in a part of the run, what they wrote, and the faults and leaders of that time.
func (p *Page) drawTenures(t checkers.Tenures, lock string, from, to time.Duration) drawing {
	a := axis{max(from-margin, 0), to + margin, gutter + 40, overviewWidth - 10}
	d := drawing{W: overviewWidth, Label: fmt.Sprintf("Who held %s from %s to %s", lock, view.At(a.from), view.At(a.to))}
	y := faultLanes(&d, a, 24, p.faults)
	y = leaderLanes(&d, a, y, p.leaders)
	heading(&d, y, "Who held "+view.Clip(lock, 40))
	overlaps := make(map[int]checkers.Tenure) // by holder: who got it
	for _, o := range t.Overlaps {
		overlaps[o.Holder] = t.All[o.Next]
	}
	lanes := make(map[int]float64) // by process
	lane := func(one checkers.Tenure) float64 {
		top, ok := lanes[one.Process]
		if !ok {
			top = y + laneHeight*float64(len(lanes))
			lanes[one.Process] = top
			d.text(a.left-8, top+13, "name", "end", view.Clip(fmt.Sprintf("%s, process %d", one.Node, one.Process), 20))
			d.line(a.left, top+laneHeight, a.right, top+laneHeight, "grid")
		}
		return top
	}
	for i, one := range t.All {
		if one.Lock != lock || !a.shows(one.From, one.Until) {
			continue
		}
		top := lane(one)
		title := fmt.Sprintf(
			"%s held %s from %s to %s, token %d: %s",
			client(one),
			lock,
			view.At(one.From),
			view.At(one.Until),
			one.Token,
			endings[one.Ended],
		)
		d.box(a.x(one.From), top+2, a.x(one.Until)-a.x(one.From), laneHeight-4, "tenure", title)
		if one.Ended == checkers.NotHeardOf {
			end := min(one.Perhaps, a.to)
			d.box(a.x(one.Until), top+2, a.x(end)-a.x(one.Until), laneHeight-4, "tenure perhaps", title)
		}
		if next, ok := overlaps[i]; ok {
			d.box(a.x(next.From), top+2, a.x(one.Until)-a.x(next.From), laneHeight-4, "tenure overlap",
				fmt.Sprintf("%s; %s acquired it at %s with token %d", title, client(next), view.At(next.From), next.Token))
		}
		if text := fmt.Sprint(one.Token); a.x(one.Until)-a.x(one.From) > 7*float64(len(text))+4 {
			d.text(a.x(one.From)+3, top+13, "inbar", "start", text)
		}
	}
	bottom := y + laneHeight*float64(len(lanes)) + panelGap
	heading(&d, bottom, "What was written")
	d.text(a.left-8, bottom+13, "name", "end", "guard")
	for _, w := range t.Writes {
		if w.Lock != lock || w.At < a.from || w.At > a.to || w.Tenure < 0 || w.Tenure >= len(t.All) {
			continue
		}
		for _, top := range slices.Compact([]float64{lane(t.All[w.Tenure]), bottom}) {
			if w.Accepted {
				d.line(a.x(w.At), top+4, a.x(w.At), top+laneHeight-4, "written")
			} else {
				d.text(a.x(w.At), top+14, "refused", "middle", "×")
			}
		}
	}
	y = bottom + laneHeight + 6
	timeScale(&d, a, y)
	d.H = y + 24
	return d
}

// endings say how tenures end.
var endings = map[checkers.Ending]string{
	checkers.Released:   "it released it",
	checkers.Told:       "it learned that it had lost it",
	checkers.Refused:    "its write was refused",
	checkers.NotHeardOf: "it was not heard of again",
}
