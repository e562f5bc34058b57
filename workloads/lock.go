package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/workloads/endpoint"
	"github.com/sunder-dev/sunder/workloads/guard"
	"github.com/sunder-dev/sunder/workloads/holder"
)

// tenures are the workloads lock and election: clients in processes of their own acquire a lock, or campaign; who has
// it writes to the resource that it guards, and gives it up.
type tenures struct {
	TenureOptions
	words tenureWords
}

// tenureWords are how a workload calls what is the same in both.
type tenureWords struct {
	take, end string // operations of the workload
	ask       string // what holders are asked to do
	name      string // of what is held, before its number
}

var (
	lockWords     = tenureWords{take: "acquire", end: "release", ask: holder.Acquire, name: "lock"}
	electionWords = tenureWords{take: "campaign", end: "resign", ask: holder.Campaign, name: "election"}
)

// TenureOptions are what can be chosen of the workloads lock and election.
type TenureOptions struct {
	// Names is how many locks, or elections, there are.
	Names int
	// Holders is how many processes the clients are in.
	Holders int
	// Writes is how many guarded writes a holder makes before it gives up what it holds, on average.
	Writes int
	// TTL is after how long without a word from a holder what it holds is lost.
	TTL time.Duration
	// Fencing lets the guarded resource refuse writes with an older token than one before.
	Fencing bool
	Recipe  holder.Recipe
}

// DefaultTenures returns options that do for most.
func DefaultTenures() TenureOptions {
	return TenureOptions{Names: 4, Holders: 5, Writes: 8, TTL: 2 * time.Second, Fencing: true, Recipe: holder.Own}
}

func lockEntry() harness.WorkloadEntry {
	return tenureEntry(lockWords, "clients acquire locks, write to what the locks guard, and release them")
}

func electionEntry() harness.WorkloadEntry {
	return tenureEntry(electionWords, "clients campaign for leadership, write while they lead, and resign")
}

func tenureEntry(words tenureWords, about string) harness.WorkloadEntry {
	return harness.WorkloadEntry{
		About: about,
		New: func(flags *flag.FlagSet) func(seed uint64) (harness.Workload, error) {
			o := DefaultTenures()
			flags.IntVar(&o.Names, words.name+"s", o.Names, words.name+"s that clients want")
			flags.IntVar(&o.Holders, "holders", o.Holders, "processes that the clients are in")
			flags.IntVar(&o.Writes, "writes", o.Writes, "guarded writes of a holder, on average")
			flags.DurationVar(&o.TTL, "ttl", o.TTL,
				"after how long without a word from a holder what it holds is lost")
			flags.BoolVar(&o.Fencing, "fencing", o.Fencing,
				"let the guarded resource refuse writes with an older token than one before")
			flags.StringVar((*string)(&o.Recipe), "recipe", string(o.Recipe),
				"how it is done: own is the target's way, lease is Kubernetes' (a lease under a key)")
			return func(uint64) (harness.Workload, error) { return newTenures(o, words) }
		},
	}
}

// NewLock returns the workload lock.
func NewLock(o TenureOptions) (harness.Workload, error) { return newTenures(o, lockWords) }

// NewElection returns the workload election.
func NewElection(o TenureOptions) (harness.Workload, error) { return newTenures(o, electionWords) }

func newTenures(o TenureOptions, words tenureWords) (harness.Workload, error) {
	switch {
	case o.Names < 1:
		return nil, fmt.Errorf("%d %ss: at least 1", o.Names, words.name)
	case o.Holders < 2:
		return nil, fmt.Errorf("%d processes: at least 2, or nobody competes", o.Holders)
	case o.Writes < 1:
		return nil, fmt.Errorf("%d guarded writes: at least 1", o.Writes)
	case o.TTL < time.Second:
		return nil, fmt.Errorf("a TTL of %v: at least a second", o.TTL)
	case o.Recipe != holder.Own && o.Recipe != holder.Lease:
		return nil, fmt.Errorf("there is no recipe %q; known are %s and %s", o.Recipe, holder.Own, holder.Lease)
	}
	return &tenures{o, words}, nil
}

// Operations implements [harness.Operator].
func (w *tenures) Operations() []harness.Operation {
	return []harness.Operation{{F: w.words.take}, {F: write}, {F: w.words.end}}
}

// Needs implements [harness.Workload].
func (w *tenures) Needs() []harness.Capability {
	if w.Recipe == holder.Lease {
		return []harness.Capability{harness.KV, harness.CAS}
	}
	return []harness.Capability{harness.Lock}
}

// Checkers implements [harness.Judged].
func (w *tenures) Checkers() []string {
	if w.Fencing {
		return []string{"fencing"}
	}
	return []string{"mutex"}
}

// LeastRate implements [harness.Paced]: who waits for a lock calls nothing.
func (w *tenures) LeastRate() float64 { return 2 }

// Lease implements [harness.Holding].
func (w *tenures) Lease() time.Duration { return w.TTL }

// Holds implements [harness.Holding].
func (w *tenures) Holds(o harness.Outcome) bool {
	return o.Kind == history.OK && (o.Call.F == w.words.take || o.Call.F == write)
}

