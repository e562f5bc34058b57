package paxos

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
		if err := serve(c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	target, err := New()
	require.NoError(t, err)
	targettest.Test(t, targettest.Config{
		Target: target, Fleet: func() (harness.Fleet, error) { return local.New(t.TempDir(), 0), nil },
	})
	_, err = Entry().New(nil)(harness.TargetConfig{Flags: map[string]string{"x": "1"}})
	require.ErrorContains(t, err, "its members have no flags")
}

func serve(c *member.Command) error {
	begin, err := Begin("")
	if err != nil {
		return err
	}
	return c.Serve(context.Background(), begin, os.Stderr)
}

func TestBugs(t *testing.T) {
	for _, b := range Bugs() {
		target, err := New(b.Name)
		require.NoError(t, err)
		require.Equal(t, []string{"--bug", b.Name}, target.Args)
		require.NotEmpty(t, b.About)
		require.NotEmpty(t, b.Property)
	}
	_, err := New("beetle")
	require.ErrorContains(t, err, `unknown bug "beetle"`)
}
