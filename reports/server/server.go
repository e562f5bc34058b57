// Package server shows a directory of runs on loopback.
package server

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/reports"
	"github.com/sunder-dev/sunder/reports/index"
)

// Server shows a directory of runs on loopback: the index and the reports as they are on disk, what runs that are
// under way have come to, parts of histories, and runs as archives. It writes nothing. Clusters that somebody holds up
// can be broken from a page.
type Server struct {
	Dir string
	// Hands returns who holds up the cluster of a run, by its directory's name; nil if nobody does.
	Hands func(run string) Hands
	// Token is what a page must show to break anything; without one, none can.
	Token string
	// Interval is how often news of runs that are under way are sent; 0 is every second.
	Interval time.Duration
}

// Handler returns the server's handler. It answers only what was asked of a loopback name, so that no page from
// elsewhere can read the runs by way of somebody's browser (DNS rebinding).
func (s Server) Handler() (http.Handler, error) {
	root, err := os.OpenRoot(s.Dir) // no path leads out of it
	if err != nil {
		return nil, err
	}
	if s.Hands == nil {
		s.Hands = func(string) Hands { return nobody{} }
	}
	mux := http.NewServeMux()
	s.handle(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, livePage)
	})
	mux.HandleFunc("GET /index.html", func(w http.ResponseWriter, _ *http.Request) { // as it is now, whatever is on disk
		var page bytes.Buffer
		if err := index.Draw(s.Dir, &page); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = page.WriteTo(w)
	})
	mux.HandleFunc("GET /api/live", s.live)
	mux.HandleFunc("GET /api/runs/{run}/events", func(w http.ResponseWriter, r *http.Request) { events(root.FS(), w, r) })
	mux.HandleFunc("GET /api/runs/{run}/zip", func(w http.ResponseWriter, r *http.Request) { archive(root.FS(), w, r) })
	mux.Handle("GET /", harmless(http.FileServerFS(root.FS())))
	return loopbackOnly(mux), nil
}

// harmless keeps files that sunder did not write from becoming pages that run scripts as ours may: a node's log or data
// is what a target says.
func harmless(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dir, name := path.Split(r.URL.Path)
		target := strings.Contains(dir, "/logs/") || strings.Contains(dir, "/data/")
		if page := name == "" || name == reports.HTMLFile; !page || target {
			w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
			if kind := "text/plain; charset=utf-8"; name != "" {
				if !target && path.Ext(name) == ".json" {
					kind = "application/json"
				}
				w.Header().Set("Content-Type", kind)
			}
		}
		files.ServeHTTP(w, r)
	})
}

func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this server answers to loopback names only", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// progress is what a run that is under way has come to.
type progress struct {
	Run    string  `json:"run"`
	At     float64 `json:"at"` // seconds of the run
	Phase  string  `json:"phase"`
	OK     int     `json:"ok"`
	Fail   int     `json:"fail"`
	Info   int     `json:"info"`
	Faults int     `json:"faults"`
	// ByHand says that somebody holds the cluster up, to be broken by hand.
	ByHand bool `json:"by_hand,omitempty"`
	// Found says which violation was found first; empty if none was.
	Found string `json:"found,omitempty"`

	offset int64
}

