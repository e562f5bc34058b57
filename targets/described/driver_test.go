package described

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// play is what the driver of these tests does: it answers each key with what the key says, but for the underscores.
func play(mode string) {
	switch mode {
	case "broken":
		fmt.Fprintln(os.Stderr, "Traceback: no such module")
		os.Exit(3)
	case "loud":
		fmt.Println("Welcome!")
	default:
		fmt.Println(`{"type": "ready"}`)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var id int
		_, _ = fmt.Sscanf(lines.Text(), `{"id":%d`, &id)
		switch text := lines.Text(); {
		case strings.Contains(text, "silence"):
			fmt.Fprintln(os.Stderr, "nothing to say")
		case strings.Contains(text, "end"):
			fmt.Fprintln(os.Stderr, "the end")
			os.Exit(0)
		case strings.Contains(text, "late"):
			fmt.Printf(`{"id": %d, "type": "ok", "value": "old"}`+"\n", id-1)
			fmt.Printf(`{"id": %d, "type": "ok", "value": "new"}`+"\n", id)
		case strings.Contains(text, "early"):
			fmt.Printf(`{"id": %d, "type": "ok", "value": "old"}`+"\n", id+1)
		case strings.Contains(text, "status"):
			fmt.Printf(`{"id": %d, "type": "ok", "leader": "n1", "term": 7}`+"\n", id)
		default:
			answers := map[string]string{
				"seven": `"type": "ok", "value": 7`, "text": `"type": "ok", "value": "7"`, "none": `"type": "ok", "value": null`,
				"without": `"type": "ok"`, "refused": `"type": "fail", "error": "no quorum"`, "doubt": `"type": "info", "error": "reset"`,
				"other": `"type": "mismatch"`, "list": `"type": "ok", "value": [1]`, "unknown": `"type": "okay"`, "typo": `"tpye": "ok"`, "nameless": `"type": "ok", "id": 0`,
			}
			for key, answer := range answers {
				if strings.Contains(text, key) {
					fmt.Printf(`{"id": %d, %s}`+"\n", id, answer)
				}
			}
		}
	}
}

func driverOf(t *testing.T, mode string) *Target {
	program, err := os.Executable()
	require.NoError(t, err)
	d, err := Parse("db.yaml", []byte(fmt.Sprintf(
		"program: sh\ndriver: {program: %s, arguments: [driver, %s], operations: [read, write, cas, status]}\n", program, mode)))
	require.NoError(t, err)
	target, err := New(*d)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.(io.Closer).Close()) })
	return target.(*reporting).Target
}

func clientOf(t *testing.T, target *Target) *driven {
	c, err := target.Dial(t.Context(), node{addr: "127.0.0.1:1"})
	require.NoError(t, err)
	return c.(*driven)
}

// Each answer of a driver means what the protocol says, and none but a fail proves anything.
func TestWhatDriversProve(t *testing.T) {
	target := driverOf(t, "play")
	require.Contains(t, target.Can(), harness.CAS)
	c := clientOf(t, target)
	for _, key := range []string{"seven", "text"} {
		value, _, err := c.Read(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, "7", *value)
	}
	value, _, err := c.Read(t.Context(), "late")
	require.NoError(t, err)
	require.Equal(t, "new", *value, "an answer to a call that was given up is not the next one's")
	value, _, err = c.Read(t.Context(), "none")
	require.NoError(t, err)
	require.Nil(t, value)
	for key, want := range map[string]string{
		"without": "without a value", "list": "neither a string nor a number", "unknown": `type "okay", which means nothing`,
		"typo": `unknown field "tpye"`, "nameless": "answered without the id of the call", "doubt": "reset", "early": "was asked no more than", "other": `a read with type "mismatch"`,
	} {
		c := clientOf(t, target)
		_, _, err = c.Read(t.Context(), key)
		require.NoError(t, c.Close())
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, harness.ErrNotApplied)
	}
	_, err = c.Write(t.Context(), "refused", "1")
	require.ErrorIs(t, err, harness.ErrNotApplied)
	require.ErrorContains(t, err, "no quorum")
	_, err = c.CompareAndSet(t.Context(), "other", "1", "2")
	require.Equal(t, harness.Refusal{Reason: history.Mismatch}, err)
	require.NoError(t, c.Close())

	s, err := (&reporting{target}).Status(t.Context(), node{addr: "127.0.0.1:1"})
	require.NoError(t, err)
	require.Equal(t, history.Status{Role: "leader", Leader: "n1", Term: 7, Vague: true}, s)
}
