package cli

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestArrows pins which package may import which: what judges and draws histories knows no
// cluster, the core of the Raft knows nothing at all, and nobody reaches back.
func TestArrows(t *testing.T) {
	const module = "github.com/sunder-dev/sunder/"
	may := map[string][]string{
		"harness/history":        {},
		"harness/history/jepsen": {"harness/history"},
		"harness":                {"harness/history", "harness/programs", "harness/waypoint"},
		"harness/waypoint":       {"harness/history"},
		"harness/fleet/local":    {"harness", "harness/history", "harness/fleet/process"},
		"harness/fleet/netns": {
			"harness", "harness/history", "harness/programs", "harness/fleet/packets", "harness/fleet/process",
		},
		"harness/fleet/process": {"harness"},
		"harness/fleet/docker": {
			"harness", "harness/history", "harness/fleet/agent", "harness/fleet/packets", "harness/programs",
		},
		"harness/fleet/fleettest": {"harness", "harness/harnesstest", "harness/history"},
		"harness/fleet/agent":     {"harness"},
		"harness/fleet/packets":   {"harness"},
		"checkers/ddmin":          {},
		"harness/programs":        {},
		"targets/etcd":            {"harness", "harness/history", "harness/programs"},
		"targets/consul":          {"harness", "harness/history", "harness/programs"},
		"targets/described": {
			"harness", "harness/history", "harness/fleet/process", "targets/described/maelstrom",
		},
		"targets/described/maelstrom": {"harness"},
		"harness/harnesstest":         {"harness", "harness/history"},
		"nemesis":                     {"harness", "harness/history"},
		"workloads":                   {"harness", "harness/history", "workloads/endpoint", "workloads/guard", "workloads/holder"},
		"workloads/endpoint":          {},
		"workloads/guard":             {"harness/history", "workloads/endpoint"},
		"workloads/holder":            {"harness", "harness/history", "workloads/endpoint", "workloads/guard"},
		"checkers":                    {"harness/history", "checkers/register", "checkers/referee"},
		"checkers/referee":            {},
		"checkers/register":           {"checkers/ddmin"},
		"reports":                     {"harness/history", "harness/waypoint", "checkers", "reports/story"},
		"reports/story":               {"harness/history", "checkers"},
		"reports/score":               {"reports", "reports/view"},
		"reports/view":                {"harness/history", "checkers", "reports"},
		"reports/page":                {"harness/history", "checkers", "reports", "reports/story", "reports/view"},
		"reports/index":               {"checkers", "reports", "reports/view"},
		"reports/server":              {"harness/history", "reports", "reports/index"},
		"reports/reportstest":         {"harness/history", "checkers", "reports"},
		"nemesis/deedtest":            {"harness", "harness/history", "harness/harnesstest"},
		"targets/targettest":          {"harness", "harness/harnesstest", "harness/history", "workloads"},
		"targets/raft/core":           {},
		"targets/raft/node":           {"targets/raft/core", "targets/kvhttp"},
		"targets/raft/sim":            {"targets/raft/core", "checkers/ddmin"},
		"targets/raft":                {"harness", "harness/history", "targets/raft/core", "targets/raft/node", "targets/kvhttp"},
		"targets/member":              {"harness", "harness/history", "targets/kvhttp"},
		"targets/bully/core":          {"targets/member"},
		"targets/bully":               {"harness", "harness/history", "targets/bully/core", "targets/member"},
		"targets/paxos/core":          {"targets/member"},
		"targets/paxos":               {"harness", "harness/history", "targets/paxos/core", "targets/member"},
		"targets/redis":               {"harness", "harness/history"},
		"targets/zookeeper":           {"harness", "harness/history"},
		"targets/kvhttp":              {"harness", "harness/history"},
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	require.NoError(t, err)
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		require.NoError(t, d.Decode(&p))
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "cmd/") {
			continue
		}
		if p.ImportPath == strings.TrimSuffix(module, "/") { // the front door
			name, may[""] = "", []string{"harness", "harness/history", "harness/fleet/local", "nemesis", "workloads", "checkers", "reports", "reports/page"}
		}
		allowed, known := may[name]
		for _, entries := range []string{"targets/", "harness/fleet/"} { // a new one may what all may
			if !known && strings.HasPrefix(name, entries) {
				allowed, known = []string{"harness", "harness/history", "harness/programs"}, true
			}
		}
		require.True(t, known, "%s: say here what it may import", name)
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				require.Contains(t, allowed, ours, "%s must not import %s", name, ours)
			}
		}
	}
}
