//go:build !linux

package netns

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/sunder-dev/sunder/harness"
)

var errNotLinux = errors.New("network namespaces are Linux's")

// Arrive does nothing here.
func Arrive() {}

// Inside is false here.
func Inside() bool { return false }

// Enter fails here.
func Enter(context.Context, []string, *os.File, io.Writer, io.Writer) (code int, err error) {
	return 0, errNotLinux
}

// Door is nowhere here.
func Door() string { return "" }

// New returns nothing here: nobody is inside.
func New(string, string) harness.Fleet { return nil }

func works(context.Context) (role string, err error) { return "", errNotLinux }

func of(string) string { return "" }
