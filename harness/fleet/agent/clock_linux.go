package agent

import "golang.org/x/sys/unix"

// monotonic reads the kernel's monotonic clock, in nanoseconds: it is the same one for all agents of a machine.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // which makes no delay look shorter than it is by chance: there is no kernel without this clock
	}
	return t.Nano()
}
