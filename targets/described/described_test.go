package described

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/workloads"
)

// whole is a description in which nothing is wrong; a test spoils one line of it.
const whole = `name: db
program: sh
arguments: ["-c", "{{.Node}} {{.Self.Addr \"client\"}}"]
environment: {WHO: "{{.Number}}"}
ports: [peer, client]
ready: /ready
read: {method: GET, path: "/{{.Key}}", value: value, absent: [404]}
write: {method: PUT, path: "/{{.Key}}", body: '{{json .Value}}', failed: [503]}
cas: {method: POST, path: "/{{.Key}}", body: '{{.Old}}', mismatch: [409]}
status: {path: /status, leader: leader}
claim: 'leads (\d+)'
`

func TestDescriptionsAreChecked(t *testing.T) {
	d, err := Parse("x/db.yaml", []byte(whole))
	require.NoError(t, err)
	require.Equal(t, []int{200}, d.Read.OK)
	require.True(t, filepath.IsAbs(d.Program), d.Program)
	for _, c := range []struct{ line, spoiled, want string }{
		{"name: db", "name: d b", "db.yaml:1:7: name: \"d b\": letters"},
		{"name: db", "nmae: db", "1:1] unknown field \"nmae\""},
		{"name: db", "name: [", "db.yaml: ["},
		{"program: sh", "program: nothing-like-this", "db.yaml:2:10: program: exec: \"nothing-like-this\""},
		{"program: sh", "program: ./nothing", "db.yaml:2:10: program: stat"},
		{"program: sh", "program: /tmp", "db.yaml:2:10: program: /tmp is not a program"},
		{"program: sh", "", "db.yaml: program: it must say which program a member is"},
		{"{{.Node}}", "{{.Name}}", "db.yaml:3:19: arguments[1]: "},
		{"{{.Node}}", "{{.Node", "db.yaml:3:19: arguments[1]: "},
		{`.Addr \"client\"`, `.Addr \"http\"`, `there is no port "http"; ports are client, peer`},
		{"{{.Number}}", "{{.Member}}", "db.yaml:4:20: environment.WHO: "},
		{"[peer, client]", "[peer, http]", "db.yaml:5:8: ports: there must be one named client"},
		{"[peer, client]", "[client, client]", "db.yaml:5:8: ports: there is a name twice"},
		{"[peer, client]", "[client, 'a b']", "db.yaml:5:17: ports[1]: "},
		{"ready: /ready", "ready: ready", "db.yaml:6:8: ready: \"ready\" does not begin with a slash"},
		{`GET, path: "/{{.Key}}"`, `GET, path: "{{.Key}}"`, "db.yaml:7:27: read.path: "},
		{"method: GET, ", "", "db.yaml:7:7: read.method: it must be said"},
		{"absent: [404]", "mismatch: [404]", "only a cas compares"},
		{"method: PUT", "method: GET", "db.yaml:8:17: write.method: a GET may be sent twice"},
		{"leader: leader}", "leader: leader, exact: true, role: role}", "status.exact: without role and term"},
		{"failed: [503]", "absent: [503]", "only a read can find nothing"},
		{"failed: [503]", "value: v", "only a read has a value"},
		{"failed: [503]", "failed: [200]", "write: 200 has two meanings"},
		{"failed: [503]", "failed: [5030]", "5030 is no status of HTTP"},
		{"{{json .Value}}", "{{jsn .Value}}", "write.body: "},
		{", mismatch: [409]", "", "cas: mismatch must have the statuses"},
		{"path: /status, ", "", "status: path, and where"},
		{`leads (\d+)`, `leads (\d+`, "db.yaml:11:8: claim: error parsing regexp"},
		{`leads (\d+)`, `leads \d+`, "db.yaml:11:8: claim: it has 0 groups; one is the term"},
		{"claim: ", "maelstrom: lin-kv\nclaim: ", "db.yaml:11:12: maelstrom: a program for Maelstrom is called by its messages"},
		{"claim: ", "driver: {program: sh}\nclaim: ", "db.yaml:11:9: driver: either it calls members"},
		{"claim: ", "ready_log: '('\nclaim: ", "db.yaml:11:12: ready_log: error parsing regexp"},
	} {
		require.Contains(t, whole, c.line)
		_, err := Parse("x/db.yaml", []byte(strings.Replace(whole, c.line, c.spoiled, 1)))
		require.ErrorContains(t, err, c.want, "%s", c.spoiled)
	}
	const driven = "program: sh\ndriver:\n  program: sh\n  arguments: ['{{.Node}}']\n  operations: [read, write]\n"
	for _, c := range []struct{ line, spoiled, want string }{
		{"  program: sh", "  program: ./nowhere", "db.yaml:3:12: driver.program: stat"},
		{"  program: sh\n", "", "driver.program: it must say which program calls"},
		{"{{.Node}}", "{{.Self}}", "db.yaml:4:15: driver.arguments[0]: "},
		{"{{.Node}}", `{{.Addr "http"}}`, `there is no port "http"`},
		{"write]", "update]", `driver.operations[1]: "update" is none of read, write, cas, status`},
		{", write]", "]", "db.yaml:5:15: driver.operations: write must be among them"},
		{"write]", "write, status]\nstatus: {path: /, leader: l}", "db.yaml:6:9: status: either it says where"},
		{"driver:", "maelstrom: lin-kv\ndriver:", "db.yaml:2:12: maelstrom: a program for Maelstrom needs no driver"},
	} {
		_, err := Parse("x/db.yaml", []byte(driven))
		require.NoError(t, err)
		_, err = Parse("x/db.yaml", []byte(strings.Replace(driven, c.line, c.spoiled, 1)))
		require.ErrorContains(t, err, c.want, "%s", c.spoiled)
	}
	for line, want := range map[string]string{
		"ready: /x": "db.yaml:3:8: ready: a program for Maelstrom is ready once", "status: {path: /s, leader: l}": "db.yaml:3:9: status: a program",
	} {
		_, err = Parse("x/db.yaml", []byte("program: sh\nmaelstrom: lin-kv\n"+line+"\n"))
		require.ErrorContains(t, err, want)
	}
	_, err = Parse("x/db.yaml", []byte("program: sh\nmaelstrom: g-set\n"))
	require.ErrorContains(t, err, `db.yaml:2:12: maelstrom: "g-set": the workload that there is`)
	_, err = Parse("x/db.yaml", nil)
	require.ErrorContains(t, err, "x/db.yaml: program: it must say")
	_, err = Read("nowhere.yaml")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What a description says is what a system is taken for, and its name is that of the file if it has none.
func TestEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.yml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(whole, "name: db\n", "", 1)), 0o644))
	name, e, err := Entry(path)
	require.NoError(t, err)
	require.Equal(t, "other", name)
	require.True(t, e.Installed)
	_, err = New(Description{})
	require.ErrorContains(t, err, "has not been checked")
}

// Templates may count on some members: that is no mistake of the file, and of a run only if there are fewer.
func TestSizes(t *testing.T) {
	d, err := Parse("x/db.yaml", []byte(strings.Replace(whole, "{{.Node}}", "{{(index .Members 3).Node}}", 1)))
	require.NoError(t, err)
	target, err := New(*d)
	require.NoError(t, err)
	require.NoError(t, target.(harness.Sized).Fits(4))
	require.ErrorContains(t, target.(harness.Sized).Fits(3), "db cannot have 3 nodes: arguments[1]: ")
	for _, nodes := range []int{3, 4} {
		workload, err := workloads.NewRegister(workloads.DefaultRegister())
		require.NoError(t, err)
		test := harness.Test{Target: target, Workload: workload, Nodes: nodes}
		require.Equal(t, nodes == 3, strings.Contains(test.Validate().Error(), "cannot have 3 nodes"))
	}
}
