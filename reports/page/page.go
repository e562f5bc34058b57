// Package page draws the page of one run: what happened, and the evidence.
package page

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/view"
)

//go:embed templates
var templates embed.FS

var page = view.Parse("report.html.tmpl", templates)

// script is the one script of the page, and scriptHash what the page's policy lets run.
var script, scriptHash = func() (template.JS, template.HTMLAttr) {
	text, err := templates.ReadFile("templates/report.js")
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(text)
	return template.JS(text), template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}()

// Page is what the page of a run shows.
type Page struct {
	Title, Sentence, Trouble string
	Verdict                  checkers.Verdict
	Test                     history.Test
	Known                    bool // whether the history describes its run
	Results                  []checkers.Result
	Summary                  reports.Summary
	Shown                    map[string]bool // checkers of which there is evidence
	AllFaults, Unconfirmed   int             // faults
	Story                    []told          // the facts of the summary's story
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
	Series                   reports.Series
	Buckets                  figures
	Script                   template.JS
	ScriptHash               template.HTMLAttr

	leaders leaders
	faults  []history.Fault
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

// told is a fact of the story, and the part of the run around it, as the page's address has it.
type told struct{ Text, Window string }

// aroundFact is how much of the run is shown with a fact of the story.
const aroundFact = 500 * time.Millisecond

type file struct{ Path, Size, SHA256 string }

// maxFaults bounds the table of faults, which keeps the page small however long the run was.
const maxFaults = 1000

// Write writes the page of a run into the run's directory, whole, or not at all. Renderers show what checkers attach,
// by kind; nil are [Default].
func Write(r reports.Run, renderers map[string]Renderer) (err error) {
	if r.Dir, err = r.Place(); err != nil {
		return err
	}
	return reports.ReplaceFile(filepath.Join(r.Dir, reports.HTMLFile), func(to io.Writer) error {
		w := bufio.NewWriter(to)
		return errors.Join(draw(w, r, renderers), w.Flush())
	})
}

// draw writes the whole page, which is of one piece: nothing is loaded. A picture that crashes is an error like any
// other.
func draw(w io.Writer, r reports.Run, renderers map[string]Renderer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("drawing crashed: %v", p)
		}
	}()
	if renderers == nil {
		renderers = Default()
	}
	s := r.Summarize()
	notes := r.History.Notes()
	faults := notes.Faults
	p := Page{
		Verdict: checkers.Worst(r.Results), Results: r.Results, Trouble: r.Trouble,
		Summary: s, Duration: r.History.End(), Files: files(r.Dir), Shown: make(map[string]bool),
		leaders: leadersOf(r.History), faults: faults,
	}
	if err := notes.Err(); err != nil {
		p.NotesError = err.Error()
	}
	p.Test, p.Known = r.History.Test()
	p.Title = "history"
	if p.Known {
		p.Title = fmt.Sprintf("%s · %s · %s · seed %d", p.Test.Target, p.Test.Workload, p.Test.Nemesis, p.Test.Seed)
	}
	if s.Story != nil {
		for _, f := range s.Story.Facts {
			p.Story = append(p.Story, told{f.Text, view.Window(max(0, f.At-aroundFact), f.At+aroundFact)})
		}
	}
	p.Sentence = s.Why
	if r.Trouble != "" { // which the page says by itself
		p.Sentence = reports.Sentence(p.Verdict, r.Results)
	}
	p.show(r, renderers, faults)
	p.Overview, p.Buckets = overview(r.History, faults, p.leaders)
	if p.Known {
		p.Review = review(r.History, p.Test, faults, r.Results)
		if p.Longest != nil {
			p.Review = append(p.Review, *p.Longest)
		}
		p.Series = reports.SeriesOf(r.Dir, s)
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
		p.Faults = append(p.Faults, fault{f, view.Clip(detail(f), 300), view.Clip(inWords(f.Evidence), 300)})
	}
	for _, m := range []map[string]string{p.Test.Build, p.Test.Options} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			p.Facts = append(p.Facts, fact{name, m[name]})
		}
	}
	return page.Execute(w, p)
}

// detail says what a fault was aimed at, and what it took.
func detail(f history.Fault) string {
	if f.Takes == nil { // an earlier sunder recorded it
		return inWords(f.FaultEvent.Fault)
	}
	var what struct {
		Aim   string   `json:"aim"`
		Nodes []string `json:"nodes"`
	}
	if json.Unmarshal(f.FaultEvent.Fault, &what) != nil {
		return string(f.FaultEvent.Fault)
	}
	var words []string
	add := func(text string) {
		if text != "" {
			words = append(words, text)
		}
	}
	add(strings.Join(what.Nodes, " "))
	if what.Aim != "" {
		add("(" + what.Aim + ")")
	}
	for _, links := range []struct {
		how  string
		many int
	}{{"cut", len(f.Took.Cut)}, {"lossy", len(f.Took.Lossy)}, {"slow", len(f.Took.Slow)}, {"garbled", len(f.Took.Garbled)}} {
		if links.many > 0 {
			add(view.Count(links.many, "link") + " " + links.how)
		}
	}
	if len(f.Took.Version) > 0 {
		add("of another version")
	}
	if len(f.Took.Stranded) > 0 {
		add("cut off from clients")
	}
	return strings.Join(words, " ")
}

// Sites says which nodes are near each other; empty if all are.
func (p Page) Sites() string {
	var sites []string
	for _, nodes := range p.Test.Sites {
		sites = append(sites, strings.Join(nodes, " "))
	}
	if sites == nil {
		return ""
	}
	return fmt.Sprintf("sites %s, %s apart", strings.Join(sites, " | "), p.Test.SitesApart)
}

// files lists what lies beside the report.
func files(dir string) []file {
	var files []file
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return filepath.SkipDir // what cannot be listed is left out
		}
		if d.IsDir() {
			return nil
		}
		rel, relErr := filepath.Rel(dir, path)
		info, infoErr := d.Info()
		if relErr == nil && infoErr == nil && rel != reports.HTMLFile && !strings.HasPrefix(rel, ".") &&
			!strings.HasPrefix(rel, history.DataDir+string(filepath.Separator)) {
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
