package described

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page has the example as it is, and a word on each field.
func TestThePageIsCurrent(t *testing.T) {
	text, err := os.ReadFile("../../docs/bring-your-own.md")
	require.NoError(t, err)
	example, err := os.ReadFile("../../docs/examples/python/store.yaml")
	require.NoError(t, err)
	require.Contains(t, string(text), "```yaml\n"+string(example)+"```\n")
	for _, of := range []any{Description{}, Request{}, Status{}, Driver{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(of)) {
			if name := field.Tag.Get("yaml"); name != "" {
				require.True(t, strings.Contains(string(text), "`"+name+"`") || strings.Contains(string(text), "`"+name+":"), "%s", name)
			}
		}
	}
}

// The file that the tutorial has describes the store that it is about.
func TestTheTutorialsFile(t *testing.T) {
	page, err := os.ReadFile("../../docs/tutorial.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```yaml\n# mydb.yaml\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, block)
	d, err := Parse("../../docs/examples/python/mydb.yaml", block[1])
	require.NoError(t, err)
	whole, err := Read("../../docs/examples/python/store.yaml")
	require.NoError(t, err)
	require.Equal(t, whole.Read, d.Read)
	require.Equal(t, whole.Write, d.Write)
	require.ElementsMatch(t, whole.Arguments, d.Arguments)
}
