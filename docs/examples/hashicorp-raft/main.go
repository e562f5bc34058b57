// Command kv is a replicated key-value store on hashicorp/raft: what somebody's first one looks like, and right.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
)

// command is an entry of the log. A read is one, too: so it sees all that was committed before it.
type command struct{ Op, Key, Value, Old string }

// result is what a command did.
type result struct {
	Value *string `json:"value"` // that was there
	Done  bool    `json:"done"`
}

// store is the state machine.
type store struct {
	mu     sync.Mutex
	values map[string]string
}

func (s *store) Apply(l *raft.Log) any {
	var c command
	if err := json.Unmarshal(l.Data, &c); err != nil {
		return err
	}
	before := s.get(c.Key)
	done := c.Op != "cas" || before != nil && *before == c.Old
	if done && c.Op != "get" {
		s.mu.Lock()
		s.values[c.Key] = c.Value
		s.mu.Unlock()
	}
	return result{before, done}
}

func (s *store) get(key string) *string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.values[key]; ok {
		return &value
	}
	return nil
}

func (s *store) Snapshot() (raft.FSMSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return image(maps.Clone(s.values)), nil
}

func (s *store) Restore(r io.ReadCloser) error {
	defer r.Close()
	values := map[string]string{}
	if err := json.NewDecoder(r).Decode(&values); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = values
	return nil
}

// image is a state that is written to disk.
type image map[string]string

func (i image) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode(i); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (image) Release() {}

// peers says where this node reaches the others: the log knows them by their names alone.
type peers map[raft.ServerID]raft.ServerAddress

func (p peers) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) { return p[id], nil }

func main() {
	id := flag.String("id", "", "this node")
	all := flag.String("peers", "", "all nodes, as n1=host:port,n2=host:port,...")
	client := flag.String("client", "", "where to listen for clients")
	data := flag.String("data", "", "data directory")
	reads := flag.String("reads", "log", "log: through the log; local is a mistake: from this node's own state")
	flag.Parse()
	if err := serve(*id, *all, *client, *data, *reads == "local"); err != nil {
		log.Fatal(err)
	}
}

func serve(id, all, client, data string, localReads bool) error {
	others, first := peers{}, raft.Configuration{}
	for peer := range strings.SplitSeq(all, ",") {
		name, addr, _ := strings.Cut(peer, "=")
		others[raft.ServerID(name)] = raft.ServerAddress(addr)
		first.Servers = append(first.Servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name)})
	}
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(id)
	config.HeartbeatTimeout, config.ElectionTimeout = 300*time.Millisecond, 300*time.Millisecond
	config.LeaderLeaseTimeout, config.CommitTimeout = 200*time.Millisecond, 10*time.Millisecond
	config.SnapshotThreshold, config.SnapshotInterval, config.TrailingLogs = 1000, 2*time.Second, 500
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true, Level: hclog.Info})
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	disk, err := boltdb.NewBoltStore(filepath.Join(data, "log")) // it syncs what it stores
	if err != nil {
		return err
	}
	snapshots, err := raft.NewFileSnapshotStore(data, 2, io.Discard)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", string(others[config.LocalID]))
	if err != nil {
		return err
	}
	stream := layer{listener, make(chan net.Conn)}
	transport := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: stream, ServerAddressProvider: others, MaxPool: 3, Timeout: time.Second, Logger: config.Logger,
	})
	s := &store{values: map[string]string{}}
	node, err := raft.NewRaft(config, s, disk, disk, snapshots, transport)
	if err != nil {
		return err
	}
	if err := node.BootstrapCluster(first).Error(); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return err
	}

	go stream.receive(func(c command) (int, result) { return apply(node, c) })
	change := func(w http.ResponseWriter, c command) {
		code, out := apply(node, c)
		if _, leader := node.LeaderWithID(); code == http.StatusServiceUnavailable && leader != "" && string(leader) != id {
			code, out = forward(others[leader], c)
		}
		answer(w, code, out)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kv/{key}", func(w http.ResponseWriter, r *http.Request) {
		if localReads {
			answer(w, http.StatusOK, result{Value: s.get(r.PathValue("key"))})
			return
		}
		change(w, command{Op: "get", Key: r.PathValue("key")})
	})
	mux.HandleFunc("POST /kv/{key}", func(w http.ResponseWriter, r *http.Request) {
		var c command
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			answer(w, http.StatusBadRequest, result{})
			return
		}
		c.Key = r.PathValue("key")
		change(w, c)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_, leader := node.LeaderWithID()
		answer(w, http.StatusOK, map[string]string{
			"role": node.State().String(), "term": node.Stats()["term"], "leader": string(leader),
		})
	})
	return http.ListenAndServe(client, mux)
}

// apply has a command replicated, and says what is known of it: 503 is said of what was never in this node's log.
func apply(node *raft.Raft, c command) (code int, out result) {
	data, _ := json.Marshal(c) // strings
	done := node.Apply(data, time.Second)
	switch err := done.Error(); {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrEnqueueTimeout):
		return http.StatusServiceUnavailable, out
	case err != nil:
		return http.StatusGatewayTimeout, out
	}
	out, _ = done.Response().(result)
	if !out.Done {
		return http.StatusConflict, out
	}
	return http.StatusOK, out
}

func answer(w http.ResponseWriter, code int, body any) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
