package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const aTest = `{"version":1,"target":"raft","nodes":["n1","n2"],"checkers":["linear"]}`

// told makes a history of notes, written as "process kind f node value", which come a millisecond apart.
func told(t *testing.T, events ...string) *History {
	h := &History{}
	for i, text := range events {
		fields := strings.SplitN(text, " ", 5)
		e := Event{At: time.Duration(i) * time.Millisecond, F: fields[2], Node: strings.Trim(fields[3], "-"), Value: json.RawMessage(fields[4])}
		_, err := fmt.Sscan(fields[0], &e.Process)
		require.NoError(t, err)
		e.Kind, _ = kindOf([]byte(fields[1]))
		require.NoError(t, h.Append(e))
	}
	return h
}

func TestNotesAreRead(t *testing.T) {
	h := told(t,
		"-3 note test - "+aTest, `-3 note phase - "launch"`, `-3 note phase - "load"`,
		`-2 note claim n1 {"term":7,"source":"log"}`, `-2 note status n2 {"role":"follower","term":7,"applied":5,"hash":"aa"}`,
		`-1 invoke kill - {"id":0,"fault":{"nodes":["n1"]}}`, `-1 invoke isolate - {"id":1,"fault":{"nodes":["n2"],"links":[{"from":"n1","to":"n2"}]}}`,
		`-1 info isolate - {"id":1,"evidence":{},"nothing":true}`, `-1 ok kill - {"id":0,"evidence":{"killed":["n1"]}}`,
		`-1 invoke heal - {"id":1}`, `-1 ok heal - {"id":1}`, `-2 note exit n2 {"log":["bye"]}`, `-2 note exit n1 `,
		`-3 note machine - {"late_p99_ns":5,"late_max_ns":6}`, `-3 note phase - "recover"`, `-3 note recovery - {"served":true}`, `-3 note phase - "final"`,
		`-3 note last - {"calls":[{"f":"read","key":"x"}]}`, `-2 note hash n1 {"revision":4,"sum":"bb"}`, `-3 note phase - "end"`)
	n := h.Notes()
	require.NoError(t, n.Err())
	require.Equal(t, "raft", n.Test.Target)
	require.Equal(t, []Said[Claim]{{3, 3 * time.Millisecond, "n1", Claim{Term: 7, Source: "log"}}}, n.Claims)
	require.Equal(t, uint64(5), n.Statuses[0].What.Applied)
	require.Equal(t, "bb", n.Hashes[0].What.Sum)
	require.Equal(t, []string{"bye"}, n.Exits[0].What.Log)
	require.Equal(t, time.Duration(6), n.Machine.LateMax)
	require.True(t, n.Recovery.Served)
	require.Equal(t, []LastCall{{"read", "x"}}, n.Last.Calls)
	load, ok := n.Phase(PhaseLoad)
	require.True(t, ok)
	require.Equal(t, Span{PhaseLoad, 2 * time.Millisecond, 14 * time.Millisecond}, load)
	_, ok = n.Phase(PhaseHeal)
	require.False(t, ok)

	require.Len(t, n.Faults, 2)
	kill, isolate := n.Faults[0], n.Faults[1]
	require.True(t, kill.Confirmed)
	require.Equal(t, []string{"n1"}, kill.Took.Down)
	require.Equal(t, Never, kill.Healed, "it was never healed")
	require.False(t, isolate.Confirmed)
	require.True(t, isolate.Nothing)
	require.Equal(t, []Link{{"n1", "n2"}}, isolate.Took.Cut)
	require.Equal(t, 10*time.Millisecond, isolate.Healed)
}

