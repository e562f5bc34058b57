package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts plays the scenarios in testdata. If one fails, run with -rewrite and look at the
// difference; commit it only if you understand it.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				c = scriptedCluster(t, d)
				return c.takeTrace()
			}
			return play(t, c, d)
		})
	})
}

// scriptedCluster makes a cluster: "cluster nodes=5 plain bug=commit-old-term".
func scriptedCluster(t *testing.T, d *datadriven.TestData) *cluster {
	var n int
	d.ScanArgs(t, "nodes", &n)
	var options []func(*Config)
	if d.HasArg("plain") {
		options = append(options, plain)
	}
	if d.HasArg("bug") {
		var bug string
		d.ScanArgs(t, "bug", &bug)
		options = append(options, withBug(Bug(bug)))
	}
	if d.HasArg("max-entries") {
		var n int
		d.ScanArgs(t, "max-entries", &n)
		options = append(options, func(c *Config) { c.MaxEntries = n })
	}
	return newCluster(n, options...)
}

func play(t *testing.T, c *cluster, d *datadriven.TestData) string {
	ids := func(name string) []ID {
		var list []ID
		for _, arg := range d.CmdArgs {
			if arg.Key != name && (name != "" || len(arg.Vals) > 0) {
				continue
			}
			for _, v := range append(slices.Clone(arg.Vals), map[bool][]string{true: {arg.Key}}[name == ""]...) {
				var place uint16
				var incarnation int
				if read, _ := fmt.Sscanf(v, "n%d.%d", &place, &incarnation); read > 0 {
					list = append(list, NewID(place, incarnation))
				}
			}
		}
		return list
	}
	number := func(name string, otherwise int) int {
		if !d.HasArg(name) {
			return otherwise
		}
		d.ScanArgs(t, name, &otherwise)
		return otherwise
	}
	nodes := ids("")
	switch d.Cmd {
	case "campaign": // the election timeout of a node passes; its requests wait
		c.nodes[nodes[0]].Raft.campaign()
		c.settle(nodes[0])
	case "transfer":
		if to := c.nodes[nodes[0]].Transfer(); to == None {
			return fmt.Sprintf("%v hands over to nobody\n", nodes[0])
		}
		c.settle(nodes[0])
	case "join": // a new server with an empty disk, which nobody has been told of
		c.join(nodes[0])
	case "change": // "change n1 add-learner n2.1"
		kinds := map[string]ChangeKind{"add-learner": AddLearner, "promote": Promote, "remove": Remove}
		if err := c.nodes[nodes[0]].Change(Change{Kind: kinds[d.CmdArgs[1].Key], ID: nodes[1]}); err != nil {
			return fmt.Sprintf("%v refuses: %v\n", nodes[0], err)
		}
		c.settle(nodes[0])
	case "members":
		var b strings.Builder
		for _, id := range c.ids() {
			s := c.nodes[id].Status()
			fmt.Fprintf(&b, "%v %v %v\n", id, s.Role, s.Members)
		}
		return b.String()
	case "tick":
		c.tick(nodes[0], number("n", 1))
	case "deliver": // all messages, or those of a type, or to some nodes
		var kind string
		d.MaybeScanArgs(t, "type", &kind)
		to := ids("to")
		c.deliver(func(m Message) bool {
			return (kind == "" || m.Type.String() == kind) && (len(to) == 0 || slices.Contains(to, m.To))
		})
	case "lose": // all messages that wait
		c.mail = nil
	case "isolate":
		for _, id := range nodes {
			c.isolate(id)
		}
	case "heal":
		c.heal()
	case "propose":
		if !c.propose(nodes[0], strings.TrimSpace(d.Input)) {
			return fmt.Sprintf("%v does not lead\n", nodes[0])
		}
	case "read":
		if !c.read(nodes[0], uint64(number("id", 0))) {
			return fmt.Sprintf("%v knows no leader\n", nodes[0])
		}
	case "crash": // and start again from the disk
		c.start(nodes[0])
	case "snapshot": // of what is applied, keeping nothing before it
		m := c.nodes[nodes[0]]
		last := m.applied[len(m.applied)-1]
		s, _ := m.Snapshot(last.Index, nil)
		m.stored.Snapshot = s
		m.stored.Entries = slices.DeleteFunc(m.stored.Entries, func(e Entry) bool { return e.Index <= s.Index })
		m.Compact(s, 0, 0)
	case "status":
		var b strings.Builder
		for _, id := range c.ids() {
			s := c.nodes[id].Status()
			fmt.Fprintf(&b, "%v %v term=%d vote=%v leader=%v commit=%d log from %d: %s\n",
				id, s.Role, s.Term, s.Vote, s.Leader, s.Committed, s.FirstIndex, c.log(id))
		}
		return b.String()
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	return c.takeTrace()
}
