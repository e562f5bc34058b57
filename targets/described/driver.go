package described

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// Driver is a program that calls members in whatever way they want to be called. A process of it is one client of one
// member at a time. It writes a line of type ready to its standard output once it can be called. It then reads a
// [driverCall] a line from its standard input, one at a time, and writes a [driverReply] a line; it ends when its input
// does. What it writes to its standard error is shown when it fails.
type Driver struct {
	// Program is a path, relative to the file if it has a slash, or the name of a program on PATH.
	Program string `yaml:"program"`
	// Arguments are templates over [Door].
	Arguments []string `yaml:"arguments"`
	// Operations are what it understands of read, write, cas and status; read and write if nothing is said.
	Operations []string `yaml:"operations"`
}

// Operations of a driver.
const (
	opRead   = "read"
	opWrite  = "write"
	opCAS    = "cas"
	opStatus = "status"
)

// Door is what the templates of a driver's arguments are about: where one member is called.
type Door struct {
	Node string // n1, n2 and so on
	Dir  string // that of the file

	addr func(port string) string
}

// Addr returns the address of one of the ports, as host:port.
func (d Door) Addr(port string) (string, error) {
	if addr := d.addr(port); addr != "" {
		return addr, nil
	}
	return "", fmt.Errorf("there is no port %q", port)
}

// understands reports whether a driver knows an operation.
func (d *Driver) understands(op string) bool { return d != nil && slices.Contains(d.Operations, op) }

// driverCall is what a driver reads.
type driverCall struct {
	ID    int     `json:"id"` // of the process, from 1
	Op    string  `json:"op"` // read, write, cas, status
	Key   string  `json:"key,omitempty"`
	Value *string `json:"value,omitempty"` // of write and cas
	Old   *string `json:"old,omitempty"`   // of cas
	// TimeoutMS is for how many milliseconds an answer is waited for. A driver that has not answered by then is ended.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
}

// driverReply is what a driver answers.
type driverReply struct {
	ID int `json:"id"` // that of the call
	// Type is ok; fail, which is a claim of proof that nothing was done and nothing will be; info, if that is not known;
	// mismatch, if the key of a cas holds another value. The first line that a driver writes is ready.
	Type  string `json:"type"`
	Error string `json:"error"` // why it is fail or info
	// Value is what a read found, as a string or a number; null is nothing.
	Value  json.RawMessage `json:"value"`
	Leader string          `json:"leader"` // of a status: the name of a node; empty if the member knows none
	Role   string          `json:"role"`
	Term   uint64          `json:"term"`
}

// check returns the error that a reply stands for.
func (r driverReply) check(op string) error {
	said := shortened([]byte(r.Error))
	switch {
	case r.Type == "ok":
		return nil
	case r.Type == "fail":
		return fmt.Errorf("%s: %w", said, harness.ErrNotApplied) // as the driver says
	case r.Type == "info":
		return errors.New(said)
	case r.Type == "mismatch" && op == opCAS:
		return harness.Refusal{Reason: history.Mismatch} // as the driver says
	}
	return fmt.Errorf("the driver answered a %s with type %q, which means nothing", op, shortened([]byte(r.Type)))
}
