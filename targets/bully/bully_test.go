package bully

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/targets/member"
	"github.com/sunder-dev/sunder/targets/targettest"
)

// The test binary is also the member that the tests launch.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		set := flag.NewFlagSet(Command, flag.ExitOnError)
		c := member.Options(set)
		_ = set.Parse(os.Args[2:]) // it exits
		if err := c.Serve(context.Background(), Begin, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	targettest.Test(t, targettest.Config{
		Target: New(), Fleet: func() (harness.Fleet, error) { return local.New(t.TempDir(), 0), nil },
	})
	_, err := Entry().New(nil)(harness.TargetConfig{Flags: map[string]string{"x": "1"}})
	require.ErrorContains(t, err, "its members have no flags")
}
