package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Cached returns where the program of a recipe is, or would be, in the cache of this user, and whether it is there.
func Cached(r Recipe, arch string) (path string, there bool, err error) {
	if err := r.Check(); err != nil { // its version becomes part of a path
		return "", false, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", false, fmt.Errorf("where programs are kept: %w; set XDG_CACHE_HOME", err)
	}
	path = filepath.Join(cache, "sunder", "programs", r.Name+"@"+r.Version+"-"+arch, r.Name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return path, false, nil
	case err != nil:
		return "", false, err
	}
	return path, info.Mode().IsRegular(), nil
}

// Program returns the program of a recipe. If it is not in the cache, or is to be made anew, it is built (see [Build]),
// and say is told how that goes. Two that build it at once do not disturb each other.
func Program(ctx context.Context, r Recipe, arch string, anew bool, say io.Writer) (path string, err error) {
	path, there, err := Cached(r, arch)
	if err != nil || there && !anew {
		return path, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "building-*") // on the same file system, so that it can be moved
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	began := time.Now()
	fmt.Fprintf(say, "building %s %s from %s; this takes minutes\n", r.Name, r.Version, r.Module)
	if r.Licence != "" {
		fmt.Fprintf(say, "licence: %s\n", r.Licence)
	}
	progress := newPulse(say, r.Name)
	built, err := Build(ctx, r, arch, dir, progress)
	progress.stop()
	if err != nil {
		return "", err
	}
	if err := os.Rename(built, path); err != nil {
		return "", err
	}
	fmt.Fprintf(say, "%s %s is built (%.0f s): %s\n", r.Name, r.Version, time.Since(began).Seconds(), path)
	return path, nil
}