// live sends what runs have come to, as events of the server's, until the client goes.
func (s Server) live(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	interval := s.Interval
	if interval == 0 {
		interval = time.Second
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	known := make(map[string]*progress)
	for {
		list := s.underWay(r.Context(), known)
		b, err := json.Marshal(list)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// underWay reads on in the histories of runs that have no results yet, also of a suite's.
func (s Server) underWay(ctx context.Context, known map[string]*progress) []*progress {
	list := []*progress{}
	var look func(below string, suites bool)
	look = func(below string, suites bool) {
		entries, _ := os.ReadDir(filepath.Join(s.Dir, below)) // what cannot be read is not under way
		for _, e := range entries {
			name := filepath.Join(below, e.Name())
			switch dir := filepath.Join(s.Dir, name); {
			case !e.IsDir(): // runs/latest is a link to one of the others
			case suites && exists(filepath.Join(dir, reports.SuiteFile)):
				look(name, false)
			case !exists(filepath.Join(dir, reports.ResultsFile)):
				if known[name] == nil {
					known[name] = &progress{Run: filepath.ToSlash(name)}
				}
				if known[name].readOn(filepath.Join(dir, history.File)) == nil {
					asking, done := context.WithTimeout(ctx, handsPatience)
					_, err := s.Hands(known[name].Run).State(asking)
					done()
					known[name].ByHand = err == nil
					list = append(list, known[name])
				}
			}
		}
	}
	look("", true)
	return list
}

// handsPatience bounds the look at a cluster that is held up: others are shown in the same stream.
const handsPatience = 500 * time.Millisecond

// readOn counts the lines that have come since. It is an error if there is no history, or nobody writes it any more.
func (p *progress) readOn(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || time.Since(info.ModTime()) > reports.Silence {
		return errEnded
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(p.offset, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(f, 64<<20))
	if err != nil {
		return err
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	p.offset += int64(end)
	for line := range bytes.Lines(text[:end]) {
		var e struct {
			At      int64
			Process int
			Kind, F string
			Value   json.RawMessage
		}
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		p.At = time.Duration(e.At).Seconds()
		switch {
		case e.Process == history.Controller && e.F == history.FPhase:
			_ = json.Unmarshal(e.Value, &p.Phase) // or it stays what it was
		case e.Process == history.Controller && e.F == history.FFinding && p.Found == "":
			var f history.Finding
			if json.Unmarshal(e.Value, &f) == nil {
				p.Found = fmt.Sprintf("a violation at %.1f s (%s): %s", f.At.Seconds(), f.Checker, f.Why)
			}
		case e.Process == history.Nemesis && e.Kind == "invoke" && e.F != history.FHeal:
			p.Faults++
		case e.Process < 0:
		case e.Kind == "ok":
			p.OK++
		case e.Kind == "fail":
			p.Fail++
		case e.Kind == "info":
			p.Info++
		}
	}
	return nil
}

// maxEvents bounds the answer to a query.
const maxEvents = 10_000

// events answers with a part of a run's history: ?from= and ?to= in seconds, ?key=, ?process=, ?limit=.
func events(runs fs.FS, w http.ResponseWriter, r *http.Request) {
	number := func(name string, otherwise float64) (float64, error) {
		text := r.URL.Query().Get(name)
		if text == "" {
			return otherwise, nil
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %q is no number", name, text)
		}
		return v, nil
	}
	from, err1 := number("from", 0)
	to, err2 := number("to", 1e9)
	limit, err3 := number("limit", maxEvents)
	if err := errors.Join(err1, err2, err3); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h, err := historyOf(runs, r.PathValue("run"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	key, process := r.URL.Query().Get("key"), r.URL.Query().Get("process")
	w.Header().Set("Content-Type", "application/x-ndjson")
	n := 0
	for e := range h.Events() {
		at := e.At.Seconds()
		if at < from || key != "" && e.Key != key || process != "" && strconv.Itoa(e.Process) != process {
			continue
		}
		if at > to || n >= min(int(limit), maxEvents) {
			return
		}
		n++
		if _, err := w.Write(e.Line()); err != nil {
			return
		}
	}
}

func historyOf(runs fs.FS, run string) (*history.History, error) {
	for _, name := range history.Files() {
		if info, err := fs.Stat(runs, run+"/"+name); err != nil || !info.Mode().IsRegular() {
			continue
		}
		f, err := runs.Open(run + "/" + name)
		if err != nil {
			continue
		}
		defer f.Close()
		h, _, err := history.Read(f, run+"/"+name)
		return h, err
	}
	return nil, fmt.Errorf("there is no run %q with a history", run)
}

// archive sends a run's directory as a zip.
func archive(runs fs.FS, w http.ResponseWriter, r *http.Request) {
	run := r.PathValue("run")
	if info, err := fs.Stat(runs, run); err != nil || !info.IsDir() || run == "." {
		http.Error(w, "there is no such run", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.zip"`, strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '/' {
			return '-'
		}
		return r
	}, run)))
	z := zip.NewWriter(w)
	err := fs.WalkDir(runs, run, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err // links and sockets of a target's are nobody's evidence
		}
		from, err := runs.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := z.Create(strings.TrimPrefix(name, run+"/"))
		if err == nil {
			_, err = io.Copy(to, from)
		}
		return err
	})
	if errors.Join(err, z.Close()) != nil {
		panic(http.ErrAbortHandler) // so that what was sent is not taken for a whole archive
	}
}

// livePage shows what is under way, and the index below.
//
//go:embed live.html
var livePage string

// errEnded says that nobody writes a history any more.
var errEnded = errors.New("the run has ended")

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
