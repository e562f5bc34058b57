// Package described is a target that a YAML file describes: which program a member is, how it is started, and how
// clients call it: by HTTP, by a driver program, or, if it was written for Maelstrom, by that one's messages. A system
// in any language is tested so, without a line of Go.
package described

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"

	"github.com/sunder-dev/sunder/harness"
)

// Description is what a file says of a system.
type Description struct {
	// Name is what runs call it; that of the file if it is empty.
	Name string `yaml:"name"`
	// Program is a path, relative to the file if it has a slash, or the name of a program on PATH.
	Program string `yaml:"program"`
	// Arguments are templates over [Member].
	Arguments   []string          `yaml:"arguments"`
	Environment map[string]string `yaml:"environment"`
	// Ports are what a member listens on: the first is where members talk to each other, and "client" is where clients
	// call. Nothing said is peer and client.
	Ports []string `yaml:"ports"`
	// SameAddresses says that all members must see a member at the same address, as those must that tell each other
	// addresses: such a system is run in network namespaces, and not behind proxies.
	SameAddresses bool `yaml:"same_addresses"`
	// Ready is the path that a member answers with 200 once it serves. If it is empty, one serves that can be connected
	// to.
	Ready string `yaml:"ready"`
	// ReadyLog is a regular expression for the line that a member logs, at each start, once it serves.
	ReadyLog string `yaml:"ready_log"`
	// Volatile says that members keep nothing on disk, so that they are not killed.
	Volatile bool `yaml:"volatile"`
	// Driver is a program that calls members, if Read and Write do not say how.
	Driver *Driver `yaml:"driver"`
	// Maelstrom names the workload of Maelstrom's for which the program was written, if it was: lin-kv.
	Maelstrom string  `yaml:"maelstrom"`
	Read      Request `yaml:"read"`
	Write     Request `yaml:"write"`
	// CAS sets a key if it holds a value; nil if the system cannot do that.
	CAS    *Request `yaml:"cas"`
	Status *Status  `yaml:"status"`
	// Claim is a regular expression for the line that a member logs when it becomes leader. Its group is the term.
	Claim string `yaml:"claim"`

	dir             string // of the file
	claim, readyLog *regexp.Regexp
}

// Request is how a client asks for one operation. Path and Body are templates over [Call].
type Request struct {
	Method string `yaml:"method"`
	Path   string `yaml:"path"`
	Body   string `yaml:"body"`
	// Value is where in a JSON answer the value is, such as "node.value"; if it is empty, it is the whole answer.
	Value string `yaml:"value"`
	// OK are the statuses that say that it was done; 200 if nothing is said. Absent, of a read, say that there is no such
	// key; Mismatch, of a cas, that the key holds another value; Failed that nothing was done, and nothing will be. Any
	// other status leaves the operation in doubt.
	OK       []int `yaml:"ok"`
	Absent   []int `yaml:"absent"`
	Mismatch []int `yaml:"mismatch"`
	Failed   []int `yaml:"failed"`
}

// Status is where a member says in JSON how it fares. Role, Term and Leader are where in the answer they are.
type Status struct {
	Path   string `yaml:"path"`
	Role   string `yaml:"role"`   // "leader" is what matters, in any case; if it is empty, the leader is who says so of itself
	Term   string `yaml:"term"`   // a number
	Leader string `yaml:"leader"` // the name of a node, or null
	// Exact says that role and term are of one moment, so that a leader's status is a claim to its term.
	Exact bool `yaml:"exact"`
}

// Member is what the templates of arguments and environment are about.
type Member struct {
	Node    string // n1, n2 and so on
	Number  int    // 1, 2 and so on
	DataDir string // is there again when the member is started again
	Dir     string // that of the file
	Members []Peer // all members, with the addresses at which this one reaches them; its own are to listen on
	Self    Peer   // its own entry
	Seed    uint64
}

