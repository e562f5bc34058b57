package checkers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

// leased is a call of the workload lease; times are milliseconds.
type leased struct {
	f        string
	key      string
	value    uint64 // of a lease; 0 is none
	from, to int
	kind     history.Kind
	ttl      int // that the answer gives
}

func grantOf(value uint64, from, to, ttl int) leased {
	return leased{"grant", "k", value, from, to, history.OK, ttl}
}

func keepOf(value uint64, from, to, ttl int) leased {
	return leased{"keepalive", "k", value, from, to, history.OK, ttl}
}

func revokeOf(value uint64, from, to int) leased {
	return leased{"revoke", "k", value, from, to, history.OK, 0}
}

func readOf(value uint64, from, to int) leased {
	return leased{"read", "k", value, from, to, history.OK, 0}
}

func (l leased) as(kind history.Kind) leased {
	l.kind = kind
	return l
}

// leaseHistory puts calls in order, each of a process of its own. The cluster serves from a time on, if that is not 0.
func leaseHistory(t *testing.T, served int, calls ...leased) *history.History {
	type timedEvent struct {
		at int
		history.Event
	}
	var events []timedEvent
	for i, c := range calls {
		e := history.Event{Process: i, Kind: history.Invoke, F: c.f, Key: c.key, Node: "n1"}
		if c.f != "read" {
			e.Value = json.RawMessage(fmt.Sprint(c.value))
		}
		events = append(events, timedEvent{c.from, e})
		e.Kind, e.Value = c.kind, nil
		switch {
		case c.kind != history.OK:
		case c.f == "read" && c.value == 0:
			e.Value = json.RawMessage("null")
		case c.f == "read":
			e.Value = json.RawMessage(fmt.Sprint(c.value))
		case c.f != "revoke":
			e.Value = json.RawMessage(fmt.Sprintf(`{"lease":%d,"ttl_ms":%d}`, c.value, c.ttl))
		}
		events = append(events, timedEvent{c.to, e})
	}
	phase := func(at int, p history.Phase) {
		v, err := json.Marshal(p)
		require.NoError(t, err)
		events = append(events, timedEvent{at, history.Event{Process: history.Controller, Kind: history.Note, F: history.FPhase, Value: v}})
	}
	phase(0, history.PhaseLaunch)
	phase(0, history.PhaseLoad)
	if served > 0 {
		phase(served, history.PhaseHeal)
		phase(served, history.PhaseRecover)
		phase(served, history.PhaseFinal)
	}
	slices.SortStableFunc(events, func(a, b timedEvent) int { return a.at - b.at })
	var h history.History
	for _, e := range events {
		e.At = ms(e.at)
		require.NoError(t, h.Append(e.Event))
	}
	return &h
}

