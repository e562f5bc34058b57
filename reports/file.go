package reports

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// ReplaceFile writes a file so that a reader never sees half of it, and two writers do not write one file.
func ReplaceFile(path string, write func(io.Writer) error) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".next-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(next), next.Chmod(0o644), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
