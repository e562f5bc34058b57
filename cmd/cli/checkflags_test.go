package cli

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A check that takes long says how far it is, every few seconds; one that does not is quiet.
func TestALongCheckSaysHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		progress := checkProgress(&out)
		for done := range 9 {
			time.Sleep(time.Second)
			progress("linear", done+1, 9)
		}
		require.Equal(t, "   3.0 s  checking linear: 4 of 9 keys are decided\n   6.0 s  checking linear: 7 of 9 keys are decided\n", out.String())
	})
}
