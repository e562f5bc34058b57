package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// WatchdogEnv names the environment variable with the number of a file descriptor on which a
// node process reads until its end: that end means that the controller is gone, however it died,
// and the node must go too.
const WatchdogEnv = "SUNDER_WATCHDOG_FD"

// Watchdog returns a context that ends with the controller, if a controller started us: the pipe
// that it holds ends when it does, however it does.
func Watchdog(ctx context.Context) (context.Context, error) {
	number := os.Getenv(WatchdogEnv)
	if number == "" {
		return ctx, nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("%s=%q is not a number", WatchdogEnv, number)
	}
	pipe := os.NewFile(uintptr(fd), "watchdog")
	if pipe == nil {
		return nil, fmt.Errorf("%s=%d: no such descriptor", WatchdogEnv, fd)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, err := io.Copy(io.Discard, pipe)
		cancel(errors.Join(errors.New("the controller is gone"), err))
	}()
	return ctx, nil
}