// The edges: what is in doubt proves nothing, and each time is taken so that it accuses nobody who may be right.
func TestLease(t *testing.T) {
	// a run that proves something, to which the cases are added
	proves := []leased{
		{"grant", "other", 100, 1, 2, history.OK, 10}, {"keepalive", "other", 100, 8, 9, history.OK, 10},
		{"read", "other", 100, 15, 16, history.OK, 0}, {"read", "other", 0, 30, 31, history.OK, 0},
	}
	for _, c := range []struct {
		name   string
		want   string // empty is valid
		served int
		calls  []leased
	}{
		{name: "it runs out", calls: []leased{grantOf(1, 10, 12, 100), readOf(1, 90, 95), readOf(0, 200, 201)}},
		{name: "gone too early", want: "0.020 s too early", calls: []leased{grantOf(1, 10, 12, 100), readOf(0, 80, 90)}},
		{name: "gone at the last moment", calls: []leased{grantOf(1, 10, 12, 100), readOf(0, 80, 110)}},
		{name: "not yet there", calls: []leased{grantOf(1, 10, 20, 100), readOf(0, 15, 25)}},
		{name: "there by a read alone", want: "too early", calls: []leased{
			grantOf(1, 10, 90, 100), readOf(1, 15, 20), readOf(0, 25, 30),
		}},
		{name: "another one's value", want: "too early", calls: []leased{
			grantOf(1, 10, 12, 100), grantOf(2, 20, 22, 100), readOf(2, 30, 31),
		}},
		{name: "kept alive", want: "keepalive at 0.100 s gave it 0.100 s, and at 0.190 s it was gone, 0.010 s too early", calls: []leased{
			grantOf(1, 10, 12, 100), keepOf(1, 100, 105, 100), readOf(0, 180, 190),
		}},
		{name: "perhaps kept alive", calls: []leased{
			grantOf(1, 10, 12, 100), keepOf(1, 100, 105, 100).as(history.Info), readOf(0, 180, 190),
		}},
		{name: "not kept alive", calls: []leased{
			grantOf(1, 10, 12, 100), keepOf(1, 100, 105, 100).as(history.Fail), readOf(0, 180, 190),
		}},
		{name: "kept alive beside a read that finds it gone", want: "too early", calls: []leased{
			grantOf(1, 10, 12, 100), keepOf(1, 115, 125, 100), readOf(0, 116, 120),
		}},
		{name: "kept alive after it was gone", want: "was kept alive after it was gone: at 0.120 s it was gone", calls: []leased{
			grantOf(1, 10, 12, 100), readOf(0, 116, 120), keepOf(1, 121, 122, 100),
		}},
		{name: "it comes back", want: "came back: at 0.120 s it was gone, and at 0.130 s its value was read again", calls: []leased{
			grantOf(1, 10, 12, 100), readOf(0, 116, 120), readOf(1, 125, 130),
		}},
		{name: "a read that began before", calls: []leased{
			grantOf(1, 10, 12, 100), readOf(0, 116, 120), readOf(1, 20, 130),
		}},
		{name: "revoked", calls: []leased{grantOf(1, 10, 12, 100), revokeOf(1, 20, 25), readOf(0, 21, 22), readOf(1, 23, 24), readOf(0, 30, 31)}, want: "came back"},
		{name: "revoked, and read", want: "outlived its lease, which was revoked at 0.025 s: its value was read at 0.027 s", calls: []leased{
			grantOf(1, 10, 12, 100), revokeOf(1, 20, 25), readOf(1, 26, 27),
		}},
		{name: "perhaps revoked", calls: []leased{
			grantOf(1, 10, 12, 100), revokeOf(1, 20, 25).as(history.Info), readOf(1, 26, 27), readOf(0, 30, 31),
		}},
		{name: "a revoke that failed", want: "too early", calls: []leased{
			grantOf(1, 10, 12, 100), revokeOf(1, 20, 25).as(history.Fail), readOf(0, 30, 31),
		}},
		{name: "refused, and there", want: "was set although that was refused at 0.012 s", calls: []leased{
			grantOf(1, 10, 12, 100).as(history.Fail), readOf(1, 20, 21),
		}},
		{name: "in doubt, and there late", calls: []leased{
			grantOf(1, 10, 12, 100).as(history.Info), readOf(0, 20, 21), readOf(1, 30, 31), readOf(0, 200, 201),
		}},
		{name: "it stays", want: "did not run out: its lease of 0.100 s was kept alive last at 0.100 s, the cluster served from 0.150 s on", served: 150,
			calls: []leased{grantOf(1, 10, 12, 100), keepOf(1, 100, 105, 100), readOf(1, 5351, 5360)}},
		{name: "it may stay for so long", served: 150, calls: []leased{grantOf(1, 10, 12, 100), keepOf(1, 100, 105, 100), readOf(1, 5349, 5400)}},
		{name: "perhaps it was kept alive once more", served: 150, calls: []leased{
			grantOf(1, 10, 12, 100), keepOf(1, 100, 105, 100).as(history.Info), readOf(1, 9000, 9001),
		}},
		{name: "it may stay while nothing serves", calls: []leased{grantOf(1, 10, 12, 100), readOf(1, 9000, 9001)}},
		{name: "a failed read", calls: []leased{grantOf(1, 10, 12, 100), readOf(0, 30, 31).as(history.Fail), readOf(0, 32, 33).as(history.Info)}},
	} {
		h := leaseHistory(t, c.served, append(slices.Clone(proves), c.calls...)...)
		r := lease{}.Check(t.Context(), h)
		if c.want == "" {
			require.Equal(t, Valid, r.Verdict, "%s: %s", c.name, r.Why)
			continue
		}
		require.Equal(t, Invalid, r.Verdict, "%s: %s", c.name, r.Why)
		require.Contains(t, r.Why, c.want, c.name)
		require.True(t, strings.HasPrefix(r.Why, "key k (value "), r.Why)
		require.NotEmpty(t, r.Ops)
		line, err := Decode[Timeline](r.Attach[0].Data)
		require.NoError(t, err)
		require.Contains(t, line.Text(), "how its lease was broken")
		require.NotEqual(t, history.Never, r.Complete(h))
	}
}

