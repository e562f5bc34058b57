package fleettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
)

// around returns the links of n3, both ways.
func around() []harness.Link {
	return slices.Concat(harness.Link{From: "n3", To: "n1"}.Both(), harness.Link{From: "n3", To: "n2"}.Both())
}

// shape brings links to a state.
func shape(ctx context.Context, s harness.Shaper, i harness.Impairment, links []harness.Link) error {
	states := make(map[harness.Link]harness.Impairment)
	for _, l := range links {
		states[l] = i
	}
	return s.Shape(ctx, states)
}

// grows waits until each of some links counts more than before.
func (u *underTest) grows(
	ctx context.Context,
	s harness.Shaper,
	what string,
	links []harness.Link,
	of func(harness.Traffic) uint64,
) error {
	before, err := s.Traffic(ctx, links)
	if err != nil {
		return err
	}
	return harnesstest.Eventually(ctx, patience, what, func() bool {
		if p, ok := u.fleet.(harness.Prober); ok {
			_ = p.Probe(ctx, links) // what cannot be probed does not grow
		}
		now, err := s.Traffic(ctx, links)
		return err == nil && !slices.ContainsFunc(links, func(l harness.Link) bool { return of(now[l]) <= of(before[l]) })
	})
}

func passed(t harness.Traffic) uint64  { return t.Passed }
func dropped(t harness.Traffic) uint64 { return t.Dropped }

// cut cuts one node off: what is sent there is lost and nothing passes, nobody else notices, and mending takes it back.
func cut(ctx context.Context, u *underTest) error {
	if !u.can(harness.LinkCut) {
		return nil
	}
	s, ok := u.fleet.(harness.Shaper)
	if !ok {
		return errors.New("the fleet says that it cuts links, and does not shape them")
	}
	others := harness.Link{From: "n1", To: "n2"}.Both()
	if err := shape(ctx, s, harness.Impairment{Drop: true}, around()); err != nil {
		return err
	}
	before, err := s.Traffic(ctx, around())
	if err != nil {
		return err
	}
	if err := u.grows(ctx, s, "cut links lose something", around(), dropped); err != nil {
		return err
	}
	if err := u.grows(ctx, s, "something passes the links that are not cut", others, passed); err != nil {
		return err
	}
	after, err := s.Traffic(ctx, around())
	if err != nil {
		return err
	}
	for _, l := range around() {
		if after[l].Passed != before[l].Passed {
			return fmt.Errorf("%d bytes have passed %v, which is cut", after[l].Passed-before[l].Passed, l)
		}
	}
	if err := shape(ctx, s, harness.Impairment{}, around()); err != nil {
		return err
	}
	if err := u.grows(ctx, s, "something passes the links that are mended", around(), passed); err != nil {
		return err
	}
	return u.serves(ctx)
}

