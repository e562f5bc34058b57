package harness

import "golang.org/x/sys/unix"

// Monotonic is the machine's monotonic clock in nanoseconds, which all processes share: what one of them stamps,
// another can place.
func Monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // it fails only for clocks that do not exist
	return t.Nano()
}
