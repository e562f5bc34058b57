//go:build unix

package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lease is a locked file that says that a run is alive. The lock ends with the process that holds it,
// however it dies, so it tells a live run's containers from a dead one's.
type lease struct{ file *os.File }

// takeLease makes the file of a run and locks it.
func takeLease(run string) (*lease, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "sunder", "runs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, run), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return &lease{f}, nil
}

func (l *lease) path() string { return l.file.Name() }

// release ends the lease and forgets it.
func (l *lease) release() error { return errors.Join(os.Remove(l.file.Name()), l.file.Close()) }

// leaseEnded reports whether nobody holds the lease of a run any more. An error means that one cannot
// tell.
func leaseEnded(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("lock %s: %w", path, err)
	}
	return true, nil
}
