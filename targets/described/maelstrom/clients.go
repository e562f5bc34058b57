package maelstrom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// mostNodes is more than there are: a client's name says in its last digits whose it is.
const mostNodes = 1000

// newClient makes a name for a client, in Maelstrom's form of c and a number. It is another one in each life of the
// bridge, as programs may remember which calls of a client they have seen.
func (b *bridge) newClient() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clients++
	return fmt.Sprintf("c%d%06d%03d", b.born, b.clients, byNumber(b.Node))
}

// ownerOf returns the node whose client has a name.
func ownerOf(name string) (node string, ok bool) {
	digits, ok := strings.CutPrefix(name, "c")
	if !ok || len(digits) < 3 {
		return "", false
	}
	n, err := strconv.Atoi(digits[len(digits)-3:])
	return fmt.Sprintf("n%d", n), err == nil
}

// ask sends one call of a client to the program, and waits for its answer.
func (b *bridge) ask(ctx context.Context, client string, id int, asked body) (body, error) {
	asked.MsgID = id
	text, err := line(client, b.Node, asked)
	if err != nil {
		return body{}, err
	}
	c, answer := call{client, id}, make(chan body, 1)
	b.mu.Lock()
	b.waiting[c] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, c)
	}()
	select {
	case b.input <- text:
	case <-ctx.Done():
		return body{}, ctx.Err()
	}
	select {
	case said := <-answer:
		return said, nil
	case <-ctx.Done():
		return body{}, ctx.Err()
	}
}

// reply hands an answer to the call that waits for it, if one does still.
func (b *bridge) reply(c call, text json.RawMessage) {
	var said body
	if err := json.Unmarshal(text, &said); err != nil {
		b.log.Error("an answer that cannot be read", "err", err, "answer", fmt.Sprintf("%.200q", text))
		return // the call stays in doubt
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if answer, ok := b.waiting[c]; ok {
		delete(b.waiting, c) // a second answer is nobody's
		answer <- said
	}
}

// person is the client that a connection is.
type person struct {
	name  string
	calls int // so far; a connection has one call open at a time
}

type personKey struct{}

// named gives a connection its client.
func (b *bridge) named(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, personKey{}, &person{name: b.newClient()})
}

// api is what clients call. Keys and values are JSON.
func (b *bridge) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-b.ready:
		default:
			http.Error(w, "the program has not answered init", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /kv/{key}", func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, "read") })
	mux.HandleFunc("PUT /kv/{key}", func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, "write") })
	mux.HandleFunc("POST /kv/{key}", func(w http.ResponseWriter, r *http.Request) { b.serve(w, r, "cas") })
	return mux
}

// serve makes a message of a request, and an answer of the message that comes back.
func (b *bridge) serve(w http.ResponseWriter, r *http.Request, op string) {
	asked := body{Type: op, Key: json.RawMessage(r.PathValue("key"))}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxLine))
	switch op {
	case "write":
		asked.Value = text
	case "cas":
		var change struct{ From, To json.RawMessage }
		if err == nil {
			err = json.Unmarshal(text, &change)
		}
		asked.From, asked.To = change.From, change.To
	}
	if err != nil || !json.Valid(asked.Key) {
		http.Error(w, fmt.Sprintf("keys and values are JSON: %v", err), http.StatusServiceUnavailable) // nothing was sent
		return
	}
	client := r.Context().Value(personKey{}).(*person)
	client.calls++
	said, err := b.ask(r.Context(), client.name, client.calls, asked)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
	case said.Type == "error" && op == "read" && said.Code == codeKeyDoesNotExist:
		w.WriteHeader(http.StatusNotFound)
	case said.Type == "error" && op == "cas" && (said.Code == codePreconditionFailed || said.Code == codeKeyDoesNotExist):
		w.WriteHeader(http.StatusConflict)
	case said.Type == "error" && definite[said.Code]:
		http.Error(w, fmt.Sprintf("error %d: %s", said.Code, said.Text), http.StatusServiceUnavailable)
	case said.Type == "error":
		http.Error(w, fmt.Sprintf("error %d: %s", said.Code, said.Text), http.StatusGatewayTimeout)
	case said.Type != op+"_ok":
		http.Error(w, fmt.Sprintf("the program answered a %s with %.40q", op, said.Type), http.StatusBadGateway)
	case op == "read" && len(said.Value) == 0:
		http.Error(w, "the program answered a read without a value", http.StatusBadGateway)
	case op == "read" && string(said.Value) == "null": // as some programs say that there is no such key
		w.WriteHeader(http.StatusNotFound)
	case op == "read":
		_, _ = w.Write(said.Value) // if the client is gone, nobody misses it
	}
}
