package docker

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stream that is opened anew begins with what is known already.
func TestMessagesAreCopiedOnce(t *testing.T) {
	var out bytes.Buffer
	f := &follower{out: &out, seen: newRecent()}
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	var all []string
	for i := range 2000 {
		at := start.Add(time.Duration(i) * 10 * time.Millisecond)
		all = append(all, fmt.Sprintf("%s line %d\n", at.Format(time.RFC3339Nano), i/2)) // the same words twice, at other times
	}
	for i := range all {
		f.message([]byte(all[i]))
		if i%150 == 149 { // again from a second ago
			for j := max(0, i-100); j <= i; j++ {
				f.message([]byte(all[j]))
			}
		}
	}
	var want bytes.Buffer
	for i := range all {
		fmt.Fprintf(&want, "line %d\n", i/2)
	}
	require.Equal(t, want.String(), out.String())

	out.Reset()
	f.message([]byte("no time at all\n"))
	f.message([]byte("no time at all\n"))
	require.Equal(t, "no time at all\nno time at all\n", out.String(), "better twice than not at all")
}