func TestLeasesThatProveNothing(t *testing.T) {
	r := lease{}.Check(t.Context(), leaseHistory(t, 0, grantOf(1, 10, 12, 100), readOf(1, 20, 21)))
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "no lease was seen to run out")
	r = lease{}.Check(t.Context(), leaseHistory(t, 0, grantOf(1, 10, 12, 100), readOf(0, 200, 201)))
	require.Equal(t, Unknown, r.Verdict)
	require.Contains(t, r.Why, "if nobody had kept it alive")
	for want, calls := range map[string][]leased{
		"is asked for twice":                {grantOf(1, 10, 12, 100), grantOf(1, 20, 22, 100)},
		"nobody has asked for a lease of 2": {grantOf(1, 10, 12, 100), keepOf(2, 20, 22, 100)},
		"gives it -1 ms":                    {grantOf(1, 10, 12, -1)},
	} {
		r := lease{}.Check(t.Context(), leaseHistory(t, 0, calls...))
		require.Equal(t, Unknown, r.Verdict)
		require.Contains(t, r.Why, want)
	}
}

// server is a server of one key with leases, which takes up each call at some moment within it.
type leaseServer struct {
	value, deadline int // of the lease that holds the key; a deadline of 0 is none
	now             int
	// mistakes
	early    int  // how much too early leases end
	stale    bool // a keep-alive of a lease that is over succeeds
	immortal bool // leases do not end
}

func (s *leaseServer) tick(now int) {
	s.now = now
	if s.value > 0 && now >= s.deadline && !s.immortal {
		s.value = 0
	}
}

// random is the history of a server, called by a few clients beside each other.
func (s *leaseServer) random(r *rand.Rand) (calls []leased) {
	const ttl = 50
	known, since, next := 0, 0, 1
	for now := 1; now < 800; {
		from := max(1, now-r.IntN(6))
		s.tick(now)
		to := now + 1 + r.IntN(6)
		c := leased{key: "k", from: from, to: to, kind: history.OK}
		switch n := r.IntN(10); {
		case n < 2:
			c.f, c.value, c.ttl = "grant", uint64(next), ttl
			next++
			if s.value > 0 {
				c.kind = history.Fail
			} else {
				s.value, s.deadline, known, since = int(c.value), now+ttl-s.early, int(c.value), from
			}
		case n < 4 && known > 0:
			c.f, c.value, c.ttl = "keepalive", uint64(known), ttl
			switch {
			case s.value == known:
				s.deadline = now + ttl - s.early
			case !s.stale:
				c.kind = history.Fail
			}
		case n < 5 && known > 0 && r.IntN(4) == 0:
			c.f, c.value = "revoke", uint64(known)
			if s.value == known {
				s.value = 0
			} else {
				c.kind = history.Fail
			}
		default:
			c.f, c.value = "read", uint64(s.value)
		}
		if c.kind == history.OK && r.IntN(12) == 0 {
			c.kind = history.Info
		}
		if c.f != "grant" { // nobody knows of a lease before it was asked for
			c.from = max(c.from, since)
		}
		calls = append(calls, c)
		now += 1 + r.IntN(9)
	}
	return calls
}

