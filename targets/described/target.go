package described

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

const portClient = "client"

// Target launches what a file describes. What its members say of themselves decides which of the types below it is.
type Target struct {
	description Description
	flags       []string
	keys        numbering
	drivers     drivers
}

// New returns the target that a description, as [Parse] returns it, is of. Its members have some more arguments.
func New(d Description, flags ...string) (harness.Target, error) {
	if d.dir == "" {
		return nil, errors.New("the description has not been checked; described.Parse does that")
	}
	t := &Target{description: d, flags: flags}
	tells := d.Status != nil || d.Driver.understands(opStatus)
	switch {
	case tells && d.claim != nil:
		return &outspoken{&reporting{t}}, nil
	case tells:
		return &reporting{t}, nil
	case d.claim != nil:
		return &claiming{t}, nil
	}
	return t, nil
}

// Close ends the drivers that no client has.
func (t *Target) Close() error { return t.drivers.Close() }

// Ports implements [harness.Target].
func (t *Target) Ports() []string { return t.description.Ports }

// Can implements [harness.Target].
func (t *Target) Can() []harness.Capability {
	if t.description.CAS == nil && !t.description.Driver.understands(opCAS) {
		return []harness.Capability{harness.KV}
	}
	return []harness.Capability{harness.KV, harness.CAS}
}

// Spare implements [harness.Spared].
func (t *Target) Spare() []harness.Capability {
	if t.description.Volatile {
		return []harness.Capability{harness.NodeKill}
	}
	return nil
}

// Announces implements [harness.Announcer].
func (t *Target) Announces() bool { return t.description.readyLog != nil }

// Serves implements [harness.Announcer].
func (t *Target) Serves(line []byte) bool { return t.description.readyLog.Match(line) }

// Needs implements [harness.Needer].
func (t *Target) Needs() []harness.Capability {
	if t.description.SameAddresses {
		return []harness.Capability{harness.NodeAddress}
	}
	return nil
}

// Checkers implements [harness.Judged].
func (t *Target) Checkers() []string {
	if t.description.claim != nil || t.description.Status != nil && t.description.Status.Exact {
		return []string{"leader"}
	}
	return nil
}

// Spec implements [harness.Target].
func (t *Target) Spec(p harness.Placement) harness.NodeSpec {
	d, m := t.description, t.description.member(p)
	spec := harness.NodeSpec{Name: p.Node, Command: []string{d.Program}, DataDir: p.DataDir}
	for _, text := range d.Arguments {
		spec.Command = append(spec.Command, filled(text, m))
	}
	spec.Command = append(spec.Command, t.flags...)
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		spec.Env = append(spec.Env, name+"="+filled(d.Environment[name], m))
	}
	return spec
}

// filled fills a template that was filled before.
func filled[D Member | Door](text string, data D) string {
	all, err := fill(text, data)
	if err != nil {
		panic(fmt.Sprintf("a template that was checked: %v", err))
	}
	return all
}

// Fits implements [harness.Sized]: templates may count on some members.
func (t *Target) Fits(nodes int) error {
	if field, err := t.description.fillMember(nodes); err != nil {
		return fmt.Errorf("%s cannot have %d nodes: %s: %w", t.description.Name, nodes, field, err)
	}
	return nil
}

// member is what templates are told of a placement.
func (d *Description) member(p harness.Placement) Member {
	m := Member{Node: p.Node, DataDir: p.DataDir, Dir: d.dir, Seed: p.Seed}
	for i, other := range p.Members {
		peer := Peer{Node: other.Name, Number: i + 1, addr: other.Addr}
		if m.Members = append(m.Members, peer); other.Name == p.Node {
			m.Number, m.Self = i+1, peer
		}
	}
	return m
}

// Ready implements [harness.Target].
func (t *Target) Ready(ctx context.Context, n harness.Node) error {
	if t.description.Driver != nil {
		if err := t.tryDriver(ctx, n); err != nil {
			return err
		}
	}
	if t.description.Ready == "" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.Addr(portClient))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	c := newClient(t.description, n.Addr(portClient))
	defer c.Close()
	code, _, err := c.do(ctx, http.MethodGet, t.description.Ready, "")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s is answered with %d", t.description.Ready, code)
	}
	return err
}

// Dial implements [harness.Target]. Nothing is sent yet.
func (t *Target) Dial(ctx context.Context, n harness.Node) (harness.Client, error) {
	switch client := newClient(t.description, n.Addr(portClient)); {
	case t.description.Driver != nil:
		return t.drivers.take(ctx, &t.description, n)
	case t.description.Maelstrom != "":
		return &numbered{client, &t.keys}, nil
	default:
		return client, nil
	}
}

