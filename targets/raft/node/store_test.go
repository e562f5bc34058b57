package node

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

func text(s string) *string { return &s }

func TestStoreApplies(t *testing.T) {
	s := newStore()
	serial := uint64(0)
	do := func(c command) outcome {
		serial++
		c.Session, c.Serial = 1, serial
		return s.apply(serial, c, false)
	}
	require.Equal(t, outcome{Done: true}, do(command{Op: opPut, Key: "k", Value: "1"}))
	require.Equal(t, outcome{Done: true, Value: text("1")}, do(command{Op: opPut, Key: "k", Value: "2"}))
	require.Equal(t, outcome{Value: text("2")}, do(command{Op: opCAS, Key: "k", Old: "1", Value: "3"}))
	require.Equal(t, outcome{Done: true, Value: text("2")}, do(command{Op: opCAS, Key: "k", Old: "2", Value: "3"}))
	require.Equal(t, outcome{}, do(command{Op: opCAS, Key: "absent", Old: "", Value: "3"}))
	require.Equal(t, outcome{Done: true, Value: text("3")}, do(command{Op: opDelete, Key: "k"}))
	require.Equal(t, outcome{}, do(command{Op: opDelete, Key: "k"}))
	require.Zero(t, s.Hash, "an empty store")
}

// A command that comes twice is applied once and answered twice the same (thesis §6.3).
func TestStoreAppliesOnce(t *testing.T) {
	for _, twice := range []bool{false, true} {
		s := newStore()
		s.bugs = core.Bugs{ApplyTwice: twice}
		first := command{Op: opPut, Key: "k", Value: "1", Session: 1, Serial: 1}
		s.apply(1, first, false)
		s.apply(2, command{Op: opPut, Key: "k", Value: "2", Session: 2, Serial: 1}, false)
		require.True(t, s.apply(3, first, false).Done)
		require.Equal(t, map[bool]string{false: "2", true: "1"}[twice], *s.get("k"), "apply-twice: %v", twice)
	}
}

func TestStoreForgetsOldSessions(t *testing.T) {
	s := newStore()
	s.apply(1, command{Op: opPut, Key: "k", Session: 1, Serial: 1}, false)
	s.apply(512*1024, command{Op: opPut, Key: "k", Session: 2, Serial: 1}, false)
	require.Len(t, s.Sessions, 2)
	s.apply(1024*1000, command{Op: opPut, Key: "k", Session: 3, Serial: 1}, false)
	require.NotContains(t, s.Sessions, uint64(1))
	require.Contains(t, s.Sessions, uint64(2))
}

// The hash says what the state is, whatever the way to it, and a snapshot keeps all of it.
func TestStoreHashAndSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		for i := range rapid.IntRange(0, 40).Draw(t, "commands") {
			s.apply(uint64(i+1), command{
				Op:      rapid.SampledFrom([]operation{opPut, opPut, opCAS, opDelete}).Draw(t, "op"),
				Key:     rapid.SampledFrom([]string{"a", "b", "1:a"}).Draw(t, "key"),
				Value:   rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "value"),
				Old:     rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "old"),
				Session: uint64(rapid.IntRange(1, 3).Draw(t, "session")), Serial: uint64(i),
			}, false)
		}
		fresh := newStore()
		for k, v := range s.Values {
			fresh.set(k, v)
		}
		require.Equal(t, fresh.Hash, s.Hash)

		data, err := s.snapshot()
		require.NoError(t, err)
		restored := newStore()
		require.NoError(t, restored.restore(data))
		require.Equal(t, s, restored)
	})
}
