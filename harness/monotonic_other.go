//go:build !linux

package harness

import "time"

// Monotonic is a clock of the machine in nanoseconds, which all processes share: what one of them stamps, another can
// place. Where the monotonic one cannot be had it is the time of day.
func Monotonic() int64 { return time.Now().UnixNano() }
