package netns

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What does not work is named by its step, with the one command that helps.
func TestAdvice(t *testing.T) {
	require.Contains(t, advice(*failed(stepNetwork, fmt.Errorf("veth: %w", unsupported))), "modprobe")
	require.Contains(t, advice(*failed(stepClone, noSpace)), "user.max_user_namespaces")
	require.Contains(t, advice(*failed(stepMount, denied)), "systempaths=unconfined")
	require.Contains(t, advice(*failed(stepClone, denied)), "seccomp=unconfined")
	require.Equal(t, "mount /proc: operation not permitted", failed(stepMount, denied).Error())
	require.Empty(t, advice(*failed(stepPacket, context.DeadlineExceeded)))
}

// A run goes on in the process namespace of others where /proc cannot be mounted.
func TestWithoutAProcessNamespace(t *testing.T) {
	require.Nil(t, attempt(t.Context(), roleTryNoPID))
	require.Nil(t, attempt(t.Context(), roleTry))
	require.NotNil(t, attempt(t.Context(), "no such role"))
}

// What a machine may answer.
const (
	unsupported = syscall.EOPNOTSUPP
	noSpace     = syscall.ENOSPC
	denied      = syscall.EPERM
)
