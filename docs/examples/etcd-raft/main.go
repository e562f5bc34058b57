// Command kv is a replicated key-value store on go.etcd.io/raft, which is the consensus alone: disk, network and state
// machine are the store's own.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// command is an entry of the log.
type command struct{ ID, Op, Key, Value, Old string }

// result is what a command did.
type result struct {
	Value *string `json:"value"` // of a read
	Done  bool    `json:"done"`
}

// store is the state machine.
type store map[string]string

func (s store) apply(c command) result {
	before, ok := s[c.Key]
	if c.Op == "cas" && (!ok || before != c.Old) {
		return result{}
	}
	s[c.Key] = c.Value
	return result{Done: true}
}

func (s store) get(key string) result {
	if value, ok := s[key]; ok {
		return result{Value: &value, Done: true}
	}
	return result{Done: true}
}

func main() {
	id := flag.String("id", "", "this node: n1, n2 and so on")
	all := flag.String("peers", "", "all nodes, as n1=host:port,n2=host:port,...")
	client := flag.String("client", "", "where to listen for clients")
	data := flag.String("data", "", "data directory")
	reads := flag.String(
		"reads",
		"quorum",
		"quorum: the leader asks a quorum that it leads; local is a mistake: from this node's own state",
	)
	flag.Parse()
	peers := map[uint64]string{}
	for peer := range strings.SplitSeq(*all, ",") {
		name, addr, _ := strings.Cut(peer, "=")
		peers[number(name)] = addr
	}
	n, err := start(number(*id), peers, *data)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*client, n.api(*reads == "local")))
}

// number returns the number of a node, by which Raft knows it.
func number(name string) uint64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, "n"), 10, 64)
	if err != nil {
		log.Fatalf("%q is no node", name)
	}
	return n
}

// requestTimeout is how long a client's call may take.
const requestTimeout = 2 * time.Second

func (n *node) api(localReads bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /kv/{key}", func(w http.ResponseWriter, r *http.Request) {
		n.answer(w, request{key: r.PathValue("key"), local: localReads})
	})
	mux.HandleFunc("POST /kv/{key}", func(w http.ResponseWriter, r *http.Request) {
		var c command
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.Key = r.PathValue("key")
		n.answer(w, request{change: &c})
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(n.status.Load()) // the client may be gone
	})
	return mux
}

// answer has a request carried out. It says 503 only of what was never proposed, and 504 of what may have been.
func (n *node) answer(w http.ResponseWriter, r request) {
	r.done = make(chan outcome, 1)
	n.requests <- r
	select {
	case o := <-r.done:
		code := http.StatusOK
		switch {
		case o.dropped:
			code = http.StatusServiceUnavailable
		case !o.Done:
			code = http.StatusConflict
		}
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(o.result) // the client may be gone
	case <-time.After(requestTimeout):
		w.WriteHeader(http.StatusGatewayTimeout)
	}
}
