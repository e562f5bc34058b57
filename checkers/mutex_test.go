package checkers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestMutex(t *testing.T) {
	right := func() *lockHistory {
		return locks(t).acquire(1, "a", 0, 10, 1).write(1, "a", 11, 12, 13, 1, true).release(1, "a", 20, 30).
			acquire(2, "a", 5, 21, 2).write(2, "a", 22, 23, 24, 2, true).release(2, "a", 40, 41)
	}
	for name, c := range map[string]struct {
		h       *lockHistory
		verdict Verdict
		why     string
	}{
		"right": {right(), Valid, "2 tenures of 1 lock, no two at once; the resource accepted 2 writes in the order of their holders"},
		"the answer that it is given up is not waited for": {
			locks(t).acquire(1, "a", 0, 10, 1).release(1, "a", 20, 90).acquire(2, "a", 5, 21, 2), Valid, "2 tenures",
		},
		"paused": {
			locks(t).acquire(1, "a", 0, 10, 1).lost(60, 61, 1, "a", 1).acquire(2, "a", 5, 50, 2).release(2, "a", 80, 81), Invalid,
			"two clients held a at once: process 1 at c2 held a from 0.010 s (token 1) and learned only at 0.060 s that it " +
				"had lost it; process 2 at c3 acquired it at 0.050 s (token 2)",
		},
		"told in time, and heard late": {
			locks(t).acquire(1, "a", 0, 10, 1).lost(49, 70, 1, "a", 1).acquire(2, "a", 5, 50, 2).release(2, "a", 80, 81), Valid, "",
		},
		"both let go": {
			locks(t).acquire(1, "a", 0, 10, 1).release(1, "a", 30, 31).acquire(2, "a", 5, 29, 2).release(2, "a", 40, 41), Invalid,
			"process 1 at c2 held a from 0.010 s (token 1) and released it at 0.030 s; process 2 at c3 acquired it at 0.029 s",
		},
		"other locks": {
			locks(t).acquire(1, "a", 0, 10, 1).release(1, "a", 30, 31).acquire(2, "b", 5, 29, 2).release(2, "b", 40, 41).
				acquire(4, "b", 35, 43, 3), Valid, "",
		},
		"killed, and asked while it was gone": {
			locks(t).acquire(1, "a", 0, 10, 1).call(1, "write", "a", 60, 61, history.Fail, "1", "").
				acquire(2, "a", 5, 29, 2).write(2, "a", 70, 71, 72, 2, true), Valid, "",
		},
		"killed, and asked to give it up": {
			locks(t).acquire(1, "a", 0, 10, 1).call(1, "release", "a", 60, 61, history.Fail, "", "").
				acquire(2, "a", 5, 29, 2).write(2, "a", 70, 71, 72, 2, true), Valid, "",
		},
		"refused by the resource": {
			locks(t).acquire(1, "a", 0, 10, 1).acquire(2, "a", 5, 29, 2).write(2, "a", 30, 31, 32, 2, true).
				write(1, "a", 60, 61, 62, 1, false).write(2, "a", 70, 71, 72, 2, true), Invalid, "and wrote at 0.060 s and was refused",
		},
		"told of an earlier tenure with the same token": {
			locks(t).acquire(1, "a", 0, 10, 1).release(1, "a", 12, 13).acquire(2, "a", 5, 20, 2).release(2, "a", 22, 23).
				acquire(1, "a", 21, 30, 1).lost(40, 41, 1, "a", 1).acquire(2, "a", 31, 45, 3), Valid, "",
		},
		"asked for when nobody held it": {
			locks(t).acquire(1, "a", 0, 10, 1).release(1, "a", 11, 12).acquire(2, "a", 13, 14, 2), Unknown, "nothing was competed for",
		},
		"never heard of again": {
			locks(t).acquire(1, "a", 0, 10, 1).call(1, "write", "a", 11, 90, history.Info, "1", "").
				acquire(2, "a", 5, 29, 2).release(2, "a", 40, 41), Valid, "",
		},
		"a late write, whose holder was gone": {
			locks(t).acquire(1, "a", 0, 10, 1).call(1, "write", "a", 11, 90, history.Info, "1", "").guarded(60, 1, "a", 1, 1, true).
				acquire(2, "a", 5, 29, 2).write(2, "a", 30, 31, 32, 2, true).release(2, "a", 40, 41), Invalid,
			"a did not keep two clients apart: process 1 at c2 held a from 0.010 s (token 1); process 2 at c3 acquired it at " +
				"0.029 s (token 2) and wrote, and then the resource accepted a write of process 1 at c2, at 0.060 s",
		},
		"a late write that is refused": {
			locks(t).acquire(1, "a", 0, 10, 1).call(1, "write", "a", 11, 90, history.Info, "1", "").guarded(60, 1, "a", 1, 1, false).
				acquire(2, "a", 5, 29, 2).write(2, "a", 30, 31, 32, 2, true).release(2, "a", 40, 41), Valid, "",
		},
		"one client": {locks(t).acquire(1, "a", 0, 10, 1).release(1, "a", 11, 12).acquire(1, "a", 13, 14, 2), Unknown, "nobody ever got a lock that it had asked for"},
		"nobody":     {locks(t), Unknown, "nobody ever held anything"},
	} {
		t.Run(name, func(t *testing.T) {
			r := mutex{}.Check(t.Context(), c.h.history())
			require.Equal(t, c.verdict, r.Verdict, r.Why)
			require.Contains(t, r.Why, c.why)
			require.Equal(t, c.verdict == Invalid, len(r.Ops) > 0)
		})
	}
	// Two that hold on are two, however many others held the lock meanwhile.
	r := mutex{}.Check(t.Context(), locks(t).
		acquire(1, "a", 0, 10, 1).lost(90, 91, 1, "a", 1).
		acquire(2, "a", 11, 12, 2).release(2, "a", 20, 21).acquire(4, "a", 22, 23, 3).lost(80, 85, 4, "a", 3).
		acquire(5, "a", 30, 31, 4).release(5, "a", 40, 41).history())
	require.Contains(t, r.Why, "that happened once more")
}

// A system that gives a process the same token twice does not mix up what it wrote under which.
func TestAWriteIsOfTheTenureThatItWasCalledUnder(t *testing.T) {
	h := locks(t).
		acquire(1, "a", 0, 10, 1).write(1, "a", 11, 12, 13, 1, true).release(1, "a", 14, 15).
		acquire(2, "a", 13, 17, 2).write(2, "a", 18, 19, 20, 2, true).release(2, "a", 21, 22).
		acquire(1, "a", 23, 24, 1).write(1, "a", 25, 26, 27, 1, true).release(1, "a", 28, 29).history()
	require.Equal(t, Valid, mutex{}.Check(t.Context(), h).Verdict)
	require.Equal(t, Invalid, fencing{}.Check(t.Context(), h).Verdict)
}
