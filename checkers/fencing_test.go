package checkers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestFencing(t *testing.T) {
	paused := func(accepted bool) *lockHistory {
		l := locks(t).acquire(1, "a", 0, 10, 1).write(1, "a", 11, 12, 13, 1, true).
			acquire(2, "a", 5, 50, 2).write(2, "a", 51, 52, 53, 2, true).release(2, "a", 80, 81)
		l.write(1, "a", 20, 60, 61, 1, accepted)
		return l
	}
	for name, c := range map[string]struct {
		h       *lockHistory
		verdict Verdict
		why     string
	}{
		"a stale write is refused": {
			paused(false), Valid, "2 tenures of 1 lock, each with a higher token than the one before; the resource accepted 2 " +
				"writes, none older than one before; it refused 1 write of former holders",
		},
		"a stale write is accepted": {
			paused(true), Invalid, "the resource accepted a stale write: process 1 at c2 wrote to a with token 1 at 0.060 s, " +
				"after process 2 at c3 had written with token 2",
		},
		"a client believes for long": {
			locks(t).acquire(1, "a", 0, 10, 1).write(1, "a", 11, 12, 13, 1, true).lost(90, 91, 1, "a", 1).
				acquire(2, "a", 5, 50, 2).release(2, "a", 80, 81), Valid,
			"once a client still believed that it held a lock that another one had acquired, for up to 0.040 s, and the resource refused 0 writes",
		},
		"nothing had to be refused": {
			locks(t).acquire(1, "a", 0, 10, 1).write(1, "a", 11, 12, 13, 1, true).release(1, "a", 14, 15).
				acquire(2, "a", 5, 50, 2), Valid, "no former holder wrote",
		},
		"a token twice": {
			locks(t).acquire(1, "a", 0, 10, 7).release(1, "a", 11, 12).acquire(2, "a", 5, 50, 7), Invalid,
			"a token was given twice: process 1 at c2 held a from 0.010 s (token 7), and so did process 2 at c3 from 0.050 s",
		},
		"a token of another lock": {
			locks(t).acquire(1, "a", 0, 10, 7).write(1, "a", 11, 12, 13, 7, true).release(1, "a", 14, 15).acquire(2, "b", 5, 50, 7).
				acquire(4, "a", 13, 61, 8), Valid, "",
		},
		"a lower token": {
			locks(t).acquire(1, "a", 0, 10, 7).release(1, "a", 11, 12).acquire(2, "a", 13, 50, 6), Invalid,
			"a later holder has a lower token: process 1 at c2 held a from 0.010 s (token 7); process 2 at c3 asked for it at 0.013 s and got token 6",
		},
		"a lower token of one that asked before": {
			locks(t).acquire(1, "a", 0, 10, 7).write(1, "a", 11, 12, 13, 7, true).release(1, "a", 14, 15).acquire(2, "a", 9, 50, 6), Valid, "",
		},
		"nothing written": {
			locks(t).acquire(1, "a", 0, 10, 7).release(1, "a", 14, 15).acquire(2, "a", 9, 50, 8), Unknown, "no token was checked",
		},
		"nobody": {locks(t).call(1, "acquire", "a", 0, 1, history.Fail, "", ""), Unknown, "nobody ever held anything"},
	} {
		t.Run(name, func(t *testing.T) {
			r := fencing{}.Check(t.Context(), c.h.history())
			require.Equal(t, c.verdict, r.Verdict, r.Why)
			require.Contains(t, r.Why, c.why)
			require.Equal(t, c.verdict == Invalid, len(r.Ops) > 0)
		})
	}
}
