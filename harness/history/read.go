package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// maxLine bounds one line: what a target says is data, and data is bounded.
const maxLine = 16 << 20

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
func Read(r io.Reader, name string) (h *History, warning string, err error) {
	br := bufio.NewReaderSize(r, 1<<20)
	if magic, _ := br.Peek(len(zstdMagic)); Compressed(magic) {
		z, err := zstd.NewReader(br)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		br = bufio.NewReaderSize(z, 1<<20)
	}
	h = &History{}
	var event raw
	var long []byte
	for line := 1; ; line++ {
		text, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long, err = readLong(br, append(long[:0], text...))
			text = long
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, "", fmt.Errorf("%s:%d: %w", name, line, err)
		}
		whole := err == nil
		if whole {
			text = text[:len(text)-1]
		}
		if len(bytes.TrimSpace(text)) == 0 {
			if !whole {
				return h, warning, nil
			}
			return nil, "", fmt.Errorf("%s:%d: %w: the line is empty", name, line, errLine)
		}
		err = decode(text, &event)
		if err == nil && event.has&fieldIndex != 0 && int(event.index) != h.n {
			err = fmt.Errorf("%w: index %d where %d is due: lines are missing or out of order", errLine, event.index, h.n)
		}
		if err == nil {
			err = h.append(&event)
		}
		switch {
		case err != nil && !whole:
			return h, fmt.Sprintf("%s:%d: the last line is cut off and was dropped", name, line), nil
		case err != nil:
			return nil, "", fmt.Errorf("%s:%d: %w", name, line, err)
		case !whole:
			return h, warning, nil
		}
	}
}

// readLong goes on with a line that did not fit the buffer.
func readLong(br *bufio.Reader, line []byte) ([]byte, error) {
	for {
		more, err := br.ReadSlice('\n')
		line = append(line, more...)
		switch {
		case len(line) > maxLine:
			return nil, fmt.Errorf("%w: the line is longer than %d bytes", errLine, maxLine)
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}
