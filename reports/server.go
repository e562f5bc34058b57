package reports

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"

	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// Server shows a directory of runs on loopback: the index and the reports as they are on disk, what runs that are
// under way have come to, parts of histories, and runs as archives. It writes nothing but the index.
type Server struct {
	Dir string
	// Interval is how often news of runs that are under way are sent; 0 is every second.
	Interval time.Duration
}

// Handler returns the server's handler. It answers only what was asked of a loopback name, so that no page from elsewhere
// can read the runs by way of somebody's browser (DNS rebinding).
func (s Server) Handler() (http.Handler, error) {
	root, err := os.OpenRoot(s.Dir) // no path leads out of it
	if err != nil {
		return nil, err
	}
	files := http.FileServerFS(root.FS())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, livePage)
	})
	mux.HandleFunc("GET /index.html", func(w http.ResponseWriter, _ *http.Request) { // a file server would send it to / again
		err := WriteIndex(s.Dir)
		page, readErr := root.ReadFile(IndexFile)
		if err := errors.Join(err, readErr); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.HandleFunc("GET /api/live", s.live)
	mux.HandleFunc("GET /api/runs/{run}/events", func(w http.ResponseWriter, r *http.Request) { events(root.FS(), w, r) })
	mux.HandleFunc("GET /api/runs/{run}/zip", func(w http.ResponseWriter, r *http.Request) { archive(root.FS(), w, r) })
	mux.Handle("GET /", files)
	return loopbackOnly(mux), nil
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
		list := s.underWay(known)
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

// underWay reads on in the histories of runs that have no results yet.
func (s Server) underWay(known map[string]*progress) []*progress {
	list := []*progress{}
	paths, _ := filepath.Glob(filepath.Join(s.Dir, "*", "history.jsonl")) // the pattern is ours
	for _, p := range paths {
		dir := filepath.Dir(p)
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // runs/latest is a link to one of the others
		}
		if _, err := os.Stat(filepath.Join(dir, ResultsFile)); err == nil {
			continue
		}
		name := filepath.Base(dir)
		if known[name] == nil {
			known[name] = &progress{Run: name}
		}
		if known[name].readOn(p) == nil {
			list = append(list, known[name])
		}
	}
	return list
}

// readOn counts the lines that have come since.
func (p *progress) readOn(path string) error {
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
	for _, name := range []string{"history.jsonl.zst", "history.jsonl"} {
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
	sub, err := fs.Sub(runs, run)
	if err == nil {
		_, err = fs.Stat(sub, ".")
	}
	if err != nil {
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
	if err := z.AddFS(sub); err == nil {
		_ = z.Close() // whoever asked has gone
	}
}

// livePage shows what is under way, and the index below.
var livePage = func() string {
	text, err := templates.ReadFile("templates/live.html")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}()