// What cannot be read, or cannot be, is a problem that names the event. Nothing is passed over.
func TestNotesAreReadStrictly(t *testing.T) {
	begin := []string{"-3 note test - " + aTest, `-3 note phase - "launch"`, `-3 note phase - "load"`}
	kill := append(begin[:3:3], `-1 invoke kill - {"id":0,"fault":{"nodes":["n1"]}}`)
	killed := append(kill[:4:4], `-1 ok kill - {"id":0,"evidence":{"killed":["n1"]}}`)
	beside := []string{`-3 note test - {"version":1,"checkers":["mutex"],"nodes":["n1"],"companions":["c1"]}`, begin[1], begin[2]}
	guarded := func(seq int) string {
		return fmt.Sprintf(`-2 note guarded c1 {"seq":%d,"process":1,"lock":"a","token":1,"highest":0,"value":1,"accepted":true}`, seq)
	}
	for name, c := range map[string]struct {
		before []string
		event  string
		want   string
	}{
		"a term that is a text":           {begin, `-2 note claim n1 {"term":"9","source":"log"}`, "event 3: the claim of \"n1\""},
		"a term that is a fraction":       {begin, `-2 note claim n1 {"term":9.0,"source":"log"}`, "the claim of"},
		"a term that is too large":        {begin, `-2 note claim n1 {"term":18446744073709551616,"source":"log"}`, "the claim of"},
		"a term below 1":                  {begin, `-2 note claim n1 {"term":0,"source":"log"}`, "to term 0"},
		"no term":                         {begin, `-2 note claim n1 {"source":"log"}`, `field "term" is missing`},
		"two terms":                       {begin, `-2 note claim n1 {"term":7,"term":9,"source":"log"}`, "comes twice"},
		"a term in capitals":              {begin, `-2 note claim n1 {"Term":7,"source":"log"}`, `field "Term" is unknown`},
		"a claim with more":               {begin, `-2 note claim n1 {"term":7,"source":"log","x":1}`, "unknown field"},
		"a claim from nowhere":            {begin, `-2 note claim n1 {"term":7}`, `field "source" is missing`},
		"a claim of nobody":               {begin, `-2 note claim - {"term":7,"source":"log"}`, "does not say of which node"},
		"a claim of null":                 {begin, `-2 note claim n1 null`, "null is no value"},
		"a claim of nothing":              {begin, `-2 note claim n1 `, "there is no value"},
		"a claim by the controller":       {begin, `-3 note claim n1 {"term":7,"source":"log"}`, "the controller notes nothing by the name of \"claim\""},
		"a claim by the nemesis":          {begin, `-1 note claim n1 {"term":7,"source":"log"}`, "of the nemesis"},
		"a claim that is an answer":       {begin, `-2 ok claim n1 {"term":7,"source":"log"}`, "must be a note"},
		"an index that is a fraction":     {begin, `-2 note status n1 {"role":"leader","term":1,"applied":100.0,"hash":"x"}`, "the status of"},
		"a hash without a sum":            {begin, `-2 note hash n1 {"revision":1}`, `field "sum" is missing`},
		"an exit with more":               {begin, `-2 note exit n1 {"code":3}`, "the exit of"},
		"an observation of another kind":  {begin, `-2 note rumour n1 {}`, "notes nothing by the name of"},
		"a phase that is none":            {begin, `-3 note phase - "lunch"`, `there is no phase "lunch"`},
		"a phase that is over":            {begin, `-3 note phase - "launch"`, "phase launch comes after phase load"},
		"a phase that comes twice":        {begin, `-3 note phase - "load"`, "phase load comes after phase load"},
		"a phase that is a number":        {begin, `-3 note phase - 3`, "the phase"},
		"another description":             {begin, "-3 note test - " + aTest, "must be the first event, once"},
		"no description":                  {nil, `-3 note phase - "load"`, "does not begin with a description"},
		"a description without checkers":  {nil, `-3 note test - {"version":1,"checkers":[]}`, "names no checkers"},
		"another version":                 {nil, `-3 note test - {"version":2,"checkers":["linear"]}`, "is of version 2"},
		"a description that is none":      {nil, `-3 note test - {"version":1`, "the description of the run"},
		"a machine that comes twice":      {append(begin[:3:3], `-3 note machine - {"late_p99_ns":1,"late_max_ns":1}`), `-3 note machine - {"late_p99_ns":1,"late_max_ns":1}`, "machine comes twice"},
		"a fault that was done already":   {kill, `-1 invoke kill - {"id":0,"fault":{}}`, "begins twice"},
		"a fault that does nothing":       {begin[:3:3], `-1 invoke kill - {"id":0}`, "does not say what is to be done"},
		"a fault before the load":         {begin[:2], `-1 invoke kill - {"id":0,"fault":{}}`, "begins outside of phase load"},
		"a fault that did not begin":      {begin, `-1 ok kill - {"id":0,"evidence":{"x":1}}`, "which has not begun"},
		"another fault":                   {kill, `-1 ok pause - {"id":0,"evidence":{"x":1}}`, "is not what can follow"},
		"confirmed twice":                 {killed, `-1 ok kill - {"id":0,"evidence":{"x":1}}`, "is not what can follow"},
		"confirmed after it was not":      {append(kill[:4:4], `-1 info kill - {"id":0}`), `-1 ok kill - {"id":0,"evidence":{"x":1}}`, "is not what can follow"},
		"confirmed after the heal":        {append(kill[:4:4], `-1 invoke heal - {"id":0}`), `-1 ok kill - {"id":0,"evidence":{"x":1}}`, "is not what can follow"},
		"confirmed after the end":         {append(kill[:4:4], `-3 note phase - "end"`), `-1 ok kill - {"id":0,"evidence":{"x":1}}`, "comes after the end"},
		"healed before it is undone":      {killed, `-1 ok heal - {"id":0}`, "is not what can follow"},
		"a fault that is a note":          {killed, `-1 note heal - {"id":0}`, "is not what can follow"},
		"a fault without a number":        {begin, `-1 invoke kill - []`, "of the nemesis"},
		"a fault whose number is missing": {begin, `-1 invoke kill - {"fault":{}}`, `field "id" is missing`},
		"a fault with evidence at once":   {begin, `-1 invoke kill - {"id":0,"fault":{},"evidence":{"x":1}}`, "has evidence before it has begun"},
		"a fault that is a list":          {begin, `-1 invoke kill - {"id":0,"fault":[]}`, "fault 0"},
		"members that are no nodes":       {begin, `-3 note members - {"nodes":["n9"]}`, `the members: "n9" is no node of the run`},
		"a member twice":                  {begin, `-3 note members - {"nodes":["n1","n1"]}`, `"n1" is named twice`},
		"no members":                      {begin, `-3 note members - {"nodes":[]}`, "the cluster has no members"},
		"members of another shape":        {begin, `-3 note members - {"nodes":["n1"],"voters":1}`, "the members: "},
		"a fault of a stranger":           {begin, `-1 invoke kill - {"id":0,"fault":{"nodes":["n9"]}}`, `"n9" is no node of the run`},
		"a link from a stranger":          {begin, `-1 invoke cut - {"id":0,"fault":{"links":[{"from":"n9","to":"n1"}]}}`, `"n9" is no node of the run`},
		"done, and did nothing":           {kill, `-1 ok kill - {"id":0,"evidence":{"x":1},"nothing":true}`, "is not what can follow"},
		"a claim of a stranger":           {begin, `-2 note claim n9 {"term":7,"source":"log"}`, `"n9" is no node of the run`},
		"a status without a role":         {begin, `-2 note status n1 {"term":1}`, `field "role" is missing`},
		"a recovery under load":           {begin, `-3 note recovery - {"served":true}`, "outside of phase recover"},
		"last calls under load":           {begin, `-3 note last - {"calls":[]}`, "outside of phase final"},
		"a last call of nothing":          {append(begin[:3:3], `-3 note phase - "final"`), `-3 note last - {"calls":[{"key":"x"}]}`, `field "f" is missing`},
		"a last call with more":           {append(begin[:3:3], `-3 note phase - "final"`), `-3 note last - {"calls":[{"f":"read","key":"x","x":1}]}`, `unknown field "x"`},
		"no last calls":                   {append(begin[:3:3], `-3 note phase - "final"`), `-3 note last - {}`, `field "calls" is missing`},
		"a machine out of bounds":         {begin, `-3 note machine - {"late_p99_ns":1,"late_max_ns":1,"idle":1.5}`, "cannot spend"},
		"a node that is named twice":      {nil, `-3 note test - {"version":1,"checkers":["linear"],"nodes":["n1","n1"]}`, "twice"},
		"a rate below 0":                  {nil, `-3 note test - {"version":1,"checkers":["linear"],"min_rate":-1}`, "below 0"},
		"a loss of a member":              {begin, `-2 note lost n1 {"process":1,"lock":"a","token":1,"at_ns":0}`, `"n1" is no companion`},
		"a loss of no lock":               {beside, `-2 note lost c1 {"process":1,"lock":"","token":1,"at_ns":0}`, "does not say which lock"},
		"a loss of nobody":                {beside, `-2 note lost c1 {"process":-1,"lock":"a","token":1,"at_ns":0}`, "process -1 is no client"},
		"a loss that is to come":          {beside, `-2 note lost c1 {"process":1,"lock":"a","token":1,"at_ns":1000000000000}`, "and told of at"},
		"a loss without a token":          {beside, `-2 note lost c1 {"process":1,"lock":"a","at_ns":0}`, `field "token" is missing`},
		"a write that is left out":        {beside, guarded(2), "write 2 comes after write 0"},
		"a write that comes twice":        {append(beside[:3:3], guarded(1)), guarded(1), "write 1 comes after write 1"},
		"a write of no lock":              {beside, strings.Replace(guarded(1), `"a"`, `""`, 1), "does not say of which lock"},
		"a write of nobody":               {beside, strings.Replace(guarded(1), `"process":1`, `"process":-1`, 1), "process -1 is no client"},
		"a write with more":               {beside, strings.Replace(guarded(1), `"seq"`, `"x":1,"seq"`, 1), "unknown field"},
		"a companion that is a member":    {nil, `-3 note test - {"version":1,"checkers":["mutex"],"nodes":["n1"],"companions":["n1"]}`, "twice"},
		"a client before the load":        {begin[:2], `0 invoke read n1 `, "a client calls before phase load"},
		"a client after the end":          {append(begin[:3:3], `-3 note phase - "end"`), `0 invoke read n1 `, "after phase end"},
	} {
		t.Run(name, func(t *testing.T) {
			events := append(c.before[:len(c.before):len(c.before)], c.event)
			if len(c.before) > 0 {
				require.NoError(t, told(t, c.before...).Notes().Err(), "but for the event")
			}
			require.ErrorContains(t, told(t, events...).Notes().Err(), c.want)
		})
	}
	two := told(t, append(begin, `-2 note claim - {}`, `-2 note claim - {}`)...)
	require.ErrorContains(t, two.Notes().Err(), "event 3: the \"claim\" does not say of which node it is; and 1 more events")
}

// A history of clients alone needs no description.
func TestPlainHistories(t *testing.T) {
	h, _, err := Read(bytes.NewReader(sample(10)), "h")
	require.NoError(t, err)
	require.NoError(t, h.Notes().Err())
	require.Nil(t, h.Notes().Test)
}
