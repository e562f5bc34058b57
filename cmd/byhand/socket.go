package byhand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// SocketFile is the socket in the directory of a run that is up.
const SocketFile = "control.sock"

// maxSocketPath is how long a socket's path may be, by Linux and others.
const maxSocketPath = 103

// Listen makes the socket of a run: whoever may write in its directory may send lines.
func Listen(ctx context.Context, dir string) (net.Listener, error) {
	path, done, err := socketIn(dir)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		done()
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		done()
		return nil, errors.Join(err, l.Close())
	}
	return &listener{l, done}, nil
}

// listener lets go of the directory, by which it is named, when it is closed.
type listener struct {
	net.Listener
	done func()
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	defer l.done()
	return l.Listener.Close()
}

// socketIn returns a path of a directory's socket that is short enough, until done is called: where it has to be, by a
// descriptor of the directory, as Linux has them.
func socketIn(dir string) (path string, done func(), err error) {
	path = filepath.Join(dir, SocketFile)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	open, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d", open.Fd())
	if _, err := os.Stat(short); err != nil {
		open.Close()
		return "", nil, fmt.Errorf("%s is longer than a socket's path may be (%d characters): use a shorter --out",
			path, maxSocketPath)
	}
	return filepath.Join(short, SocketFile), sync.OnceFunc(func() { open.Close() }), nil
}

// Serve carries out what is sent to a socket, until ctx ends.
func (d *Desk) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
		line, err := io.ReadAll(io.LimitReader(r.Body, 4096))
		var out bytes.Buffer
		if err == nil {
			err = d.Do(r.Context(), string(line), &out)
		}
		if err != nil && !errors.Is(err, ErrDown) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintln(w, err)
			return
		}
		_, _ = out.WriteTo(w) // whoever sent it may be gone
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		s, err := d.State()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // whoever asked may be gone
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Remote is a cluster that another process holds up.
type Remote struct{ Dir string } // of its run

// ErrNotUp says that nobody holds a cluster up.
var ErrNotUp = errors.New("no cluster is up there; 'sunder up' starts one")

// Do has a line carried out, and returns what came of it.
func (r Remote) Do(ctx context.Context, line string) (string, error) {
	return r.call(ctx, http.MethodPost, "/do", line)
}

// State looks at the cluster.
func (r Remote) State(ctx context.Context) (s State, err error) {
	text, err := r.call(ctx, http.MethodGet, "/state", "")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(text), &s)
}

func (r Remote) call(ctx context.Context, method, path, line string) (string, error) {
	socket, done, err := socketIn(r.Dir)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotUp, err)
	}
	defer done()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	target := url.URL{Scheme: "http", Host: "sunder", Path: path}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(line))
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return "", fmt.Errorf("%s: %w", r.Dir, ErrNotUp)
	case err != nil:
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
		text = nil
	}
	return string(text), err
}
