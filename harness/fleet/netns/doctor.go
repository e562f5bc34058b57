package netns

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/programs"
)

// examine does what a run would do: it makes namespaces, a bridge, interfaces and packet rules, and sends a packet.
func examine(ctx context.Context, e harness.Examination) []harness.Finding {
	tried := harness.Finding{
		What: "namespaces", Cost: "no --fleet netns: real servers without containers, as a plain user",
	}
	if role, err := works(ctx); err != nil {
		tried.Lack = err.Error()
	} else {
		tried.Has = "made, with interfaces and packet rules; a packet came through, and was lost where it was to be" + of(role)
	}
	all := []harness.Finding{tried}
	for _, name := range slices.Sorted(maps.Keys(e.Targets)) {
		t := e.Targets[name]
		if t.Recipe == nil {
			continue
		}
		found := harness.Finding{What: name, Cost: "the first run on the netns fleet builds it, or: sunder build " + name}
		switch path, there, err := programs.Cached(t.Recipe(t.Version), runtime.GOARCH); {
		case err != nil:
			found.Lack = err.Error()
		case !there:
			found.Lack = fmt.Sprintf("no program of %s is built yet", t.Version)
		default:
			found.Has = path
		}
		all = append(all, found)
	}
	return all
}
