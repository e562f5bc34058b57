package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// inWords writes a JSON object for people: names and values, and of a list of objects how many there are. What is no
// object stays as it is.
func inWords(data json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var object map[string]any
	if d.Decode(&object) != nil {
		return string(data)
	}
	return words(object)
}

// words is empty for what says nothing.
func words(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case map[string]any:
		var parts []string
		for _, name := range sortedKeys(v) {
			text := words(v[name])
			if _, nested := v[name].(map[string]any); nested && text != "" {
				text = "(" + text + ")"
			}
			if text != "" {
				parts = append(parts, strings.ReplaceAll(name, "_", " ")+" "+text)
			}
		}
		return strings.Join(parts, ", ")
	case []any:
		var parts []string
		for _, e := range v {
			if _, ok := e.(map[string]any); ok {
				return fmt.Sprint(len(v))
			}
			parts = append(parts, words(e))
		}
		return strings.Join(parts, " ")
	default:
		return fmt.Sprint(v)
	}
}
