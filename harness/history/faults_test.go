package history

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is said to act without evidence, or for no time at all, is not confirmed.
func TestEvidenceOfFaults(t *testing.T) {
	begin := []string{"-3 note test - " + aTest, `-3 note phase - "load"`, `-1 invoke kill - {"id":0,"fault":{"nodes":["n1"]}}`}
	for _, evidence := range []string{`{"id":0}`, `{"id":0,"evidence":{}}`, `{"id":0,"evidence":null}`, `{"id":0,"evidence":[]}`} {
		n := told(t, append(begin[:3:3], "-1 ok kill - "+evidence, `-1 invoke heal - {"id":0}`, `-1 ok heal - {"id":0}`)...).Notes()
		require.NoError(t, n.Err())
		require.False(t, n.Faults[0].Confirmed)
		require.Equal(t, "it is said to be in force, without evidence", n.Faults[0].Err)
	}
	h := told(t, append(begin[:3:3], `-1 ok kill - {"id":0,"evidence":{"killed":["n1"]}}`)...)
	require.True(t, h.Notes().Faults[0].Confirmed)
	require.NoError(t, h.Append(Event{At: h.End(), Process: Nemesis, Kind: Invoke, F: FHeal, Value: json.RawMessage(`{"id":0}`)}))
	require.False(t, h.Notes().Faults[0].Confirmed)
	require.Contains(t, h.Notes().Faults[0].Err, "it was in force for 0s only")
}

// A fault must be in force for a while, if a short one.
func TestFaultsMustLast(t *testing.T) {
	h := told(t, "-3 note test - "+aTest, `-3 note phase - "load"`, `-1 invoke kill - {"id":0,"fault":{"node":"n1"}}`,
		`-1 ok kill - {"id":0,"evidence":{"killed":["n1"]}}`)
	require.NoError(t, h.Append(Event{At: h.End() + leastHeld - 1, Process: Nemesis, Kind: Invoke, F: FHeal, Value: json.RawMessage(`{"id":0}`)}))
	require.False(t, h.Notes().Faults[0].Confirmed)
	require.Contains(t, h.Notes().Faults[0].Err, "it was in force for 999.999µs only")
}
