package byhand

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/harnesstest"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/nemesis"
	"github.com/sunder-dev/sunder/workloads"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// up holds a cluster in memory up until the test ends.
func up(t *testing.T) *Desk {
	workload, err := workloads.NewRegister(workloads.DefaultRegister())
	require.NoError(t, err)
	fake := harnesstest.New(harnesstest.Mistakes{})
	desk := &Desk{
		Hands: harness.NewHands(), Families: nemesis.Default(), Nodes: harness.NodeNames(5), Dir: t.TempDir(),
	}
	test := &harness.Test{
		Target: fake, Fleet: fake, Workload: workload, Nodes: 5, Clients: 4, Rate: 50, Hands: desk.Hands, Progress: desk.See,
		Deeds: nemesis.Default().Deeds(), TimeLimit: time.Minute, OpTimeout: time.Second, LaunchTimeout: 10 * time.Second,
		RecoverTimeout: 10 * time.Second, Seed: 1, Dir: desk.Dir, About: history.Test{Target: "fake"},
	}
	ended := make(chan error, 1)
	go func() { ended <- harness.Run(context.Background(), test) }()
	<-desk.Hands.Ready()
	t.Cleanup(func() {
		if err := desk.Hands.End(); err != nil {
			require.ErrorIs(t, err, harness.ErrIdleHands)
		}
		require.NoError(t, <-ended)
	})
	return desk
}

// did carries out a line that can be meant.
func did(t *testing.T, d *Desk, line string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, d.Do(t.Context(), line, &out))
	return out.String()
}

func TestLines(t *testing.T) {
	d := up(t)
	require.Empty(t, did(t, d, "  "))
	require.Empty(t, did(t, d, "# a remark"))
	require.Contains(t, did(t, d, "help"), "isolate n1 for 3s")
	require.Equal(t, "nothing is broken\n", did(t, d, "heal"))
	require.Equal(t, "fault 0 partition:isolate n1\n", did(t, d, "isolate leader"))
	require.Equal(t, "fault 1 kill n2 n3\n", did(t, d, "kill n3,n2"))
	require.Equal(t, "fault 2 partition:links n4>n5\n", did(t, d, "cut n4>n5"))
	status := did(t, d, "status")
	require.Regexp(t, `n2 +n2:client +down or paused`, status)
	require.Regexp(t, `fault 2 partition:links n4>n5, for 0\.\d s`, status)
	require.Regexp(t, `calls: \d+ ok`, status)
	require.Equal(t, "healed 2 partition:links n4>n5\n", did(t, d, "heal 2"))
	require.Equal(t, "fault 3 partition:links n4>n5 n5>n4\n", did(t, d, "cut n4 n5"))
	require.Contains(t, did(t, d, "pause n4 for 50ms"), "fault 4 pause n4")
	require.Eventually(t, func() bool {
		s, err := d.State()
		require.NoError(t, err)
		return len(s.Faults) == 3
	}, 10*time.Second, 10*time.Millisecond, "one heals by itself")
	require.Equal(t, 3, strings.Count(did(t, d, "heal"), "healed"))
	require.Eventually(t, func() bool { return strings.Contains(did(t, d, "status"), "leader") }, 10*time.Second, 10*time.Millisecond)
	require.Empty(t, did(t, d, "wait 1ms"))
	s, err := d.State()
	require.NoError(t, err)
	require.Equal(t, d.Dir, s.Dir)
	require.Len(t, s.Nodes, 5)
	require.ErrorIs(t, d.Do(t.Context(), "down", &bytes.Buffer{}), ErrDown)
}

// What cannot be meant is said, and nothing is done.
func TestWrongLines(t *testing.T) {
	d := up(t)
	for line, want := range map[string]string{
		"frobnicate":           `unknown family "frobnicate"`,
		"kill n9":              "there is no node n9; nodes are n1, n2, n3, n4, n5",
		"kill n1 n2":           `"kill n1 n2" is not understood`,
		"kill n1 for ever":     "for ever: a time like 500ms or 3s",
		"kill n1 for -1s":      "for -1s: a time",
		"cut":                  "name the links",
		"cut n1":               "name the links",
		"cut n1 n1":            "name the links",
		"cut n1 n9":            `there is no node "n9"`,
		"heal x":               `"x" is no number of a fault`,
		"heal 7":               "there is no fault 7 in force",
		"wait":                 "give a duration",
		"wait long":            "invalid duration",
		"partition:rng leader": "rng",
	} {
		var out bytes.Buffer
		require.ErrorContains(t, d.Do(t.Context(), line, &out), want, line)
		require.Empty(t, out.String())
	}
	s, err := d.State()
	require.NoError(t, err)
	require.Empty(t, s.Faults)
}

// What is sent to the socket is done; only its owner can, and nobody after it has gone.
func TestTheSocket(t *testing.T) {
	d := up(t)
	remote := Remote{d.Dir}
	_, err := remote.State(t.Context())
	require.ErrorIs(t, err, ErrNotUp)
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, d.Dir)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(d.Dir, SocketFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	ended := make(chan error)
	go func() { ended <- d.Serve(ctx, l) }()
	text, err := remote.Do(t.Context(), "kill n2")
	require.NoError(t, err)
	require.Equal(t, "fault 0 kill n2\n", text)
	_, err = remote.Do(t.Context(), "kill n9")
	require.EqualError(t, err, "there is no node n9; nodes are n1, n2, n3, n4, n5")
	s, err := remote.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Fault{{ID: 0, Name: "kill", Nodes: []string{"n2"}, Since: s.Faults[0].Since}}, s.Faults)
	require.False(t, s.Nodes[1].Up)
	_, err = remote.Do(t.Context(), "down")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := remote.State(t.Context())
		return err != nil && !errors.Is(err, ErrNotUp)
	}, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	_, err = remote.State(t.Context())
	require.ErrorIs(t, err, ErrNotUp)
}

// The path of a socket may be as long as any other.
func TestALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	require.NoError(t, os.Mkdir(dir, 0o755))
	l, err := Listen(t.Context(), dir)
	if runtime.GOOS != "linux" {
		require.ErrorContains(t, err, "use a shorter --out")
		return
	}
	require.NoError(t, err)
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- (&Desk{Hands: harness.NewHands()}).Serve(ctx, l) }()
	_, err = Remote{dir}.State(t.Context())
	require.EqualError(t, err, harness.ErrIdleHands.Error())
	cancel()
	require.NoError(t, <-ended)
	require.NoFileExists(t, filepath.Join(dir, SocketFile))
	_, err = Remote{filepath.Join(dir, strings.Repeat("y", 100))}.State(t.Context())
	require.ErrorIs(t, err, ErrNotUp)
}
