package reports

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/harness/history"
)

//go:embed templates
var templates embed.FS

var functions = template.FuncMap{
	"at":    at,
	"upper": func(v checkers.Verdict) string { return strings.ToUpper(v.String()) },
	"took":  func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) },
	"ms":    func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) },
	"mark": func(s Status) string {
		return map[Status]string{Passed: "✓", Failed: "✗", Broken: "!", Unknown: "?"}[s]
	},
	"window": window,
	"class":  func(s Status) string { return strings.ReplaceAll(string(s), " ", "-") },
}

var page = template.Must(template.New("report.html.tmpl").Funcs(functions).ParseFS(templates, "templates/*.tmpl"))

// script is the one script of the page, and scriptHash what the page's policy lets run.
var script, scriptHash = func() (template.JS, template.HTMLAttr) {
	text, err := templates.ReadFile("templates/report.js")
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(text)
	return template.JS(text), template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}()

// window writes a part of the run as the page's address has it; "" if there is none.
func window(from, to time.Duration) string {
	if to == 0 || from == history.Never {
		return ""
	}
	if to == history.Never {
		to = from + time.Second
	}
	return fmt.Sprintf("%.3f-%.3f", max(from, 0).Seconds(), to.Seconds())
}

// report is what the page shows.
type report struct {
	Title, Sentence, Trouble string
	Verdict                  checkers.Verdict
	Test                     history.Test
	Known                    bool // whether the history describes its run
	Results                  []checkers.Result
	Violations               []violation
	Counts                   []count
	Overview                 drawing
	Faults                   []fault
	FaultsError              string
	Facts                    []fact
	Files                    []file
	Events                   int
	Duration                 time.Duration
	Review                   []answer
	Buckets                  figures
	LogsLeft                 int
	Script                   template.JS
	ScriptHash               template.HTMLAttr
}

// violation is the evidence of one attachment, in the way that fits its kind.
type violation struct {
	Heading  string
	Picture  *drawing
	Text     string
	Claims   []checkers.Claim
	Of       string
	Window   string // of the run, as the page's address has it
	From, To time.Duration
	Logs     []logLine
}

type count struct {
	F string
	checkers.Counts
}

type fault struct {
	history.Fault
	Detail, Seen string
}

type fact struct{ Name, Value string }

type file struct {
	Path string
	Size string
}

// writeHTML writes the whole page. It is made of one piece: no script, nothing to load.
func (r Run) writeHTML(w io.Writer) error {
	faults, err := r.History.Faults()
	p := report{
		Verdict: checkers.Worst(r.Results), Results: r.Results, Trouble: r.Trouble,
		Events: r.History.Len(), Duration: r.History.End(), Files: r.files(),
	}
	if err != nil {
		p.FaultsError = err.Error()
	}
	p.Test, p.Known = r.History.Test()
	p.Title = "history"
	if p.Known {
		p.Title = fmt.Sprintf("%s · %s · %s · seed %d", p.Test.Target, p.Test.Workload, p.Test.Nemesis, p.Test.Seed)
	}
	p.Sentence = sentence(p.Verdict, r.Results)
	split := make(map[uint64]bool)
	for _, result := range r.Results {
		for _, a := range result.Attach {
			p.show(result, a, split)
		}
	}
	p.Overview, p.Buckets = overview(r.History, faults, split)
	if p.Known {
		p.Review = review(r.History, p.Test, faults, r.Results)
		p.addLogs(r.Dir)
	}
	p.Script, p.ScriptHash = script, scriptHash
	for _, f := range faults {
		p.Faults = append(p.Faults, fault{f, clip(string(f.FaultEvent.Fault), 300), clip(string(f.Evidence), 300)})
	}
	for _, m := range []map[string]string{p.Test.Build, p.Test.Options} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			p.Facts = append(p.Facts, fact{name, m[name]})
		}
	}
	return page.Execute(w, p)
}

// sentence is the reason of the worst result.
func sentence(v checkers.Verdict, results []checkers.Result) string {
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

// margin is how much of the run is shown around a violation.
const margin = time.Second

// spanOf is when a timeline became impossible: its last operation, not the first write.
func spanOf(t checkers.Timeline) (from, to time.Duration) {
	for _, o := range t.Ops {
		if o.Culprit {
			return o.Call, o.Return
		}
	}
	return 0, 0
}

// addLogs adds to each violation what the nodes wrote around it.
func (p *report) addLogs(dir string) {
	for i := range p.Violations {
		v := &p.Violations[i]
		if v.To == 0 {
			continue
		}
		logs, left := nodeLogs(dir, p.Test.Started, v.From-margin, v.To+margin)
		v.Logs = logs
		p.LogsLeft += left
	}
}

// show puts an attachment where its kind belongs. A kind that it does not know is shown as text.
func (p *report) show(r checkers.Result, a checkers.Attachment, split map[uint64]bool) {
	switch a.Kind {
	case checkers.KindTimeline:
		if t, err := unmarshal[checkers.Timeline](a.Data); err == nil {
			picture := drawTimeline(t)
			from, to := spanOf(t)
			p.Violations = append(p.Violations, violation{
				Of:      r.Checker,
				Heading: fmt.Sprintf("Key %s: %d of its %d operations, and no order explains them", t.Key, len(t.Ops), t.Whole),
				Picture: &picture, Text: t.Text(), From: from, To: to, Window: window(from-margin, to+margin),
			})
			return
		}
	case checkers.KindClaims:
		if claims, err := unmarshal[[]checkers.Claim](a.Data); err == nil {
			for _, c := range claims {
				split[c.Term] = true
			}
			p.Violations = append(p.Violations, violation{Of: r.Checker, Heading: "Terms with more than one leader", Claims: claims})
			return
		}
	case checkers.KindCounts:
		if counts, err := unmarshal[map[string]checkers.Counts](a.Data); err == nil {
			for _, f := range slices.Sorted(maps.Keys(counts)) {
				p.Counts = append(p.Counts, count{f, counts[f]})
			}
			return
		}
	}
	p.Violations = append(p.Violations, violation{Of: r.Checker, Heading: a.Kind, Text: clip(string(a.Data), 10_000)})
}

// files lists what lies beside the report.
func (r Run) files() []file {
	var files []file
	_ = filepath.WalkDir(r.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return filepath.SkipDir // what cannot be listed is left out
		}
		if d.IsDir() {
			return nil
		}
		rel, relErr := filepath.Rel(r.Dir, path)
		info, infoErr := d.Info()
		if relErr == nil && infoErr == nil && rel != HTMLFile && !strings.HasPrefix(rel, "data"+string(filepath.Separator)) {
			files = append(files, file{filepath.ToSlash(rel), size(info.Size())})
		}
		return nil
	})
	return files
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d B", n)
	}
}

func unmarshal[T any](data json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}

// decode reads an event's value as what its F says it is.
func decode[T any](e history.Event) (T, bool) {
	v, err := unmarshal[T](e.Value)
	return v, err == nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
