//go:build !linux

package agent

// monotonic is not needed: agents run on Linux only.
func monotonic() int64 { return 0 }
