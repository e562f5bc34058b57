package described

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"

	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/described/maelstrom"
)

// linKV is Maelstrom's workload of linearizable reads, writes and compare-and-set.
const linKV = "lin-kv"

// bridge makes the description of a program for Maelstrom that of a bridge beside it, which is called by HTTP.
func (d *Description) bridge() (field string, err error) {
	if d.Maelstrom == "" {
		return "", nil
	}
	command := slices.Concat([]string{"--", d.Program}, d.Arguments)
	if d.Program, err = os.Executable(); err != nil {
		return "maelstrom", err
	}
	d.Arguments = append([]string{
		maelstrom.Command,
		"--node={{.Node}}",
		`--peers={{range $i, $m := .Members}}{{if $i}},{{end}}{{$m.Node}}={{$m.Addr "` + d.Ports[0] + `"}}{{end}}`,
		`--client={{.Self.Addr "` + portClient + `"}}`,
	}, command...)
	d.Ready, d.Volatile = "/ready", true // of what they keep on disk, Maelstrom's nodes know nothing
	path, failed := "/kv/{{.Key}}", []int{http.StatusServiceUnavailable}
	d.Read = Request{Method: http.MethodGet, Path: path, Absent: []int{http.StatusNotFound}, Failed: failed}
	d.Write = Request{Method: http.MethodPut, Path: path, Body: "{{.Value}}", Failed: failed}
	d.CAS = &Request{
		Method: http.MethodPost, Path: path, Body: `{"from": {{.Old}}, "to": {{.Value}}}`,
		Mismatch: []int{http.StatusConflict}, Failed: failed,
	}
	return "", nil
}

// numbering gives every key a number: programs for Maelstrom expect numbers.
type numbering struct {
	mu  sync.Mutex
	all map[string]int
}

func (n *numbering) of(key string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = map[string]int{}
	}
	number, ok := n.all[key]
	if !ok {
		number = len(n.all)
		n.all[key] = number
	}
	return strconv.Itoa(number)
}

// numbered is a client that calls keys by their numbers.
type numbered struct {
	*Client
	keys *numbering
}

// Read returns the value of a key, or nil if there is none.
func (c *numbered) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	return c.Client.Read(ctx, c.keys.of(key))
}

// Write sets a key.
func (c *numbered) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	return c.Client.Write(ctx, c.keys.of(key), value)
}

// CompareAndSet sets a key if it holds old.
func (c *numbered) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	return c.Client.CompareAndSet(ctx, c.keys.of(key), old, value)
}
