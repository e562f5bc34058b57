package main

import (
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/raft"
)

// Nodes have one port for each other: a connection begins with a byte that says what it is for, as Consul's do.
const (
	forRaft    = 'r'
	forCommand = 'c' // one command, and what came of it
)

// layer is the connections that Raft has of that port.
type layer struct {
	net.Listener
	incoming chan net.Conn
}

func (l layer) Accept() (net.Conn, error) { return <-l.incoming, nil }

func (l layer) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", string(addr), timeout)
	if err == nil {
		_, err = conn.Write([]byte{forRaft})
	}
	return conn, err
}

// forwarded is what the leader says of a command that another node sent it.
type forwarded struct {
	Code   int
	Result result
}

// receive hands out what comes in.
func (l layer) receive(apply func(command) (int, result)) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return
		}
		go func() {
			purpose := []byte{0}
			if _, err := conn.Read(purpose); err == nil && purpose[0] == forRaft {
				l.incoming <- conn
				return
			}
			defer conn.Close()
			var c command
			if json.NewDecoder(conn).Decode(&c) == nil {
				code, out := apply(c)
				_ = json.NewEncoder(conn).Encode(forwarded{code, out}) // or nobody knows
			}
		}()
	}
}

// forward sends a command to the leader. Once it was sent, nobody knows what becomes of it but the leader.
func forward(leader raft.ServerAddress, c command) (code int, out result) {
	conn, err := net.DialTimeout("tcp", string(leader), time.Second)
	if err != nil {
		return http.StatusServiceUnavailable, out
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	var answer forwarded
	if _, err := conn.Write([]byte{forCommand}); err != nil || json.NewEncoder(conn).Encode(c) != nil ||
		json.NewDecoder(conn).Decode(&answer) != nil {
		return http.StatusGatewayTimeout, out
	}
	return answer.Code, answer.Result
}
