// Package byhand lets somebody break and heal a cluster that is up: by lines that are typed at a prompt, or sent to a
// socket. Whatever they do is a fault of the run, recorded like any other.
package byhand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/nemesis"
)

// Desk is where lines are carried out.
type Desk struct {
	Hands    *harness.Hands
	Families nemesis.Families
	Nodes    []string
	Dir      string // of the run

	mu       sync.Mutex
	progress harness.Progress
}

// See takes note of how the run is going.
func (d *Desk) See(p harness.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.progress = p
}

// State is how the cluster fares.
type State struct {
	Dir     string        `json:"dir"`
	Elapsed time.Duration `json:"elapsed_ns"` // since the cluster serves
	Nodes   []Node        `json:"nodes"`
	Faults  []Fault       `json:"faults"`
	// OK, Fail and Info are how many calls of clients had which outcome so far.
	OK   int64 `json:"ok"`
	Fail int64 `json:"fail"`
	Info int64 `json:"info"`
	// Finding is the first violation that was found; empty if there is none.
	Finding string `json:"finding,omitempty"`
}

// Node is a node of the cluster.
type Node struct {
	Name   string `json:"name"`
	Client string `json:"client"` // where clients reach it
	// Up says that it runs, is not paused, and has a network.
	Up bool `json:"up"`
	// Role, Term and Leader are what it says of itself; empty if it says nothing.
	Role   string `json:"role,omitempty"`
	Term   uint64 `json:"term,omitempty"`
	Leader string `json:"leader,omitempty"`
}

// Fault is a fault in force.
type Fault struct {
	ID    int            `json:"id"`
	Name  string         `json:"name"`
	Nodes []string       `json:"nodes,omitempty"`
	Cut   []harness.Link `json:"cut,omitempty"`
	// Since is when it came into force, since the cluster serves.
	Since time.Duration `json:"since_ns"`
}

