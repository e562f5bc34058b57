package server

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
)

// Hands break and heal a cluster that somebody holds up.
type Hands interface {
	// Do has a line carried out, and returns what came of it. An error is about the line.
	Do(ctx context.Context, line string) (string, error)
	// State is how the cluster fares, as JSON. An error that wraps [ErrNobody] says that it is down.
	State(ctx context.Context) (json.RawMessage, error)
}

// tokenHeader has the server's token: who has it may break clusters, and nobody else.
const tokenHeader = "X-Sunder-Token"

//go:embed hands.html hands.js hands.css
var handsFiles embed.FS

// handsPolicy lets the page load what is ours, and nothing else.
const handsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'none'"

// handle adds what it takes to break clusters from a page.
func (s Server) handle(mux *http.ServeMux) {
	mux.HandleFunc("GET /hands/{run}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", handsPolicy)
		http.ServeFileFS(w, r, handsFiles, "hands.html")
	})
	for _, name := range []string{"hands.js", "hands.css"} {
		mux.HandleFunc(
			"GET /"+name,
			func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, handsFiles, name) },
		)
	}
	mux.HandleFunc("GET /api/runs/{run}/state", func(w http.ResponseWriter, r *http.Request) {
		state, err := s.of(r).State(r.Context())
		switch {
		case errors.Is(err, ErrNobody):
			w.WriteHeader(http.StatusNoContent)
			return
		case err != nil: // it does not serve yet, or goes down
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(state) // who asked may be gone
	})
	mux.HandleFunc("POST /api/runs/{run}/do", func(w http.ResponseWriter, r *http.Request) {
		if s.Token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(s.Token)) != 1 {
			http.Error(w, "open the address that 'sunder serve' printed: it has the token that this takes", http.StatusForbidden)
			return
		}
		line, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		text, err := s.of(r).Do(r.Context(), string(line))
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			text = fmt.Sprintln(err)
		}
		_, _ = io.WriteString(w, text) // who asked may be gone
	})
}

// of returns the hands of the run that is asked for; its directory is one of ours.
func (s Server) of(r *http.Request) Hands {
	run := r.PathValue("run")
	if !filepath.IsLocal(run) || run != filepath.Base(run) {
		return nobody{}
	}
	return s.Hands(run)
}

// nobody holds anything up.
type nobody struct{}

// ErrNobody says that nobody holds up the cluster of a run, any more or at all.
var ErrNobody = errors.New("no cluster can be broken by hand here")

func (nobody) Do(context.Context, string) (string, error)     { return "", ErrNobody }
func (nobody) State(context.Context) (json.RawMessage, error) { return nil, ErrNobody }
