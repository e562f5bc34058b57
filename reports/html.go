package reports

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
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
		return map[Status]string{Passed: "✓", Failed: "✗", Broken: "!", Unknown: "?", NotRun: "–"}[s]
	},
	"window": window,
	"count":  count,
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

// Page is what the page of a run shows.
type Page struct {
	Title, Sentence, Trouble string
	Verdict                  checkers.Verdict
	Test                     history.Test
	Known                    bool // whether the history describes its run
	Results                  []checkers.Result
	Summary                  Summary
	Shown                    map[string]bool // checkers of which there is evidence
	AllFaults, Unconfirmed   int             // faults
	Evidence                 []Evidence
	Counts                   []counted
	Overview                 drawing
	Faults                   []fault
	NotesError               string
	Longest                  *answer // what the review says of availability
	Facts                    []fact
	Files                    []file
	Duration                 time.Duration
	Review                   []answer
	Series                   series
	Buckets                  figures
	Script                   template.JS
	ScriptHash               template.HTMLAttr

	leaders leaders
}

type counted struct {
	F string
	checkers.Counts
}

type fault struct {
	history.Fault
	Detail, Seen string
}

type fact struct{ Name, Value string }

type file struct{ Path, Size, SHA256 string }

// maxFaults bounds the table of faults, which keeps the page small however long the run was.
const maxFaults = 1000

// writeHTML writes the whole page. It is of one piece: nothing is loaded.
func (r Run) writeHTML(w io.Writer, s Summary) error {
	notes := r.History.Notes()
	faults := notes.Faults
	p := Page{
		Verdict: checkers.Worst(r.Results), Results: r.Results, Trouble: r.Trouble,
		Summary: s, Duration: r.History.End(), Files: r.files(), Shown: make(map[string]bool),
		leaders: leadersOf(r.History),
	}
	if err := notes.Err(); err != nil {
		p.NotesError = err.Error()
	}
	p.Test, p.Known = r.History.Test()
	p.Title = "history"
	if p.Known {
		p.Title = fmt.Sprintf("%s · %s · %s · seed %d", p.Test.Target, p.Test.Workload, p.Test.Nemesis, p.Test.Seed)
	}
	p.Sentence = s.Why
	if r.Trouble != "" { // which the page says by itself
		p.Sentence = sentence(p.Verdict, r.Results)
	}
	p.show(r, faults)
	p.Overview, p.Buckets = overview(r.History, faults, p.leaders)
	if p.Known {
		p.Review = review(r.History, p.Test, faults, r.Results)
		if p.Longest != nil {
			p.Review = append(p.Review, *p.Longest)
		}
		p.Series = seriesOf(r.Dir, s)
	}
	p.Script, p.ScriptHash = script, scriptHash
	p.AllFaults = len(faults)
	for _, f := range faults {
		if !f.Confirmed {
			p.Unconfirmed++
		}
		if len(p.Faults) == maxFaults {
			continue // all of them are in the picture, and in the history
		}
		p.Faults = append(p.Faults, fault{f, clip(inWords(f.FaultEvent.Fault), 300), clip(inWords(f.Evidence), 300)})
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
		if relErr == nil && infoErr == nil && rel != HTMLFile && !strings.HasPrefix(rel, ".") &&
			!strings.HasPrefix(rel, "data"+string(filepath.Separator)) {
			sum, err := sumOf(path)
			if err != nil {
				sum = "cannot be read: " + err.Error()
			}
			files = append(files, file{filepath.ToSlash(rel), size(info.Size()), sum})
		}
		return nil
	})
	return files
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
