package nemesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// ReadSchedule reads a schedule from a file, or that of the run in a directory. A run that was killed before it could
// write one has it in its history.
func (all Families) ReadSchedule(path string) (*harness.Schedule, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file := filepath.Join(path, history.ScheduleFile)
		if _, err := os.Stat(file); err != nil {
			h, _, err := history.ReadDir(path)
			if err != nil {
				return nil, err
			}
			return harness.ScheduleOf(h)
		}
		path = file
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := all.ParseSchedule(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// ParseSchedule reads a schedule as a run writes it, or one that was written by hand: YAML with a list of faults, each
// an object, or a sentence of one of the forms
//
//	at 5s isolate leader for 3s
//	when leader-elected kill leader for 500ms
//	when write-acknowledged/300ms pause n1,n3 for 2s
//
// of a time or a trigger, a nemesis (a family, a shape of one, or both as "family:shape"), an aim or the names of
// nodes, and how long the fault is held.
func (all Families) ParseSchedule(text []byte) (*harness.Schedule, error) {
	if file, err := parser.ParseBytes(text, 0); err == nil && len(file.Docs) > 1 {
		return nil, fmt.Errorf("there are %d YAML documents, and a schedule is one", len(file.Docs))
	}
	converted, err := yaml.YAMLToJSON(text) // JSON is YAML
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, converted); err != nil {
		return nil, err
	}
	document := compact.Bytes()
	var raw struct {
		Version *int              `json:"version"`
		Nodes   []string          `json:"nodes"`
		Faults  []json.RawMessage `json:"faults"`
	}
	if err := strictly(document, &raw); err != nil {
		return nil, err
	}
	s := &harness.Schedule{Version: harness.ScheduleVersion, Nodes: raw.Nodes}
	if raw.Version != nil {
		s.Version = *raw.Version
	}
	for i, f := range raw.Faults {
		var one harness.Scheduled
		var words string
		if json.Unmarshal(f, &words) == nil {
			one, err = all.parseSentence(words)
		} else {
			err = strictly(f, &one)
		}
		if err != nil {
			return nil, fmt.Errorf("fault %d: %w", i+1, err)
		}
		s.Faults = append(s.Faults, one)
	}
	return s, nil
}

func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// parseSentence reads "at 5s isolate leader for 3s".
func (all Families) parseSentence(text string) (s harness.Scheduled, err error) {
	words := strings.Fields(text)
	bad := func(err error) (harness.Scheduled, error) { return s, fmt.Errorf("%q: %w", text, err) }
	n := len(words)
	if n < 5 || n > 6 || words[n-2] != "for" {
		return bad(errors.New(`a fault is written like "at 5s isolate leader for 3s" or "when leader-elected kill for 1s"`))
	}
	switch words[0] {
	case "at":
		at, err := time.ParseDuration(words[1])
		if err != nil {
			return bad(err)
		}
		s.At = harness.Time(at)
	case "when":
		t, err := harness.ParseTrigger(words[1])
		if err != nil {
			return bad(err)
		}
		s.When = &t
	default:
		return bad(fmt.Errorf(`it begins with "at" or "when", not with %q`, words[0]))
	}
	hold, err := time.ParseDuration(words[n-1])
	if err != nil {
		return bad(err)
	}
	aim := ""
	if n == 6 {
		aim = words[3]
	}
	s.For, s.Lane = harness.Time(hold), "schedule"
	pick, err := all.Pick(words[2], aim)
	if err != nil {
		return bad(err)
	}
	s.Pick = &pick
	return s, nil
}

// Pick returns the nemesis that a family, a shape, or both ("family:shape") name, with an aim or names of nodes
// ("n1,n3").
func (all Families) Pick(what, aim string) (harness.Lane, error) {
	name, shape, shaped := strings.Cut(what, ":")
	if _, ok := all[name]; !ok && !shaped {
		for _, family := range all.Names() {
			if slices.Contains(all[family].Shapes, name) {
				name, shape = family, name
				break
			}
		}
	}
	spec := name
	if shape != "" {
		spec += ":" + shape
	}
	if aim != "" {
		spec += "@" + strings.ReplaceAll(aim, ",", nodeSeparator)
	}
	return all.parseLane(spec)
}