// claiming is a target whose members log when they become leader, and outspoken one whose members also say who leads.
type (
	claiming  struct{ *Target }
	outspoken struct{ *reporting }
)

// Claim implements [harness.Witness].
func (t *claiming) Claim(line []byte) (term uint64, ok bool) { return t.claimIn(line) }

// Claim implements [harness.Witness].
func (t *outspoken) Claim(line []byte) (term uint64, ok bool) { return t.claimIn(line) }

func (t *Target) claimIn(line []byte) (term uint64, ok bool) {
	found := t.description.claim.FindSubmatch(line)
	if found == nil {
		return 0, false
	}
	term, err := strconv.ParseUint(string(found[1]), 10, 64)
	if err != nil {
		return 0, true // no term is 0: the history's reader names the claim, and the verdict is unknown
	}
	return term, true
}

// reporting is a target whose members say who leads.
type reporting struct{ *Target }

// Can implements [harness.Target].
func (t *reporting) Can() []harness.Capability { return append(t.Target.Can(), harness.Leader) }

// Status implements [harness.Reporter].
func (t *reporting) Status(ctx context.Context, n harness.Node) (history.Status, error) {
	where := t.description.Status
	if where == nil {
		return t.statusByDriver(ctx, n)
	}
	c := newClient(t.description, n.Addr(portClient))
	defer c.Close()
	code, body, err := c.do(ctx, http.MethodGet, where.Path, "")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s is answered with %d", where.Path, code)
	}
	if err != nil {
		return history.Status{}, err
	}
	s := history.Status{Vague: !where.Exact}
	leader, err := at(body, where.Leader)
	if err != nil && !errors.Is(err, errAbsent) { // a member that knows no leader may say nothing of one
		return s, err
	}
	if leader != nil {
		if s.Leader, err = nodeIn(*leader); err != nil {
			return s, fmt.Errorf("%s: %w", where.Leader, err)
		}
	}
	switch {
	case where.Role != "":
		role, err := at(body, where.Role)
		if err != nil || role == nil {
			return s, errors.Join(err, missing(role, where.Role))
		}
		if s.Role, err = roleIn(*role); err != nil {
			return s, fmt.Errorf("%s: %w", where.Role, err)
		}
	case s.Leader == n.Name():
		s.Role = "leader"
	}
	if where.Term != "" {
		term, err := at(body, where.Term)
		if err != nil || term == nil {
			return s, errors.Join(err, missing(term, where.Term))
		}
		if s.Term, err = strconv.ParseUint(*term, 10, 64); err != nil {
			return s, fmt.Errorf("%s: %w", where.Term, err)
		}
	}
	return s, nil
}

// What members say of themselves is theirs, and goes to terminals and pages.
var (
	nodeForm = regexp.MustCompile(`^n[0-9]{1,5}$`)
	roleForm = regexp.MustCompile(`^[a-z][a-z0-9_ -]{0,39}$`)
)

// nodeIn reads the name of a node, or none.
func nodeIn(text string) (string, error) {
	if text != "" && !nodeForm.MatchString(text) {
		return "", fmt.Errorf("%.40q is no name of a node", text)
	}
	return text, nil
}

func roleIn(text string) (string, error) {
	role := strings.ToLower(text)
	if !roleForm.MatchString(role) {
		return "", fmt.Errorf("%.40q is no role", text)
	}
	return role, nil
}

func missing(found *string, path string) error {
	if found == nil {
		return fmt.Errorf("%s is null", path)
	}
	return nil
}

// errAbsent says that there is nothing at a place.
var errAbsent = errors.New("the answer does not have it")

// at returns what is at a place in a JSON document: a string, or a number as it is written; nil if it is null.
func at(body []byte, path string) (*string, error) {
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var now any
	if err := decoder.Decode(&now); err != nil {
		return nil, fmt.Errorf("the answer is no JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer is more than one JSON document")
	}
	for name := range strings.SplitSeq(path, ".") {
		object, ok := now.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: there is no object to look for %q in", path, name)
		}
		if now, ok = object[name]; !ok {
			return nil, fmt.Errorf("%s: no %q: %w", path, name, errAbsent)
		}
	}
	value, ok := scalar(now)
	if !ok {
		return nil, fmt.Errorf("%s is neither a string nor a number", path)
	}
	return value, nil
}

// scalar returns what is decoded as text, if it is a string or a number; nil if it is null.
func scalar(decoded any) (text *string, ok bool) {
	switch value := decoded.(type) {
	case nil:
		return nil, true
	case string:
		return &value, true
	case json.Number:
		text := value.String()
		return &text, true
	}
	return nil, false
}
