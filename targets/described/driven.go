package described

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/process"
	"github.com/sunder-dev/sunder/harness/history"
)

// driven is a process of a driver.
type driven struct {
	name  string
	of    *Driver
	cmd   *exec.Cmd
	input *os.File
	ready chan struct{} // closed once it can be called
	lines chan []byte   // closed when there are no more
	quit  chan struct{}
	gone  chan struct{} // closed when the process has ended, and all that it said is known
	said  lastWords
	id    int
	owes  bool // the answer to its last call
	end   func() error
	home  *drivers
	where string
}

// drive starts a process that calls a member.
func (d *Description) drive(n harness.Node) (*driven, error) {
	door := Door{n.Name(), d.dir, n.Addr}
	cmd := exec.Command(d.Driver.Program)
	for _, text := range d.Driver.Arguments {
		cmd.Args = append(cmd.Args, filled(text, door))
	}
	theirs, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	output, ours, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirs.Close(), input.Close())
	}
	p := &driven{
		name: "the driver of " + n.Name(), of: d.Driver, cmd: cmd, input: input,
		ready: make(chan struct{}), lines: make(chan []byte), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = theirs, ours, &p.said, time.Second
	thread := process.NewThread() // with which it ends, if we do
	err = thread.Start(cmd)
	err = errors.Join(err, theirs.Close(), ours.Close())
	if err != nil {
		thread.Close()
		return nil, errors.Join(err, input.Close(), output.Close())
	}
	var reading sync.WaitGroup
	reading.Go(func() { p.read(output) })
	reading.Go(func() {
		defer close(p.gone)
		_ = cmd.Wait() // its last words say more
	})
	p.end = sync.OnceValue(func() error {
		close(p.quit)
		var err error
		if !p.hasEnded() { // or its number may be another's
			if err = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); errors.Is(err, syscall.ESRCH) {
				err = nil // it ended by itself
			}
		}
		<-p.gone
		thread.Close()
		err = errors.Join(err, input.Close(), output.Close())
		reading.Wait()
		return err
	})
	return p, nil
}

// read passes on the lines of the output, but for the first.
func (p *driven) read(output io.Reader) {
	defer close(p.lines)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, maxAnswer)
	if !lines.Scan() {
		return
	}
	var hello driverReply
	if err := json.Unmarshal(lines.Bytes(), &hello); err != nil || hello.Type != "ready" {
		_, _ = fmt.Fprintf(&p.said, "its first line must be {\"type\": \"ready\"}, and is %q", shortened(lines.Bytes()))
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // whoever waits for it sees it end
		return
	}
	close(p.ready)
	for lines.Scan() {
		select {
		case p.lines <- bytes.Clone(lines.Bytes()):
		case <-p.quit:
			return
		}
	}
}

func (p *driven) hasEnded() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// Close lets the process wait for another client, or ends it.
func (p *driven) Close() error {
	if p.owes {
		return p.end()
	}
	return p.home.put(p)
}

// ask makes one call. One that is not answered in time may happen still: the process is of no more use then.
func (p *driven) ask(ctx context.Context, call driverCall) (driverReply, error) {
	p.id++
	call.ID = p.id
	if deadline, ok := ctx.Deadline(); ok {
		call.TimeoutMS = max(1, time.Until(deadline).Milliseconds()*9/10) // so that it can say itself that it took too long
	}
	line, err := json.Marshal(call)
	if err != nil {
		return driverReply{}, fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // nothing was sent
	}
	p.owes = true
	if _, err := p.input.Write(append(line, '\n')); err != nil {
		return driverReply{}, p.ended()
	}
	for {
		select {
		case <-ctx.Done():
			return driverReply{}, fmt.Errorf("%s has not answered: %w", p.name, ctx.Err())
		case line, ok := <-p.lines:
			if !ok {
				return driverReply{}, p.ended()
			}
			reply := driverReply{}
			decoder := json.NewDecoder(bytes.NewReader(line))
			decoder.DisallowUnknownFields()
			switch err := decoder.Decode(&reply); {
			case err != nil:
				return driverReply{}, fmt.Errorf("%s answered %q: %w", p.name, shortened(line), err)
			case reply.ID < 1:
				return driverReply{}, fmt.Errorf("%s answered without the id of the call: %q", p.name, shortened(line))
			case reply.ID < call.ID:
				continue // an answer to a call that was given up
			case reply.ID > call.ID:
				return driverReply{}, fmt.Errorf("%s answered call %d, and was asked no more than %d", p.name, reply.ID, call.ID)
			}
			p.owes = false
			return reply, reply.check(call.Op)
		}
	}
}

// ended says that the process is no more, or has closed its output, and what it said at last.
func (p *driven) ended() error {
	select {
	case <-p.gone:
	case <-time.After(time.Second):
	}
	if words := p.said.String(); words != "" {
		return fmt.Errorf("%s has ended: %s", p.name, words)
	}
	return fmt.Errorf("%s has ended", p.name)
}

// Read returns the value of a key, or nil if there is none.
func (p *driven) Read(ctx context.Context, key string) (*string, history.Stamp, error) {
	reply, err := p.ask(ctx, driverCall{Op: opRead, Key: key})
	if err != nil {
		return nil, history.Stamp{}, err
	}
	if reply.Value == nil {
		return nil, history.Stamp{}, errors.New("the driver answered a read without a value; null is nothing")
	}
	value, err := at([]byte(`{"value":`+string(reply.Value)+`}`), "value")
	return value, history.Stamp{}, err
}

// Write sets a key.
func (p *driven) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	_, err := p.ask(ctx, driverCall{Op: opWrite, Key: key, Value: &value})
	return history.Stamp{}, err
}

// CompareAndSet sets a key if it holds old.
func (p *driven) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	if !p.of.understands(opCAS) {
		return history.Stamp{}, fmt.Errorf(
			"the driver does not understand %s: %w",
			opCAS,
			harness.ErrNotApplied,
		) // nothing was sent
	}
	_, err := p.ask(ctx, driverCall{Op: opCAS, Key: key, Value: &value, Old: &old})
	return history.Stamp{}, err
}

// shortened is the beginning of what a program of somebody else's says.
func shortened(text []byte) string {
	return plain(text[:min(len(text), 200)])
}

// plain is text without what terminals obey.
func plain(text []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text), ""))
}

// lastWords keeps the end of what is written to it.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

const mostWords = 400

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p[max(0, len(p)-mostWords):]...)
	l.text = l.text[max(0, len(l.text)-mostWords):]
	return len(p), nil
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(plain(l.text))
}
