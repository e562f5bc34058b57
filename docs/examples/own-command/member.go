package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// member is one of a replicated counter: each keeps what it was asked to add, and a sum is that of all. So anybody can
// add at any time, and a sum can be had only while all members are reached.
type member struct {
	mu    sync.Mutex
	file  *os.File // a byte for each increment
	count int64
	peers []string
	some  bool // a mistake: sum those that are reached
}

// serve runs a member.
func serve(args []string) error {
	flags := flag.NewFlagSet("member", flag.ExitOnError)
	client := flags.String("client", "", "where to listen for clients")
	peer := flags.String("peer", "", "where to listen for other members")
	peers := flags.String("peers", "", "where the other members listen, separated by commas")
	data := flags.String("data", "", "data directory")
	sum := flags.String("sum", "all", "whose counts a sum has: all, or reachable, which is a mistake")
	if err := flags.Parse(args); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(*data, "count"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	stored, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	m := &member{
		file:  file,
		count: stored,
		peers: strings.FieldsFunc(*peers, func(r rune) bool { return r == ',' }),
		some:  *sum == "reachable",
	}
	http.HandleFunc("POST /add", m.add)
	http.HandleFunc("GET /sum", m.sum)
	http.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, m.own()) })
	go func() { _ = http.ListenAndServe(*peer, nil) }() // without it, no sum can be had, which is seen
	return http.ListenAndServe(*client, nil)
}

func (m *member) own() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

func (m *member) add(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.file.Write([]byte{1}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	m.count++ // even if it is not synced: it may be there after a crash
	if err := m.file.Sync(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (m *member) sum(w http.ResponseWriter, r *http.Request) {
	total := m.own()
	ctx, cancel := context.WithTimeout(r.Context(), 300*time.Millisecond)
	defer cancel()
	for _, peer := range m.peers {
		n, err := ask(ctx, "http://"+peer+"/count")
		if err != nil && !m.some {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		total += n
	}
	fmt.Fprint(w, total)
}

// ask returns the number that a member answers with.
func ask(ctx context.Context, url string) (n int64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s answers %d", url, response.StatusCode)
	}
	_, err = fmt.Fscan(response.Body, &n)
	return n, err
}
