package register

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzEngines keeps looking for a history of which the engines say different things:
// `go test -fuzz FuzzEngines ./checkers/register`.
func FuzzEngines(f *testing.F) {
	f.Add([]byte{1, 0x01, 0x11, 0, 0, 0x23, 0x12, 0, 2, 0x56, 0x10, 0})
	f.Add([]byte{1, 0x01, 0x10, 1, 2, 0x29, 0x21, 0, 1, 0x34, 0x30, 3, 0, 0x56, 0x30, 0, 0, 0x78, 0x20, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var n compared
		require.NoError(t, n.agree(byBruteForce, fromBytes(data)))
	})
}

// fromBytes makes up to eight operations of four bytes each: action, interval, values, version.
func fromBytes(data []byte) []Op {
	var ops []Op
	for ; len(data) >= 4 && len(ops) < 8; data = data[4:] {
		call, length := int64(data[1]>>4), int64(data[1]&15)
		o := Op{
			Action: Action(data[0] % 4), Call: call, Return: call + length,
			Value: Value(data[2] >> 4), Old: Value(data[2] & 15), Version: uint64(data[3] % 8), ID: uint32(len(ops)),
		}
		if data[0]&0x80 != 0 && (o.Action == Write || o.Action == Swap) {
			o.Return, o.Version = Never, 0
		}
		if o.Action == Differ {
			o.Version = 0
		}
		ops = append(ops, o)
	}
	return ops
}
