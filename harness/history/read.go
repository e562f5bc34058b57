package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxLine bounds one line: what a target says is data, and data is bounded.
const maxLine = 16<<20 - 1

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// Compressed reports whether a file that begins in this way is a compressed history.
func Compressed(start []byte) bool { return bytes.HasPrefix(start, zstdMagic) }

// ReadFile reads a history from a file, plain or compressed with zstd. A last line that was cut
// off, as a killed controller leaves it, is dropped with a warning; anything else that is not a
// history is an error that names the file, the line and the reason.
func ReadFile(path string) (h *History, warning string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	return Read(f, path)
}

// Read is [ReadFile] for any reader; name stands for the file in errors.
//
// Lines are decoded side by side, a chunk at a time, and put in order by one goroutine.
func Read(r io.Reader, name string) (h *History, warning string, err error) {
	br := bufio.NewReaderSize(r, 4<<10)
	if magic, _ := br.Peek(len(zstdMagic)); Compressed(magic) {
		z, err := zstd.NewReader(br)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		r = z
	} else {
		r = br
	}
	chunks, stop := decodeChunks(r)
	defer stop()
	h = &History{}
	ids := make(map[*worker]*translation)
	line := 1
	for c := range chunks {
		<-c.done
		if c.broken != nil {
			return nil, "", fmt.Errorf("%s: it cannot be read to its end: %w", name, c.broken)
		}
		if ids[c.worker] == nil {
			ids[c.worker] = &translation{symbols: []uint32{0}, names: []uint32{0}}
		}
		at, err := h.take(c, ids[c.worker])
		if err == nil {
			err = c.err
		}
		switch {
		case err != nil && at == c.cutAt:
			return h, fmt.Sprintf("%s:%d: the last line is cut off and was dropped", name, line+at), nil
		case err != nil:
			return nil, "", fmt.Errorf("%s:%d: %w", name, line+at, err)
		}
		line += c.lines
		c.release()
	}
	return h, "", nil
}

// translation says which numbers of a history the strings of one worker have.
type translation struct{ symbols, names []uint32 }

// take adds what was decoded of a chunk. It returns at which of its lines it stopped.
func (h *History) take(c *chunk, ids *translation) (line int, err error) {
	for _, name := range c.symbols {
		ids.symbols = append(ids.symbols, h.symbols.id([]byte(name)))
	}
	for _, name := range c.names {
		ids.names = append(ids.names, h.names.id([]byte(name)))
	}
	for i := range c.records {
		if i == c.indexed[0].at && c.indexed[0].index != h.n || i == c.indexed[1].at {
			which := 0
			if i == c.indexed[1].at {
				which = 1
			}
			return i, fmt.Errorf("%w: index %d where %d is due: lines are missing or out of order",
				errLine, c.indexed[which].index, h.n)
		}
		rec := &c.records[i]
		rec.key = ids.symbols[rec.key]
		rec.f, rec.node = uint16(ids.names[rec.f]), uint16(ids.names[rec.node])
		if rec.form == literal {
			rec.value = h.texts.add(c.texts.get(rec.value))
		}
		if rec.more != 0 {
			e := c.extras[rec.more]
			e.err = ids.symbols[e.err]
			rec.more = h.addExtra(e)
		}
		if err := h.admit(rec); err != nil {
			return i, err
		}
	}
	if len(h.names.texts) > 1<<16 {
		return len(c.records), errors.New("too many different names of operations and nodes")
	}
	return len(c.records), nil
}

// chunkBytes is how much text is decoded at a time.
const chunkBytes = 1 << 20

// chunk is some whole lines of a file, and what was decoded of them up to the first that is no event.
type chunk struct {
	text []byte
	done chan struct{} // closed once it is decoded
	free chan<- *chunk

	worker         *worker
	records        []record
	symbols, names []string // that the worker had not met before
	texts          arena
	extras         []extra
	lines          int // that are events
	err            error
	cutAt          int   // the line within which the file ends; -1 if there is none
	broken         error // what kept the file from being read
	// indexed are the first record that says which index it has, and the first that contradicts it.
	indexed [2]struct{ at, index int }
}

func (c *chunk) release() { c.free <- c }

// worker decodes chunks. Its symbols are its own, and stay from one chunk to the next.
type worker struct{ builder }