// oracle looks at all pairs and triples of calls.
func leaseOracle(calls []leased, served int) bool {
	ok := func(c leased) bool { return c.kind == history.OK }
	for _, g := range calls {
		if g.f != "grant" {
			continue
		}
		of := func(c leased) bool { return c.value == g.value }
		there := 1 << 30
		for _, c := range calls {
			if of(c) && ok(c) && c.f != "revoke" {
				there = min(there, c.to)
			}
		}
		last, refused, doubt := served, g.kind == history.Fail, false
		for _, c := range calls {
			extends := of(c) && (c.f == "grant" || c.f == "keepalive")
			if extends && ok(c) {
				last = max(last, c.to)
			}
			doubt = doubt || extends && c.kind == history.Info
		}
		for _, c := range calls {
			if c.f != "read" || !ok(c) {
				continue
			}
			if of(c) && (refused || served > 0 && !doubt && c.from > last+2*50+5000) {
				return true
			}
			if of(c) {
				for _, d := range calls {
					if d.f == "revoke" && of(d) && ok(d) && c.from > d.to {
						return true
					}
				}
				continue
			}
			if c.from <= there {
				continue
			}
			revoked := false
			for _, d := range calls {
				revoked = revoked || d.f == "revoke" && of(d) && d.kind != history.Fail && d.from < c.to
			}
			for _, d := range calls {
				extends := of(d) && ok(d) && (d.f == "grant" || d.f == "keepalive")
				if extends && !revoked && d.from < c.to && d.from+d.ttl > c.to || extends && d.f == "keepalive" && d.from > c.to ||
					d.f == "read" && ok(d) && of(d) && d.from > c.to {
					return true
				}
			}
		}
	}
	return false
}

// A server without mistakes is never accused, those with mistakes are, and an oracle says the same of all.
func TestLeasesAgainstAnOracle(t *testing.T) {
	for name, server := range map[string]leaseServer{
		"": {}, "early": {early: 30}, "stale": {stale: true}, "immortal": {immortal: true},
	} {
		invalid := 0
		for seed := range uint64(150) {
			s := server
			calls := s.random(rand.New(rand.NewPCG(seed, 3)))
			served := 0
			if name == "immortal" {
				served = 900
				calls = append(calls, leased{"read", "k", uint64(s.value), 6200, 6201, history.OK, 0})
			}
			r := lease{}.Check(t.Context(), leaseHistory(t, served, calls...))
			require.Equal(t, leaseOracle(calls, served), r.Verdict == Invalid, "%s, seed %d: %s", name, seed, r.Why)
			if r.Verdict == Invalid {
				invalid++
			}
		}
		if name == "" {
			require.Zero(t, invalid)
		} else {
			require.Greater(t, invalid, 75, name)
		}
	}
}

// What is found while a history grows is found of the whole.
func TestLiveOfLeases(t *testing.T) {
	for seed := range uint64(40) {
		s := leaseServer{early: int(seed%2) * 30}
		h := leaseHistory(t, 0, s.random(rand.New(rand.NewPCG(seed, 4)))...)
		live, _ := watch(h, []string{"lease"}, 1)
		require.Equal(t, lease{}.Check(t.Context(), h).Verdict == Invalid, len(live) == 1, "seed %d", seed)
	}
}

// A million calls take no more than seconds: a lease that is over is not looked at again.
func BenchmarkLease(b *testing.B) {
	var h history.History
	at := time.Duration(0)
	for i := range 200_000 {
		key := fmt.Sprintf("k%d", i%40)
		e := history.Event{At: at, Process: 1, Kind: history.Invoke, F: "read", Key: key}
		answer := "null"
		if i%16_000 < 40 {
			value := uint64(i + 1)
			e.F, e.Value = "grant", json.RawMessage(fmt.Sprint(value))
			answer = fmt.Sprintf(`{"lease":%d,"ttl_ms":1}`, value)
		}
		require.NoError(b, h.Append(e))
		e.At, e.Kind, e.Value = at+time.Microsecond, history.OK, json.RawMessage(answer)
		require.NoError(b, h.Append(e))
		at += 10 * time.Millisecond
	}
	for b.Loop() {
		lease{}.Check(b.Context(), &h)
	}
}

// A value that nobody can have set under a key is a violation, whatever else there is.
func TestValuesOutOfThinAir(t *testing.T) {
	elsewhere := grantOf(2, 10, 12, 100)
	elsewhere.key = "other"
	for _, calls := range [][]leased{
		{grantOf(1, 10, 12, 100), readOf(2, 20, 22)},
		{readOf(1, 1, 2), grantOf(1, 10, 12, 100)},
		{elsewhere, readOf(2, 20, 22)},
	} {
		h := leaseHistory(t, 0, calls...)
		r := lease{}.Check(t.Context(), h)
		require.Equal(t, Invalid, r.Verdict, r.Why)
		require.Contains(t, r.Why, "for which nobody had asked for a lease")
		require.NotEqual(t, history.Never, r.Complete(h))
	}
}