// State looks at the cluster.
func (d *Desk) State() (State, error) {
	v, err := d.Hands.View()
	if err != nil {
		return State{}, err
	}
	s := State{Dir: d.Dir, Elapsed: v.Elapsed, Faults: []Fault{}}
	for _, name := range v.Nodes {
		addr, err := d.Hands.Addr(name, "client")
		if err != nil {
			return State{}, err
		}
		n := Node{Name: name, Client: addr, Up: slices.Contains(v.Up, name)}
		if status, ok := v.Statuses[name]; ok {
			n.Role, n.Term, n.Leader = status.Role, status.Term, status.Leader
		}
		s.Nodes = append(s.Nodes, n)
	}
	for _, f := range v.Standing {
		s.Faults = append(s.Faults, faultOf(f))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.OK, s.Fail, s.Info = d.progress.OK, d.progress.Fail, d.progress.Info
	if d.progress.Finding != nil {
		s.Finding = d.progress.Finding.Why
	}
	return s, nil
}

func faultOf(f harness.Standing) Fault {
	out := Fault{ID: f.ID, Name: f.Fault.Name(), Nodes: f.Fault.Nodes, Since: f.Since}
	for _, deed := range f.Fault.Deeds {
		if deed.Kind == "cut" {
			out.Cut = append(out.Cut, deed.Links...)
		}
	}
	return out
}

// String says which fault it is, and whom it hits: "3 kill n1".
func (f Fault) String() string {
	whom := f.Nodes
	if len(whom) == 0 {
		for _, l := range f.Cut {
			whom = append(whom, l.From+">"+l.To)
		}
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", f.ID, f.Name, strings.Join(whom, " ")))
}

// Help says what can be typed.
const Help = `  kill leader            a nemesis, and whom it hits: leader, one, minority, majority, all,
  isolate n1 for 3s      or names, n1,n2; and for how long, if it is to be healed by itself
  partition:halves       'sunder list nemeses' shows those that there are, with their shapes
  cut n1 n2              both ways between two nodes; cut n1>n2 is one way
  heal                   all; heal 3 5 heals these
  status                 who leads, what is broken, how clients fare
  wait 3s
  down                   heal all, read once more, judge, report, and end
  help
`

// ErrDown says that the cluster is to go down.
var ErrDown = errors.New("the cluster goes down")

// Do carries out one line, and writes what came of it. [ErrDown] is the answer to down; any other error is about the
// line, and nothing was done.
func (d *Desk) Do(ctx context.Context, line string, w io.Writer) error {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	switch rest := words[1:]; words[0] {
	case "help", "?":
		_, err := io.WriteString(w, Help)
		return err
	case "status":
		return d.status(w)
	case "wait":
		return wait(ctx, rest)
	case "heal":
		return d.heal(rest, w)
	case "down", "exit", "quit":
		if err := d.Hands.End(); err != nil {
			return err
		}
		return ErrDown
	default:
		return d.inject(words, w)
	}
}

func wait(ctx context.Context, words []string) error {
	if len(words) != 1 {
		return errors.New("give a duration, as in: wait 3s")
	}
	long, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// inject carries out "kill leader for 3s" and "cut n1 n2".
func (d *Desk) inject(words []string, w io.Writer) error {
	var hold time.Duration
	if n := len(words); n > 2 && words[n-2] == "for" {
		var err error
		if hold, err = time.ParseDuration(words[n-1]); err != nil || hold <= 0 {
			return fmt.Errorf("for %s: a time like 500ms or 3s is expected", words[n-1])
		}
		words = words[:n-2]
	}
	lane, err := d.lane(words)
	if err != nil {
		return err
	}
	asked, err := d.Hands.Inject(lane, hold)
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	fmt.Fprintf(w, "fault %v\n", faultOf(asked.Standing))
	if asked.Unseen != nil {
		fmt.Fprintf(w, "  it was not seen to act: %v\n", asked.Unseen)
	}
	return nil
}

// lane returns what is to be done.
func (d *Desk) lane(words []string) (harness.Lane, error) {
	if words[0] == "cut" {
		links, err := d.links(words[1:])
		return nemesis.CutLinks(links...), err
	}
	aim := ""
	switch {
	case len(words) > 2:
		return harness.Lane{}, fmt.Errorf("%q is not understood; 'help' shows what is", strings.Join(words, " "))
	case len(words) == 2:
		aim = words[1]
		for name := range strings.SplitSeq(aim, ",") {
			if _, err := strconv.Atoi(strings.TrimPrefix(name, "n")); err == nil && !slices.Contains(d.Nodes, name) {
				return harness.Lane{}, fmt.Errorf(
					"there is no node %s; nodes are %s", name, strings.Join(d.Nodes, ", "))
			}
		}
	}
	return d.Families.Pick(words[0], aim)
}

// links reads "n1 n2", both ways, and "n1>n2", one way; several of those too.
func (d *Desk) links(words []string) (links []harness.Link, err error) {
	node := func(name string) string {
		if !slices.Contains(d.Nodes, name) {
			err = errors.Join(err, fmt.Errorf("there is no node %q; nodes are %s", name, strings.Join(d.Nodes, ", ")))
		}
		return name
	}
	if len(words) == 2 && !strings.Contains(words[0]+words[1], ">") {
		words = []string{words[0] + ">" + words[1], words[1] + ">" + words[0]}
	}
	for _, word := range words {
		from, to, ok := strings.Cut(word, ">")
		if !ok || from == to {
			return nil, errors.New("name the links, as in: cut n1 n2, or cut n1>n2")
		}
		links = append(links, harness.Link{From: node(from), To: node(to)})
	}
	if len(links) == 0 {
		return nil, errors.New("name the links, as in: cut n1 n2, or cut n1>n2")
	}
	return links, err
}

// heal heals all, or those that are named.
func (d *Desk) heal(words []string, w io.Writer) error {
	var ids []int
	for _, word := range words {
		id, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("%q is no number of a fault; 'status' shows them", word)
		}
		ids = append(ids, id)
	}
	healed, err := d.Hands.Heal(ids...)
	for _, f := range healed {
		fmt.Fprintf(w, "healed %v\n", faultOf(f))
	}
	if len(healed) > 0 || err != nil {
		return err
	}
	v, err := d.Hands.View()
	if err == nil && len(v.Standing) > 0 {
		return errors.New("every fault is being injected or healed at this moment: try again")
	}
	fmt.Fprintln(w, "nothing is broken")
	return err
}

// status writes how the cluster fares.
func (d *Desk) status(w io.Writer) error {
	s, err := d.State()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, n := range s.Nodes {
		term, follows := "", ""
		if n.Term > 0 {
			term = fmt.Sprintf("term %d", n.Term)
		}
		if n.Leader != "" && n.Leader != n.Name {
			follows = "follows " + n.Leader
		}
		role := n.Role
		switch {
		case !n.Up:
			role = "down or paused"
		case role == "" && n.Leader == "":
			role = "up"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", n.Name, n.Client, role, term, follows)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range s.Faults {
		fmt.Fprintf(w, "fault %v, for %.1f s\n", f, (s.Elapsed - f.Since).Seconds())
	}
	fmt.Fprintf(w, "%.1f s; calls: %d ok, %d fail, %d info\n", s.Elapsed.Seconds(), s.OK, s.Fail, s.Info)
	if s.Finding != "" {
		fmt.Fprintf(w, "a violation: %s\n", s.Finding)
	}
	return nil
}
