package harness

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness/history"
)

func TestTriggersAreText(t *testing.T) {
	for text, want := range map[string]Trigger{
		"leader-elected":           {Event: LeaderElected},
		"leader-elected/2s":        {Event: LeaderElected, After: 2 * time.Second},
		"behind:5000":              {Event: FollowerBehind, Entries: 5000},
		"write-acknowledged/300ms": {Event: WriteAcknowledged, After: 300 * time.Millisecond},
		"fault:kill":               {Event: FaultInForce, Fault: "kill"},
		"fault:partition:halves":   {Event: FaultInForce, Fault: "partition:halves"},
	} {
		got, err := ParseTrigger(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
		b, err := json.Marshal(got)
		require.NoError(t, err)
		var again Trigger
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, got, again)
	}
	for text, want := range map[string]string{
		"":                       "there is no such event",
		"noon":                   "there is no such event; there are leader-elected, role-changed, behind:ENTRIES, write-acknowledged, fault:NAME",
		"leader-elected:n1":      "takes no argument",
		"behind":                 "behind needs a number of entries",
		"behind:0":               "behind needs a number of entries",
		"fault":                  "fault needs the name of one",
		"leader-elected/soon":    "is no time to wait",
		"write-acknowledged/-1s": "is no time to wait",
	} {
		_, err := ParseTrigger(text)
		require.ErrorContains(t, err, want, text)
	}
}

// Each trigger fires when its event comes, and neither before nor for another one.
func TestTriggersFire(t *testing.T) {
	kill := Fault{Family: "kill"}
	halves := Fault{Family: "partition", Shape: "halves"}
	tells := map[string]func(e *events){
		"leader-elected":         func(e *events) { e.elected() },
		"write-acknowledged":     func(e *events) { e.wrote() },
		"fault:kill":             func(e *events) { e.fault("one", kill, +1) },
		"fault:two":              func(e *events) { e.fault("two", Fault{Family: "pause"}, +1) },
		"fault:partition:halves": func(e *events) { e.fault("three", halves, +1) },
		"behind:100": func(e *events) {
			e.status("n1", history.Status{Applied: 150})
			e.status("n2", history.Status{Applied: 50})
		},
	}
	for text := range tells {
		synctest.Test(t, func(t *testing.T) {
			trigger, err := ParseTrigger(text + "/1s")
			require.NoError(t, err)
			var e events
			start, fired := time.Now(), time.Duration(0)
			go func() {
				if e.await(t.Context(), trigger, e.until()) {
					fired = time.Since(start)
				}
			}()
			for other, tell := range tells { // each of the others is nothing to it
				if other != text {
					time.Sleep(time.Millisecond)
					tell(&e)
				}
			}
			e.status("n1", history.Status{Applied: 149})
			synctest.Wait()
			require.Zero(t, fired, text)
			begun := time.Since(start)
			tells[text](&e)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, begun+time.Second, fired, text)
		})
	}
}

// An event that came before somebody waits is none for it, but a state that lasts is; and a fault that is healed is not
// in force.
func TestTriggersWaitForWhatIsToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e events
		e.elected()
		e.wrote()
		e.fault("lane", Fault{Family: "kill"}, +1)
		e.fault("lane", Fault{Family: "kill"}, -1)
		for _, text := range []string{"leader-elected", "write-acknowledged", "fault:kill", "fault:lane"} {
			trigger, err := ParseTrigger(text)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.False(t, e.await(ctx, trigger, e.until()), text)
			cancel()
		}
		e.fault("lane", Fault{Family: "kill"}, +1)
		require.True(t, e.await(t.Context(), Trigger{Event: FaultInForce, Fault: "kill"}, happened{}))
	})
}
