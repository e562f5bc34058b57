package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/cmd/child"
)

// Every demo is a run that can be had, says what it is expected to end with, and has something to say afterwards.
func TestDemos(t *testing.T) {
	a := app{Catalogue: Default()}
	code, stdout, stderr := typed(t, "demo")
	require.Equal(t, child.Valid, code, stderr)
	for _, d := range a.Demos {
		require.NoError(t, a.try(d.args()), d.Name)
		require.Contains(t, d.Args, "--expect ", d.Name)
		require.NotEmpty(t, d.Lesson, d.Name)
		require.Contains(t, stdout, d.Name+"\n    "+d.About+"\n    "+d.command()+"\n")
	}
	code, _, stderr = typed(t, "demo", "split-brian")
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "did you mean split-brain?")
}

// A demo that went as it should says what there is to be learned.
func TestADemo(t *testing.T) {
	t.Chdir(t.TempDir())
	code, stdout, stderr := typed(t, "demo", "split-brain")
	require.Equal(t, child.Valid, code, "%s%s", stdout, stderr)
	require.Contains(t, stdout, "as expected: invalid:leader:single,linear\n")
	require.Contains(t, stdout, "Without a quorum nothing keeps")
}
