package main

import (
	"encoding/gob"
	"net"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// wire carries messages between nodes, and may lose any.
type wire struct {
	received  chan raftpb.Message
	snapshots chan uint64 // the nodes that a snapshot was sent to
	queues    map[uint64]chan raftpb.Message
}

// listen begins to receive, and to carry what is sent.
func listen(id uint64, peers map[uint64]string) (*wire, error) {
	listener, err := net.Listen("tcp", peers[id])
	if err != nil {
		return nil, err
	}
	w := &wire{make(chan raftpb.Message, 256), make(chan uint64, 256), map[uint64]chan raftpb.Message{}}
	for peer, addr := range peers {
		if peer != id {
			w.queues[peer] = make(chan raftpb.Message, 256)
			go w.carry(addr, w.queues[peer])
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go w.receive(conn)
		}
	}()
	return w, nil
}

func (w *wire) send(messages []raftpb.Message) {
	for _, m := range messages {
		select {
		case w.queues[m.To] <- m:
		default: // full: lost
			if m.Type == raftpb.MsgSnap {
				w.sent(m.To)
			}
		}
	}
}

func (w *wire) receive(conn net.Conn) {
	defer conn.Close()
	for stream := gob.NewDecoder(conn); ; {
		var data []byte
		var m raftpb.Message
		if stream.Decode(&data) != nil || m.Unmarshal(data) != nil {
			return
		}
		w.received <- m
	}
}

// carry takes messages to one node.
func (w *wire) carry(addr string, queue <-chan raftpb.Message) {
	var conn net.Conn
	var stream *gob.Encoder
	for m := range queue {
		data, err := m.Marshal()
		if err == nil && conn == nil {
			if conn, err = net.DialTimeout("tcp", addr, 200*time.Millisecond); err == nil {
				stream = gob.NewEncoder(conn)
			} else {
				conn = nil
			}
		}
		if err == nil {
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			if err = stream.Encode(data); err != nil {
				conn.Close()
				conn = nil
			}
		}
		if m.Type == raftpb.MsgSnap {
			w.sent(m.To)
		}
	}
}

// sent notes that a snapshot was sent, or lost: which of them, is seen by what the follower has.
func (w *wire) sent(to uint64) {
	go func() { w.snapshots <- to }() // who takes them may be who sends
}
