package history

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStrictly(t *testing.T) {
	type pair struct {
		A int    `json:"a"`
		B string `json:"b"`
	}
	for text, want := range map[string]string{
		``: "there is no value", `null`: "null is no value", `[]`: "cannot unmarshal", `{"a":1`: "unexpected EOF",
		`{"a":1}{"b":"x"}`: "there is more after it", `{"A":1}`: `field "A" is unknown`, `{"a":1,"a":2}`: `field "a" is unknown, or comes twice`,
		`{"a":1,"c":2}`: `unknown field "c"`, `{"b":"x"}`: `field "a" is missing`, `{"a":1.5}`: "cannot unmarshal",
	} {
		_, err := Strictly[pair]([]byte(text), "a")
		require.ErrorContains(t, err, want, text)
	}
	v, err := Strictly[pair]([]byte(` {"b":"x","a":1} `), "a")
	require.NoError(t, err)
	require.Equal(t, pair{1, "x"}, v)
}
