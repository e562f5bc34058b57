package programs

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Closure returns all that paths of this machine need to work where nothing else is: files, what is in directories,
// what links lead to, and the libraries that programs name (ELF, DT_NEEDED), with what loads them. The paths are
// absolute and sorted, so that directories come before what is in them; links are among them as links.
func Closure(paths []string) ([]string, error) {
	c := closure{seen: make(map[string]bool)}
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			return nil, fmt.Errorf("%s is not absolute", p)
		}
		if err := c.add(p, true); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	all := make([]string, 0, len(c.seen))
	for p := range c.seen {
		all = append(all, p)
	}
	slices.Sort(all)
	return all, nil
}

type closure struct{ seen map[string]bool }

// maxLinks is how many links one path may lead through.
const maxLinks = 40

// add adds a path, and all that it needs. What is only found on the way, such as a library in a directory, may lack
// something: nobody knows whether it is used.
func (c *closure) add(p string, needed bool) error {
	resolved, err := c.resolve(p)
	if err != nil || c.seen[resolved] {
		return err
	}
	c.seen[resolved] = true
	info, err := os.Stat(resolved)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(resolved)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := c.add(filepath.Join(resolved, e.Name()), false); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err // a link that leads nowhere is left as it is
			}
		}
		return nil
	}
	return c.libraries(resolved, needed)
}

// resolve adds the links that a path leads through, and returns where it ends.
func (c *closure) resolve(p string) (string, error) {
	for range maxLinks {
		at, rest := "/", strings.Split(strings.Trim(filepath.Clean(p), "/"), "/")
		link := false
		for i, part := range rest {
			at = filepath.Join(at, part)
			target, err := os.Readlink(at)
			if err != nil {
				if _, statErr := os.Lstat(at); statErr != nil {
					return "", statErr
				}
				continue // it is no link
			}
			c.seen[at] = true
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			p, link = filepath.Join(append([]string{target}, rest[i+1:]...)...), true
			break
		}
		if !link {
			return filepath.Clean(p), nil
		}
	}
	return "", errors.New("too many links")
}

// libraryDirs are where libraries are looked for, as the loaders of Debian, Fedora and Alpine do.
func libraryDirs() []string {
	dirs := []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"}
	for _, pattern := range []string{"/lib/*-linux-gnu*", "/usr/lib/*-linux-gnu*", "/usr/local/lib/*-linux-gnu*"} {
		more, _ := filepath.Glob(pattern) // the pattern is right
		dirs = append(more, dirs...)
	}
	return dirs
}

// libraries adds what a program or library is loaded with.
func (c *closure) libraries(p string, needed bool) error {
	f, err := elf.Open(p)
	if err != nil {
		return nil //nolint:nilerr // it is no program
	}
	defer f.Close()
	var dirs []string
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		list, _ := f.DynString(tag) // without one there is none
		for _, d := range list {
			for dir := range strings.SplitSeq(d, ":") {
				dirs = append(dirs, strings.ReplaceAll(dir, "$ORIGIN", filepath.Dir(p)))
			}
		}
	}
	for _, prog := range f.Progs {
		if prog.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, prog.Filesz)
		if _, err := prog.ReadAt(name, 0); err != nil {
			return err
		}
		if err := c.add(strings.TrimRight(string(name), "\x00"), needed); err != nil {
			return fmt.Errorf("interpreter: %w", err)
		}
	}
	names, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	for _, name := range names {
		err := c.library(name, append(dirs, libraryDirs()...), f.Class)
		if err != nil && needed {
			return fmt.Errorf("library %s: %w", name, err)
		}
	}
	return nil
}

func (c *closure) library(name string, dirs []string, class elf.Class) error {
	for _, dir := range dirs {
		f, err := elf.Open(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		_ = f.Close() // it was read
		if f.Class == class {
			return c.add(filepath.Join(dir, name), true)
		}
	}
	return fs.ErrNotExist
}