// decodeChunks reads a text and decodes it. The chunks come in order, before they are done. Nothing of it goes on once
// stop has returned.
func decodeChunks(r io.Reader) (chunks <-chan *chunk, stop func()) {
	workers := runtime.GOMAXPROCS(0)
	ordered := make(chan *chunk, workers)
	work := make(chan *chunk, workers)
	free := make(chan *chunk, 3*workers)
	for range cap(free) {
		free <- &chunk{free: free}
	}
	quit := make(chan struct{})
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			w := &worker{}
			for c := range work {
				w.decode(c)
				close(c.done)
			}
		})
	}
	wait.Go(func() {
		defer close(ordered)
		defer close(work)
		var rest []byte
		for ended := false; !ended; {
			var c *chunk
			select {
			case c = <-free:
			case <-quit:
				return
			}
			*c = chunk{
				free:    free,
				text:    append(c.text[:0], rest...),
				done:    make(chan struct{}),
				records: c.records[:0],
				texts:   c.texts,
				extras:  c.extras[:0],
			}
			c.texts.clear()
			rest, ended = c.fill(r, rest)
			if len(c.text) == 0 && c.broken == nil {
				return
			}
			for _, to := range []chan<- *chunk{work, ordered} {
				select {
				case to <- c:
				case <-quit:
					return
				}
			}
		}
	})
	return ordered, func() { close(quit); wait.Wait() }
}

// fill reads whole lines behind what the chunk holds, and returns what was read of the next one.
func (c *chunk) fill(r io.Reader, rest []byte) (next []byte, ended bool) {
	searched := 0
	for size := max(chunkBytes, 2*len(c.text)); ; size *= 2 {
		if cap(c.text) < size {
			c.text = append(make([]byte, 0, size), c.text...)
		}
		for len(c.text) < size {
			n, err := r.Read(c.text[len(c.text):size])
			c.text = c.text[:len(c.text)+n]
			if err != nil {
				if err != io.EOF { //nolint:errorlint // an end that is not expected is another one, and wraps nothing
					c.broken = err
				}
				return nil, true
			}
		}
		if end := bytes.LastIndexByte(c.text[searched:], '\n'); end >= 0 {
			end += searched + 1
			next = append(rest[:0], c.text[end:]...)
			c.text = c.text[:end]
			return next, false
		}
		if searched = len(c.text); searched > maxLine {
			return nil, true // decode says that it is too long
		}
	}
}

// decode decodes the lines of a chunk up to the first that is no event.
func (w *worker) decode(c *chunk) {
	symbols, names := max(1, len(w.symbols.texts)), max(1, len(w.names.texts))
	w.texts, w.extras = c.texts, c.extras
	c.worker, c.cutAt, c.indexed[0].at, c.indexed[1].at = w, -1, -1, -1
	var event raw
	for rest := c.text; len(rest) > 0 && c.err == nil; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if blank := c.decodeLine(line, whole, &event); blank {
			break
		}
		if c.err == nil {
			var rec record
			if rec, c.err = w.build(&event); c.err == nil {
				c.note(&event, len(c.records))
				c.records = append(c.records, rec)
			}
		}
	}
	c.lines = len(c.records)
	c.texts, c.extras = w.texts, w.extras
	c.symbols, c.names = w.symbols.since(symbols), w.names.since(names)
}

// decodeLine decodes one line, or sets the chunk's error. It reports true of blanks behind the last line.
func (c *chunk) decodeLine(line []byte, whole bool, event *raw) (blank bool) {
	if len(line) > maxLine {
		c.err = fmt.Errorf("%w: the line is longer than %d bytes", errLine, maxLine)
		return false
	}
	switch {
	case decodeOwn(line, event):
	case len(bytes.TrimSpace(line)) > 0:
		if c.err = decodeAny(line, event); c.err != nil && !whole && isCut(line) {
			c.cutAt = len(c.records)
		}
	case whole:
		c.err = fmt.Errorf("%w: the line is empty", errLine)
	default:
		return true
	}
	return false
}

// isCut reports whether a line is the beginning of a JSON object, and not all of it.
func isCut(line []byte) bool {
	var object json.RawMessage
	line = bytes.TrimLeft(line, " \t\r")
	return line[0] == '{' && errors.Is(json.NewDecoder(bytes.NewReader(line)).Decode(&object), io.ErrUnexpectedEOF)
}

// note takes a look at the index that a line says it has.
func (c *chunk) note(r *raw, at int) {
	if r.has&fieldIndex == 0 {
		return
	}
	switch first := &c.indexed[0]; {
	case first.at < 0:
		first.at, first.index = at, int(r.index)
	case int(r.index)-at != first.index-first.at && c.indexed[1].at < 0:
		c.indexed[1].at, c.indexed[1].index = at, int(r.index)
	}
}
