package child

// Exit codes of sunder; the first five are Jepsen's.
const (
	Valid       = 0
	Invalid     = 1
	Unknown     = 2
	Usage       = 254
	Error       = 255
	Interrupted = 130
)
