//go:build unix

package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// lease is a locked file that says that a run is alive. The lock ends with the process that holds it,
// however it dies, so it tells a live run's containers from a dead one's.
type lease struct {
	run  string
	file *os.File
}

// leaseDir is where this user's leases on this machine are.
func leaseDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "sunder", "runs")
	return dir, os.MkdirAll(dir, 0o755)
}

// leasePlace names the directory of leases in such a way that no other one, on this machine, in another
// container, or of another user, has the same name: a lease that is missing here says something only of
// runs that had theirs here.
func leasePlace() (string, error) {
	dir, err := leaseDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "place")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		host, _ := os.Hostname() // for people; the rest is what tells places apart
		_, err = f.WriteString(host + "-" + rand.Text())
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	place, err := os.ReadFile(path)
	return strings.TrimSpace(string(place)), err
}

// takeLease makes the file of a run and locks it.
func takeLease(run string) (*lease, error) {
	dir, err := leaseDir()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, run), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &lease{run, f}, nil
}

// lock locks a file or fails at once.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// release ends the lease and forgets it.
func (l *lease) release() error { return errors.Join(os.Remove(l.file.Name()), l.file.Close()) }

// runForm is how runs are named in leases. A name comes back from the engine, where anybody could have
// put it, and becomes part of a path.
var runForm = regexp.MustCompile(`^[a-z0-9]{8}$`)

// leaseEnded reports whether nobody holds the lease of a run any more. An error means that one cannot
// tell.
func leaseEnded(run string) (bool, error) {
	if !runForm.MatchString(run) {
		return false, fmt.Errorf("%q is no name of a run", run)
	}
	dir, err := leaseDir()
	if err != nil {
		return false, err
	}
	f, err := os.Open(filepath.Join(dir, run))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = lock(f)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// forgetLease removes the file of a run that was killed.
func forgetLease(run string) {
	if dir, err := leaseDir(); err == nil && runForm.MatchString(run) {
		_ = os.Remove(filepath.Join(dir, run)) // the next one who cleans finds nothing of the run
	}
}

// oneCleaner lets one process at a time clean up, and returns what lets the next one.
func oneCleaner(ctx context.Context) (done func(), err error) {
	dir, err := leaseDir()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "cleaner"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := lock(f)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
