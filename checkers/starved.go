package checkers

import (
	"fmt"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// From when on a machine is said to have had too little time for a run. On two processors, the default run leaves a
// fifth of their time idle and others use a twentieth; beside two busy loops nothing is idle and others use half
// (docs/checking.md).
const (
	starvedIdle   = 0.05
	starvedOthers = 0.25
	starvedLate   = 100 * time.Millisecond // one in a hundred times
	starvedMost   = 2 * time.Second        // once
)

// Starved says why the machine had too little time for a run; empty if it had enough, or nothing is known of it.
func Starved(h *history.History) string {
	m := h.Notes().Machine
	switch {
	case m == nil:
	case m.Others > starvedOthers && m.Idle < starvedIdle:
		return fmt.Sprintf("the machine was starved: others used %.0f %% of its processors, and %.0f %% was idle",
			100*m.Others, 100*m.Idle)
	case m.LateP99 > starvedLate:
		return fmt.Sprintf("the machine was starved: one time in a hundred the controller came %s late or later",
			m.LateP99.Round(time.Millisecond))
	case m.LateMax > starvedMost:
		return fmt.Sprintf("the machine was starved: the controller came %s late at one time",
			m.LateMax.Round(time.Millisecond))
	}
	return ""
}