// Peer is a member as another one sees it.
type Peer struct {
	Node   string
	Number int
	addr   map[string]string
}

// Addr returns the address of one of the ports, as host:port.
func (p Peer) Addr(port string) (string, error) {
	addr, ok := p.addr[port]
	if !ok {
		return "", fmt.Errorf("there is no port %q; ports are %s", port, strings.Join(slices.Sorted(maps.Keys(p.addr)), ", "))
	}
	return addr, nil
}

// Call is what the templates of requests are about. In a path, its fields are escaped.
type Call struct{ Key, Value, Old string }

// Entry returns the entry of the system that a file describes.
func Entry(path string) (name string, e harness.TargetEntry, err error) {
	d, err := Read(path)
	if err != nil {
		return "", e, err
	}
	return d.Name, harness.TargetEntry{
		About:     "described by " + path,
		Installed: true,
		New: func(*flag.FlagSet) func(harness.TargetConfig) (harness.Target, error) {
			return func(c harness.TargetConfig) (harness.Target, error) { return New(*d, c.Arguments("--")...) }
		},
	}, nil
}

// Read reads a file.
func Read(path string) (*Description, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// Parse reads the text of a file. An error says in which line and column what is wrong.
func Parse(path string, text []byte) (*Description, error) {
	d := &Description{}
	if err := yaml.UnmarshalWithOptions(text, d, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	file := filepath.Base(path)
	d.Name = cmp.Or(d.Name, strings.TrimSuffix(file, filepath.Ext(file)))
	if d.Ports == nil {
		d.Ports = []string{"peer", portClient}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for _, check := range []func() (field string, err error){
		d.checkNames, func() (string, error) { return d.findPrograms(dir) }, d.checkCalls, d.checkTemplates, d.bridge,
		d.checkRequests, d.checkExpressions,
	} {
		if field, err := check(); err != nil {
			return nil, place(path, text, field, err)
		}
	}
	return d, nil
}

// place says where in the file something is wrong.
func place(path string, text []byte, field string, err error) error {
	for here := field; here != ""; { // or where it is missing
		if p, pathErr := yaml.PathString("$." + here); pathErr == nil {
			if node, nodeErr := p.ReadNode(strings.NewReader(string(text))); nodeErr == nil {
				at := node.GetToken().Position
				return fmt.Errorf("%s:%d:%d: %s: %w", path, at.Line, at.Column, field, err)
			}
		}
		here = here[:max(0, strings.LastIndexAny(here, ".["))]
	}
	return fmt.Errorf("%s: %s: %w", path, field, err)
}

// checkCalls checks that it is said in one way how clients call.
func (d *Description) checkCalls() (field string, err error) {
	byHTTP := d.Read.Method != "" || d.Write.Method != "" || d.CAS != nil
	switch {
	case d.Driver != nil && d.Maelstrom != "":
		return "maelstrom", errors.New("a program for Maelstrom needs no driver")
	case byHTTP && d.Driver != nil:
		return "driver", errors.New("either it calls members, or read, write and cas say how they are called by HTTP")
	case byHTTP && d.Maelstrom != "":
		return "maelstrom", errors.New("a program for Maelstrom is called by its messages; read, write and cas are of HTTP")
	case d.Maelstrom != "" && d.Status != nil:
		return "status", errors.New("a program for Maelstrom does not say how it fares")
	case d.Maelstrom != "" && d.Ready != "":
		return "ready", errors.New("a program for Maelstrom is ready once it has answered init")
	case d.Maelstrom != "" && d.Maelstrom != linKV:
		return "maelstrom", fmt.Errorf("%q: the workload that there is for such programs is %s", d.Maelstrom, linKV)
	case d.Driver == nil:
		return "", nil
	}
	known := []string{opRead, opWrite, opCAS, opStatus}
	if d.Driver.Operations == nil {
		d.Driver.Operations = []string{opRead, opWrite}
	}
	for i, op := range d.Driver.Operations {
		if !slices.Contains(known, op) {
			return fmt.Sprintf("driver.operations[%d]", i), fmt.Errorf("%q is none of %s", op, strings.Join(known, ", "))
		}
	}
	for _, op := range []string{opRead, opWrite} {
		if !d.Driver.understands(op) {
			return "driver.operations", fmt.Errorf("%s must be among them", op)
		}
	}
	if d.Status != nil && d.Driver.understands(opStatus) {
		return "status", errors.New("either it says where the status is by HTTP, or the driver tells it")
	}
	return "", nil
}

// requests are those that there are, by field.
func (d *Description) requests() map[string]*Request {
	if d.Driver != nil {
		return nil
	}
	all := map[string]*Request{"read": &d.Read, "write": &d.Write}
	if d.CAS != nil {
		all["cas"] = d.CAS
	}
	return all
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (d *Description) checkNames() (field string, err error) {
	switch {
	case !nameForm.MatchString(d.Name):
		return "name", fmt.Errorf("%q: letters, digits, points and dashes make a name", d.Name)
	case !slices.Contains(d.Ports, portClient):
		return "ports", fmt.Errorf("there must be one named %s, which clients call", portClient)
	case len(slices.Compact(slices.Sorted(slices.Values(d.Ports)))) < len(d.Ports):
		return "ports", errors.New("there is a name twice")
	}
	for i, port := range d.Ports {
		if !nameForm.MatchString(port) {
			return fmt.Sprintf("ports[%d]", i), fmt.Errorf("%q: letters, digits, points and dashes make a name", port)
		}
	}
	return "", nil
}

// findPrograms makes the programs' paths absolute, so that a run that is repeated elsewhere in the file system finds
// them.
func (d *Description) findPrograms(dir string) (field string, err error) {
	d.dir = dir
	if d.Program == "" {
		return "program", errors.New("it must say which program a member is")
	}
	if d.Program, err = findProgram(dir, d.Program); err != nil || d.Driver == nil {
		return "program", err
	}
	if d.Driver.Program == "" {
		return "driver.program", errors.New("it must say which program calls members")
	}
	d.Driver.Program, err = findProgram(dir, d.Driver.Program)
	return "driver.program", err
}

func findProgram(dir, name string) (path string, err error) {
	switch {
	case !strings.Contains(name, "/"):
		found, err := exec.LookPath(name)
		if err != nil {
			return "", err
		}
		return filepath.Abs(found)
	case !filepath.IsAbs(name):
		name = filepath.Join(dir, name)
	}
	info, err := os.Stat(name)
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		err = fmt.Errorf("%s is not a program", name)
	}
	return name, err
}

// mostMembers is more than anybody runs, so that a template which counts on some members is no mistake of the file.
const mostMembers = 100

// checkTemplates fills all templates for a cluster that is nowhere.
func (d *Description) checkTemplates() (field string, err error) {
	if field, err = d.fillMember(mostMembers); err != nil {
		return field, err
	}
	requests := d.requests()
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		for field, text := range map[string]string{"path": requests[name].Path, "body": requests[name].Body} {
			if _, err := fill(text, Call{"k", "1", "2"}); err != nil {
				return name + "." + field, err
			}
		}
	}
	if d.Driver == nil {
		return "", nil
	}
	door := Door{Node: "n1", Dir: d.dir, addr: func(port string) string {
		if !slices.Contains(d.Ports, port) {
			return ""
		}
		return "127.0.0.1:7000"
	}}
	for i, text := range d.Driver.Arguments {
		if _, err := fill(text, door); err != nil {
			return fmt.Sprintf("driver.arguments[%d]", i), err
		}
	}
	return "", nil
}

// fillMember fills the templates of a member of a cluster of so many.
func (d *Description) fillMember(nodes int) (field string, err error) {
	place := harness.Placement{Node: "n1", DataDir: "/data"}
	for _, name := range harness.NodeNames(nodes) {
		addr := map[string]string{}
		for i, port := range d.Ports {
			addr[port] = fmt.Sprintf("127.0.0.1:%d", 7000+i)
		}
		place.Members = append(place.Members, harness.Member{Name: name, Addr: addr})
	}
	m := d.member(place)
	for i, text := range d.Arguments {
		if _, err := fill(text, m); err != nil {
			return fmt.Sprintf("arguments[%d]", i), err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		if _, err := fill(d.Environment[name], m); err != nil {
			return "environment." + name, err
		}
	}
	return "", nil
}

// resent are the methods that Go's transport, too, sends again when a connection breaks.
var resent = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}

func (d *Description) checkRequests() (field string, err error) {
	requests := d.requests()
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		r := requests[name]
		if r.OK == nil {
			r.OK = []int{http.StatusOK}
		}
		switch {
		case r.Method == "":
			return name + ".method", errors.New("it must be said, such as GET")
		case !strings.HasPrefix(r.Path, "/"):
			return name + ".path", fmt.Errorf("%q does not begin with a slash", r.Path)
		case name != "read" && slices.Contains(resent, r.Method):
			return name + ".method", fmt.Errorf("a %s may be sent twice by what is on the way, as HTTP says that it changes "+
				"nothing; a member that changes something upon it cannot be tested by it", r.Method)
		case name != "read" && len(r.Absent) > 0:
			return name + ".absent", errors.New("only a read can find nothing")
		case name != "read" && r.Value != "":
			return name + ".value", errors.New("only a read has a value")
		case name != "cas" && len(r.Mismatch) > 0:
			return name + ".mismatch", errors.New("only a cas compares")
		case name == "cas" && len(r.Mismatch) == 0:
			return name, errors.New("mismatch must have the statuses that say that the key holds another value")
		}
		seen := map[int]bool{}
		for _, code := range slices.Concat(r.OK, r.Absent, r.Mismatch, r.Failed) {
			switch {
			case code < 100 || code > 599:
				return name, fmt.Errorf("%d is no status of HTTP", code)
			case seen[code]:
				return name, fmt.Errorf("%d has two meanings", code)
			}
			seen[code] = true
		}
	}
	for field, path := range map[string]string{"ready": d.Ready, "status.path": d.Status.path()} {
		if path != "" && !strings.HasPrefix(path, "/") {
			return field, fmt.Errorf("%q does not begin with a slash", path)
		}
	}
	switch s := d.Status; {
	case s == nil:
	case s.Path == "" || s.Leader == "":
		return "status", errors.New("path, and where in the answer the leader is, must be said")
	case s.Exact && (s.Role == "" || s.Term == ""):
		return "status.exact", errors.New("without role and term, there is nothing that could be exact")
	}
	return "", nil
}

func (s *Status) path() string {
	if s == nil {
		return ""
	}
	return s.Path
}

func (d *Description) checkExpressions() (field string, err error) {
	if d.ReadyLog != "" {
		if d.readyLog, err = regexp.Compile(d.ReadyLog); err != nil {
			return "ready_log", err
		}
	}
	if d.Claim == "" {
		return "", nil
	}
	form, err := regexp.Compile(d.Claim)
	if err == nil && form.NumSubexp() != 1 {
		err = fmt.Errorf("it has %d groups; one is the term", form.NumSubexp())
	}
	d.claim = form
	return "claim", err
}

// functions are what templates can call beside Go's own.
var functions = template.FuncMap{
	"json": func(text string) (string, error) {
		quoted, err := json.Marshal(text)
		return string(quoted), err
	},
}

// fill fills a template.
func fill[D Member | Call | Door](text string, data D) (string, error) {
	t, err := template.New("").Funcs(functions).Parse(text)
	if err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	var filled strings.Builder
	if err := t.Execute(&filled, data); err != nil {
		return "", errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	return filled.String(), nil
}
