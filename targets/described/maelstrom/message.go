package maelstrom

import (
	"encoding/json"
	"fmt"
)

// message is one of Maelstrom's, as nodes read and write them: a line of JSON (protocol.md, "Messages").
type message struct {
	ID   int             `json:"id,omitempty"` // some programs number theirs
	Src  string          `json:"src"`
	Dest string          `json:"dest"`
	Body json.RawMessage `json:"body"`
}

// body is what of a message's body matters to us. Nodes put what they like beside it.
type body struct {
	Type      string          `json:"type"`
	MsgID     int             `json:"msg_id,omitempty"`
	InReplyTo int             `json:"in_reply_to,omitempty"`
	NodeID    string          `json:"node_id,omitempty"`  // of init
	NodeIDs   []string        `json:"node_ids,omitempty"` // of init
	Key       json.RawMessage `json:"key,omitempty"`      // of read, write and cas
	Value     json.RawMessage `json:"value,omitempty"`    // of write, and of read_ok
	From      json.RawMessage `json:"from,omitempty"`     // of cas
	To        json.RawMessage `json:"to,omitempty"`       // of cas
	Code      int             `json:"code,omitempty"`     // of error
	Text      string          `json:"text,omitempty"`     // of error
}

// Codes of errors (protocol.md, "Errors").
const (
	codeNotSupported       = 10
	codeUnavailable        = 11
	codeKeyDoesNotExist    = 20
	codePreconditionFailed = 22
)

// definite are the codes that say that nothing was done, and nothing will be. What programs define themselves is not
// known to be so.
var definite = map[int]bool{
	1: true, codeNotSupported: true, codeUnavailable: true, 12: true, 14: true,
	codeKeyDoesNotExist: true, 21: true, codePreconditionFailed: true, 30: true,
}

// line writes a message as one.
func line(src, dest string, b body) ([]byte, error) {
	encoded, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	encoded, err = json.Marshal(message{Src: src, Dest: dest, Body: encoded})
	return append(encoded, '\n'), err
}

// head is what of a body is Maelstrom's whoever it is for: between nodes, all other fields are theirs.
type head struct {
	MsgID     int `json:"msg_id"`
	InReplyTo int `json:"in_reply_to"`
}

// parse reads a line.
func parse(text []byte) (m message, h head, err error) {
	if err = json.Unmarshal(text, &m); err == nil {
		err = json.Unmarshal(m.Body, &h)
	}
	if err != nil {
		return m, h, fmt.Errorf("no message of Maelstrom's: %.200q: %w", text, err)
	}
	return m, h, nil
}
