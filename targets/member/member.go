// Package member runs small protocols as members of a cluster. What a member does is a [Core]: pure, without I/O, clock
// or goroutines, so that a whole cluster of them runs in a simulation ([Network]). [Serve] runs one for real: messages
// go over TCP, clients call by HTTP (package kvhttp), and what the core is to remember is on disk before anything else
// is done.
package member

import (
	"encoding/json"
	"time"
)

// Core is what a member does. It is told of one thing at a time, and returns what is to be done about it.
type Core interface {
	// Tick tells it that some time has passed: the same for all ticks.
	Tick() Effects
	// Receive takes a message of another member.
	Receive(from string, message json.RawMessage) Effects
	// Request takes the request of a client. Its answer is among the effects of this or of any later call, or never comes.
	Request(r Request) Effects
	// Status tells how it is.
	Status() Status
}

// Effects are what a core wants done, in this order.
type Effects struct {
	// Remember replaces what is on the member's disk, before anything below is done; nil leaves it as it is.
	Remember json.RawMessage
	Send     []Message
	Answers  []Answer
	// Leads is the number of the term that the member has begun to lead; 0 if it has not.
	Leads uint64
}

// And adds what another call wants done after these.
func (e Effects) And(more Effects) Effects {
	if more.Remember != nil {
		e.Remember = more.Remember
	}
	if more.Leads > 0 {
		e.Leads = more.Leads
	}
	e.Send, e.Answers = append(e.Send, more.Send...), append(e.Answers, more.Answers...)
	return e
}

// Message is for another member.
type Message struct {
	To   string          `json:"to"`
	Body json.RawMessage `json:"body"`
}

// To makes a message of anything that marshals.
func To(member string, body any) Message {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // a core's own structs of plain fields
	}
	return Message{To: member, Body: b}
}

// Request is what a client asks.
type Request struct {
	ID  uint64
	Op  Op
	Key string
	// Value is to be written, and Old is what it replaces, of a cas.
	Value, Old string
}

// Op is what is asked.
type Op string

// The operations.
const (
	Get Op = "get"
	Put Op = "put"
	CAS Op = "cas"
)

// Answer is what a client is answered.
type Answer struct {
	ID      uint64
	Outcome Outcome
	// Value is what the key holds, of a get, or held, of a cas that did not match; nil is nothing.
	Value *string
	// Why says why it was refused.
	Why string
}

// Outcome is what became of a request.
type Outcome string

// The outcomes.
const (
	OK       Outcome = "ok"
	Mismatch Outcome = "mismatch" // of a cas: the key holds another value
	Refused  Outcome = "refused"  // it has not happened, and never will
	InDoubt  Outcome = "in doubt"
)

// Status is how a member is.
type Status struct {
	ID     string `json:"id"`
	Role   string `json:"role"` // "leader", "follower", ...
	Term   uint64 `json:"term"`
	Leader string `json:"leader,omitempty"`
	// Applied is how many changes it has made, and Hash what came of them, if the protocol promises that members agree.
	Applied uint64 `json:"applied,omitempty"`
	Hash    string `json:"hash,omitempty"`
}

// Config is a member of a cluster.
type Config struct {
	ID string
	// Peers are where all members listen for each other, by name; Client is where this one listens for clients.
	Peers  map[string]string
	Client string
	Dir    string
	// Tick is how often the core is told that time has passed.
	Tick time.Duration
	// RequestTimeout is after how long a request that was not answered is in doubt.
	RequestTimeout time.Duration
}
