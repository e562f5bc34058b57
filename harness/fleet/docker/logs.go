package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// follower copies what a container says to a writer, as it is said, over all its starts. An engine's
// stream of logs ends when the container does, when its file is rotated (moby issue 37646), and
// when the engine feels like it; the follower then goes on where it was, without losing or
// repeating a message.
type follower struct {
	client client.APIClient
	id     string
	out    io.Writer
	wake   chan struct{} // has an element if there was a start, or the end, since it was last looked at
	done   chan struct{}
	cancel context.CancelFunc

	mu    sync.Mutex
	ended bool
	idle  bool // all that was said is copied

	since time.Time // of the last message
	seen  recent
}

// follow begins to follow a container that need not run yet.
func follow(c client.APIClient, id string, out io.Writer) *follower {
	f := &follower{client: c, id: id, out: out, wake: make(chan struct{}, 1), done: make(chan struct{}), seen: newRecent()}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go func() {
		defer close(f.done)
		f.run(ctx)
	}()
	return f
}

// started tells of a start of the container.
func (f *follower) started() {
	f.mu.Lock()
	f.idle = false
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// end is called when the container will say no more. It returns once everything is copied, or ctx ends.
func (f *follower) end(ctx context.Context) {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.started()
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	f.cancel()
	<-f.done
}

// drain returns once all that an ended container has said is copied, or ctx ends.
func (f *follower) drain(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		f.mu.Lock()
		idle := f.idle
		f.mu.Unlock()
		if idle {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-f.done:
			return
		case <-tick.C:
		}
	}
}

// again is how long the follower waits before it opens a stream that broke anew.
const again = 50 * time.Millisecond

func (f *follower) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		f.mu.Lock()
		last := f.ended
		f.mu.Unlock()
		for ctx.Err() == nil {
			err := f.copy(ctx)
			if err == nil && !f.running(ctx) {
				// What was said between the end of the stream and the end of the container.
				err = f.copy(ctx)
			} else if err == nil {
				err = errors.New("the stream ended and the container did not")
			}
			if cerrdefs.IsNotFound(err) {
				return // somebody has removed it
			}
			if err == nil {
				f.mu.Lock()
				f.idle = len(f.wake) == 0
				f.mu.Unlock()
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
		if last {
			return
		}
	}
}

func (f *follower) running(ctx context.Context) bool {
	c, err := f.client.ContainerInspect(ctx, f.id)
	return err == nil && c.State.Running
}

// overlap is how much of what was copied already is asked for once more: messages of the two output
// streams of a container may be out of order by a little.
const overlap = time.Second

// copy copies what was said since the last message, until the engine says no more.
func (f *follower) copy(ctx context.Context) error {
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: true}
	if !f.since.IsZero() {
		from := f.since.Add(-overlap)
		options.Since = fmt.Sprintf("%d.%09d", from.Unix(), from.Nanosecond())
	}
	stream, err := f.client.ContainerLogs(ctx, f.id, options)
	if err != nil {
		return err
	}
	defer stream.Close()
	return demultiplex(stream, f.message)
}

// message takes one message: its time, a space, and what was said.
func (f *follower) message(m []byte) {
	stamp, said, ok := bytes.Cut(m, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if !ok || err != nil {
		said = m // no time: better twice than not at all
	} else if f.seen.add(at, m) {
		return
	}
	if at.After(f.since) {
		f.since = at
	}
	_, _ = f.out.Write(said) // a full disk shows elsewhere
}

// recent knows the messages of the last while, of at least overlap's length.
type recent struct {
	seed     maphash.Seed
	old, new map[uint64]struct{}
	began    time.Time // the new ones
}

func newRecent() recent {
	return recent{seed: maphash.MakeSeed(), old: map[uint64]struct{}{}, new: map[uint64]struct{}{}}
}

// add reports whether a message is known, and remembers it.
func (r *recent) add(at time.Time, m []byte) bool {
	if at.Sub(r.began) > 2*overlap {
		r.old, r.new, r.began = r.new, map[uint64]struct{}{}, at
	}
	h := maphash.Bytes(r.seed, m)
	_, older := r.old[h]
	_, newer := r.new[h]
	r.new[h] = struct{}{}
	return older || newer
}

// demultiplex calls message for each of the messages in a stream of a container's two outputs.
func demultiplex(stream io.Reader, message func([]byte)) error {
	w := messageWriter(message)
	_, err := stdcopy.StdCopy(w, w, stream)
	return err
}

// messageWriter is written to once a message.
type messageWriter func([]byte)

// Write implements [io.Writer].
func (w messageWriter) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}
