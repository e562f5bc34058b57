package reports

import (
	"cmp"
	"slices"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports/story"
)

// Summary is what an index says of a run. Times that are not known are 0.
type Summary struct {
	Target   string `json:"target"`
	Fleet    string `json:"fleet"`
	Nodes    int    `json:"nodes"`
	Workload string `json:"workload"`
	Nemesis  string `json:"nemesis"`
	// Bug names the bugs that were planted, which the run is to find; empty if there were none.
	Bug string `json:"bug,omitempty"`
	// Missed says that they were not found, and that nothing else stands against the run.
	Missed bool `json:"missed,omitempty"`
	// Variant are the options that make it another system that is tested: planted bugs, weaker reads.
	Variant  string           `json:"variant,omitempty"`
	Seed     uint64           `json:"seed"`
	Started  time.Time        `json:"started"`
	Duration time.Duration    `json:"duration_ns"`
	Command  string           `json:"command"`
	Verdict  checkers.Verdict `json:"verdict"`
	Why      string           `json:"why"`
	// Violated are the checkers that found a violation, and Expect how the run was to end; empty if it did not say.
	Violated []string    `json:"violated,omitempty"`
	Expect   Expectation `json:"expect,omitempty"`
	// Found is the violation whose evidence was complete first; nil if there is none.
	Found *Finding `json:"found,omitempty"`
	// Story is what happened; nil if nothing broke.
	Story *story.Story `json:"story,omitempty"`
	// Coverage are the situations that a run can come to, and how often this one did; nil if it has no faults.
	Coverage Coverage `json:"coverage,omitempty"`
	OK       int      `json:"ok"`
	Fail     int      `json:"fail"`
	Info     int      `json:"info"`
	Faults   int      `json:"faults"`
	// Rate is of successful operations, a second of load.
	Rate float64       `json:"rate"`
	P99  time.Duration `json:"p99_ns"`
	// NewLeader is the median time from a fault to the first claim to a new term, of the faults that led to
	// one while they were in force.
	NewLeader time.Duration `json:"new_leader_ns"`
	Check     time.Duration `json:"check_ns"`
	// Availability is how well it was served, and Starved why the machine had too little time for it, if it had.
	Availability checkers.Availability `json:"availability"`
	Starved      string                `json:"starved,omitempty"`
}

// Finding is a violation, and when it was there for all to see.
type Finding struct {
	Checker string `json:"checker"`
	// After is how long the load had lasted by then; that something did not happen shows at the end of the run.
	After time.Duration `json:"after_ns"`
}

// firstFinding returns the violation whose evidence was complete first; nil if there is none.
func (r Run) firstFinding() (first *Finding) {
	load, _ := r.History.Notes().Phase(history.PhaseLoad)
	for _, result := range r.Results {
		if result.Verdict != checkers.Invalid {
			continue
		}
		f := Finding{Checker: result.Checker}
		if at := result.Complete(r.History); at != history.Never {
			f.After = max(0, at-load.From)
		} else {
			f.After = r.History.End() - load.From // that something did not happen shows at the end
		}
		if first == nil || f.After < first.After {
			first = &f
		}
	}
	return first
}

// variants are the options that a summary names.
var variants = []string{"bug", "serializable", "consistency", "image", "target-flag", "latency", "schedule"}

// describe summarizes what a run was to be.
func describe(t history.Test) Summary {
	s := Summary{
		Target:   t.Target,
		Fleet:    t.Fleet,
		Nodes:    len(t.Nodes),
		Workload: t.Workload,
		Nemesis:  t.Nemesis,
		Bug:      cmp.Or(t.Bug, t.Options["bug"]),
		Seed:     t.Seed,
		Started:  t.Started,
		Command:  t.Command,
		Expect:   Expectation(t.Options["expect"]),
	}
	for _, name := range variants {
		if v := t.Options[name]; v != "" && v != "false" && v != "0s" {
			if s.Variant != "" {
				s.Variant += " "
			}
			s.Variant += name + "=" + v
		}
	}
	return s
}

// Summarize makes a run's summary.
func (r Run) Summarize() Summary {
	t, _ := r.History.Test()
	s := describe(t)
	s.Duration, s.Verdict = r.History.End(), checkers.Worst(r.Results)
	s.Why, s.Found = Sentence(s.Verdict, r.Results), r.firstFinding()
	if s.Story = story.Of(r.History, r.Results); s.Story != nil {
		s.Why = s.Story.Headline
	}
	if starved := checkers.Starved(r.History); starved != "" {
		s.Why += " But " + starved + "."
	}
	for _, result := range r.Results {
		if result.Verdict == checkers.Invalid {
			s.Violated = append(s.Violated, result.Checker)
		}
	}
	if r.Trouble != "" {
		s.Why = "The run ended early: " + r.Trouble
	}
	var took []time.Duration
	for op := range r.History.Calls() {
		switch op.Kind() {
		case history.OK:
			s.OK++
			took = append(took, op.End()-op.Begin())
		case history.Fail:
			s.Fail++
		default:
			s.Info++
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		s.P99 = took[len(took)*99/100]
	}
	notes := r.History.Notes()
	if span, ok := notes.Phase(history.PhaseLoad); ok && span.To > span.From {
		s.Rate = float64(s.OK) / (span.To - span.From).Seconds()
	}
	s.Faults, s.Coverage = len(notes.Faults), CoverageOf(r.History)
	s.Starved, s.Missed = checkers.Starved(r.History), checkers.Missed(r.Results)
	for _, result := range r.Results {
		for _, a := range result.Attach {
			if a.Kind == checkers.KindAvailability {
				s.Availability, _ = checkers.Decode[checkers.Availability](a.Data) // the figures alone
			}
		}
	}
	s.NewLeader = s.Availability.NewLeader.Median
	for _, result := range r.Results {
		s.Check += result.Took
	}
	return s
}

// Sentence is the reason of the worst result.
func Sentence(v checkers.Verdict, results []checkers.Result) string {
	for _, r := range results {
		if r.Verdict == v && v != checkers.Valid {
			return r.Checker + ": " + r.Why
		}
	}
	if v == checkers.Valid {
		return "Nothing that was recorded contradicts what the cluster promises."
	}
	return "Nothing was checked."
}