// Next implements [harness.Workload].
func (w *tenures) Next(r *rand.Rand, t harness.Turn) harness.Call {
	if t.Last == nil || !w.Holds(*t.Last) {
		return harness.Call{F: w.words.take, Key: w.name(r.IntN(w.Names)), Timeout: w.patience() + answerTime}
	}
	key := t.Last.Call.Key
	if t.Last.Call.F == write && r.IntN(w.Writes) == 0 {
		return harness.Call{F: w.words.end, Key: key}
	}
	value := strconv.Itoa(t.Seq*maxWorkers + t.Worker + 1) // as register's: unique
	// A holder that is paused writes when it goes on, however late that is: nobody is there who could tell it not to.
	return harness.Call{F: write, Key: key, Value: json.RawMessage(value), Timeout: w.patience() + answerTime}
}

func (w *tenures) name(i int) string { return fmt.Sprintf("%s-%d", w.words.name, i+1) }

// patience is how long a client waits for a lock: longer than one that was lost is held.
func (w *tenures) patience() time.Duration { return 3 * w.TTL }

// answerTime is how much longer an answer may take than what was waited for.
const answerTime = time.Second

// taken is what the answer to an acquire or campaign tells.
type taken struct {
	Token uint64 `json:"token"`
}

// Invoke implements [harness.Workload].
func (w *tenures) Invoke(ctx context.Context, c harness.Client, call harness.Call) (harness.Answer, error) {
	asked, ok := c.(*holder.Client)
	if !ok {
		return harness.Answer{}, fmt.Errorf("a %T is no client of holders: %w", c, harness.ErrNotApplied)
	}
	what := holder.Call{F: call.F, Process: call.Process, Lock: call.Key, Timeout: w.patience()}
	switch call.F {
	case w.words.take:
		what.F = w.words.ask
	case w.words.end:
		what.F = holder.Release
	case write:
		if err := json.Unmarshal(call.Value, &what.Value); err != nil {
			return harness.Answer{}, fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
		}
	}
	reply, err := asked.Call(ctx, what)
	if err != nil {
		return harness.Answer{}, err
	}
	answer := harness.Answer{Value: call.Value}
	if call.F == w.words.take {
		answer.Value, _ = json.Marshal(taken{reply.Token}) // a number
	}
	switch reply.Outcome {
	case holder.Done:
		return answer, nil
	case holder.NotDone:
		// Proof: the holder says that it did not send it, or that it gave up before it held anything: no client believes
		// that it has what was asked for.
		return harness.Answer{}, fmt.Errorf("%s: %w", reply.Err, harness.ErrNotApplied)
	case holder.Refused:
		return harness.Answer{}, harness.Refusal{Reason: history.Stale}
	}
	return harness.Answer{}, errors.New(reply.Err)
}

// guardName is the companion that the locks guard.
const guardName = "guard"

// Companions implements [harness.Accompanied].
func (w *tenures) Companions(t *harness.Test) []harness.Companion {
	port := t.Target.Ports()[0]
	target := t.About.Target
	if spec := t.About.Options["target"]; spec != "" {
		target = spec // which may be a file that describes it
	}
	all := []harness.Companion{{
		Name: guardName,
		Spec: func(p harness.Placement) harness.NodeSpec {
			return companionSpec(p, "guardd", guard.Config{Listen: addressOf(p, guardName, port), Fencing: w.Fencing})
		},
		Ready: func(ctx context.Context, n harness.Node) error { return endpoint.Ready(ctx, n.Addr(port)) },
	}}
	var names []string
	for i := range w.Names {
		names = append(names, w.name(i))
	}
	for i := range w.Holders {
		name := fmt.Sprintf("c%d", i+1)
		all = append(all, harness.Companion{
			Name: name,
			Spec: func(p harness.Placement) harness.NodeSpec {
				return companionSpec(p, "holderd", holder.Config{
					Listen: addressOf(p, name, port), Guard: addressOf(p, guardName, port), Target: target, Options: t.About.Options,
					Members: rotated(p.Members, i), Locks: names, Recipe: w.Recipe, Prepares: i == 0, TTL: w.TTL,
				})
			},
			Ready: func(ctx context.Context, n harness.Node) error { return endpoint.Ready(ctx, n.Addr(port)) },
			Dial: func(_ context.Context, n harness.Node) (harness.Client, error) {
				return holder.Dial(n.Addr(port)), nil
			},
		})
	}
	return all
}

// rotated returns members beginning with another one.
func rotated(members []harness.Member, by int) []harness.Member {
	by %= max(1, len(members))
	return slices.Concat(members[by:], members[:by])
}

// companionSpec launches a companion by a command of sunder itself, which takes its config as JSON.
func companionSpec(p harness.Placement, command string, config any) harness.NodeSpec {
	text, _ := json.Marshal(config) // names and addresses
	return harness.NodeSpec{Name: p.Node, Self: true, Command: []string{command, string(text)}, DataDir: p.DataDir}
}

func addressOf(p harness.Placement, companion, port string) string {
	for _, c := range p.Companions {
		if c.Name == companion {
			return c.Addr[port]
		}
	}
	return ""
}

// Heed implements [harness.Accompanied].
func (w *tenures) Heed(line []byte, at func(monotonic int64) time.Duration) (string, json.RawMessage, bool) {
	var said struct {
		Guarded *history.Guarded `json:"guarded"`
		Lost    *holder.Lost     `json:"lost"`
	}
	if json.Unmarshal(line, &said) != nil {
		return "", nil, false
	}
	var f string
	var note any
	switch {
	case said.Guarded != nil:
		f, note = history.FGuarded, said.Guarded
	case said.Lost != nil:
		l := said.Lost
		f, note = history.FLost, history.Lost{Process: l.Process, Lock: l.Lock, Token: l.Token, At: at(l.Monotonic)}
	default:
		return "", nil, false
	}
	text, err := json.Marshal(note)
	return f, text, err == nil
}