// clients cuts clients off from a node that others still reach, and takes that back.
func clients(ctx context.Context, u *underTest) error {
	if !u.can(harness.ClientCut) {
		return nil
	}
	s := u.fleet.(harness.Shaper)
	for _, way := range []harness.Link{{From: history.Clients, To: "n2"}, {From: "n2", To: history.Clients}} {
		lost := []harness.Link{way}
		if err := shape(ctx, s, harness.Impairment{Drop: true}, lost); err != nil {
			return err
		}
		if u.answers(ctx, u.cluster.Node("n2")) {
			return fmt.Errorf("a node answers although %v is cut", way)
		}
		if !u.answers(ctx, u.cluster.Node("n1")) {
			return fmt.Errorf("a node that clients reach does not answer, since %v is cut", way)
		}
		err := errors.Join(
			u.grows(ctx, s, "what clients and node say is lost", lost, dropped),
			u.grows(ctx, s, "nodes reach each other", harness.Link{From: "n1", To: "n2"}.Both(), passed),
			shape(ctx, s, harness.Impairment{}, lost),
			u.serves(ctx),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// loss lets links lose a part of what is sent there.
func loss(ctx context.Context, u *underTest) error {
	if !u.can(harness.LinkLoss) {
		return nil
	}
	s := u.fleet.(harness.Shaper)
	if err := shape(ctx, s, harness.Impairment{Loss: 0.5}, around()); err != nil {
		return err
	}
	err := errors.Join(
		u.grows(ctx, s, "lossy links lose something", around(), dropped),
		u.grows(ctx, s, "something passes lossy links", around(), passed),
		shape(ctx, s, harness.Impairment{}, around()),
	)
	return errors.Join(err, u.serves(ctx))
}

// delay lets links be late by as much as is asked for, and no longer once they are mended.
func delay(ctx context.Context, u *underTest) error {
	if !u.can(harness.LinkDelay) {
		return nil
	}
	const by, most = 40 * time.Millisecond, 2 * time.Second
	s := u.fleet.(harness.Shaper)
	timer, ok := u.fleet.(harness.Timer)
	if !ok {
		return errors.New("the fleet delays links, and cannot tell how long they take")
	}
	within := func(low, high time.Duration) error {
		return harnesstest.Eventually(ctx, patience, fmt.Sprintf("links take from %v to %v", low, high), func() bool {
			took, err := timer.Delays(ctx, around())
			return err == nil && len(took) == len(around()) && !slices.ContainsFunc(around(), func(l harness.Link) bool {
				return took[l] < low || took[l] > high
			})
		})
	}
	if err := within(0, by-1); err != nil {
		return err
	}
	if err := shape(ctx, s, harness.Impairment{Delay: by}, around()); err != nil {
		return err
	}
	took, err := timer.Delays(ctx, around())
	if err != nil {
		return err
	}
	for _, l := range around() {
		if took[l] < by || took[l] > most {
			return fmt.Errorf("%v is to take %v, and took %v", l, by, took[l])
		}
	}
	if err := shape(ctx, s, harness.Impairment{}, around()); err != nil {
		return err
	}
	return within(0, by-1)
}

// packets lets things happen to packets that are not lost: each is counted, the links carry on, and none of it happens
// any more once it is taken back.
func packets(ctx context.Context, u *underTest) error {
	s, ok := u.fleet.(harness.Shaper)
	if !ok {
		return nil
	}
	for _, p := range []struct {
		can  harness.Capability
		with harness.Impairment
		of   func(harness.Traffic) uint64
	}{
		{harness.LinkRate, harness.Impairment{Rate: 2000}, func(t harness.Traffic) uint64 { return t.Queued }},
		{harness.LinkReorder, harness.Impairment{Reorder: 0.5}, func(t harness.Traffic) uint64 { return t.Overtaken }},
		{harness.LinkDuplicate, harness.Impairment{Duplicate: 0.5}, func(t harness.Traffic) uint64 { return t.Duplicated }},
		{harness.LinkCorrupt, harness.Impairment{Corrupt: 0.5}, func(t harness.Traffic) uint64 { return t.Corrupted }},
	} {
		if !u.can(p.can) {
			continue
		}
		err := errors.Join(
			shape(ctx, s, p.with, around()),
			u.grows(ctx, s, fmt.Sprintf("%s is counted", p.can), around(), p.of),
			u.grows(ctx, s, "something passes", around(), passed),
			shape(ctx, s, harness.Impairment{}, around()),
		)
		if err != nil {
			return err
		}
		err = harnesstest.Eventually(ctx, patience, fmt.Sprintf("%s is counted no more", p.can), func() bool {
			return u.quiet(ctx, s, p.of) // packets may be on their way when a link is mended
		})
		if err != nil {
			return err
		}
	}
	return u.serves(ctx)
}

// quiet reports whether many packets pass the links around n3 of which none is counted.
func (u *underTest) quiet(ctx context.Context, s harness.Shaper, of func(harness.Traffic) uint64) bool {
	before, err := s.Traffic(ctx, around())
	if err != nil {
		return false
	}
	for range 20 {
		if u.grows(ctx, s, "something passes afterwards", around(), passed) != nil {
			return false
		}
	}
	after, err := s.Traffic(ctx, around())
	return err == nil && !slices.ContainsFunc(around(), func(l harness.Link) bool { return of(after[l]) > of(before[l]) })
}
