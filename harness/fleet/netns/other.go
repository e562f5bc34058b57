//go:build !linux

package netns

import (
	"context"
	"errors"
	"io"

	"github.com/sunder-dev/sunder/harness"
)

var errNotLinux = errors.New("network namespaces are Linux's")

// Arrive does nothing here.
func Arrive() {}

// Inside is false here.
func Inside() bool { return false }

// Enter fails here.
func Enter(context.Context, []string, io.Writer, io.Writer) (code int, err error) {
	return 0, errNotLinux
}

// New returns nothing here: nobody is inside.
func New(string, string) harness.Fleet { return nil }

func works(context.Context) (role string, err error) { return "", errNotLinux }

func of(string) string { return "" }
