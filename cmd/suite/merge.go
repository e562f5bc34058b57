package suite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sunder-dev/sunder"
	"github.com/sunder-dev/sunder/reports"
)

// Part is a directory that a suite, or a part of one, left.
type Part struct {
	dir   string
	suite reports.Suite
	err   error // it cannot be read
}

// ReadParts reads what suites left. That a directory is not there, or given twice, is an error; that a suite was killed
// before it could say anything is not, but an outcome.
func ReadParts(dirs []string) (parts []Part, err error) {
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("%s: %w", dir, errors.Join(err, fs.ErrNotExist))
		}
		p := Part{dir: dir}
		p.suite, p.err = reports.ReadSuite(dir)
		for _, other := range parts {
			switch a, b := p.suite, other.suite; {
			case p.err != nil || other.err != nil || a.Name != b.Name:
			case a.Started.Equal(b.Started) || a.Part > 0 && a.Part == b.Part:
				return nil, fmt.Errorf("%s and %s are the same part of %s", other.dir, dir, a.Name)
			case a.Parts != b.Parts:
				return nil, fmt.Errorf(
					"%s and %s are of %s in %d and in %d parts: their runs overlap",
					other.dir,
					dir,
					a.Name,
					max(b.Parts, 1),
					max(a.Parts, 1),
				)
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// Merge copies run directories, and joins what is said of them.
func Merge(out string, parts []Part) (joined reports.Suite, err error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return joined, err
	}
	var names []string
	missing := make(map[string][]int) // parts of a suite that were not given
	for _, p := range parts {
		if p.err != nil {
			joined.Outcomes = append(
				joined.Outcomes,
				reports.Outcome{
					Name:   p.dir,
					Class:  p.dir,
					Part:   true,
					Status: reports.Broken,
					Why:    "the suite left nothing: " + p.err.Error(),
				},
			)
			continue
		}
		if joined.Started.IsZero() || p.suite.Started.Before(joined.Started) {
			joined.Started = p.suite.Started
		}
		joined.Took = max(joined.Took, p.suite.Took) // shards run side by side
		if !slices.Contains(names, p.suite.Name) {
			names = append(names, p.suite.Name)
			for i := range p.suite.Parts {
				missing[p.suite.Name] = append(missing[p.suite.Name], i+1)
			}
		}
		missing[p.suite.Name] = slices.DeleteFunc(missing[p.suite.Name], func(i int) bool { return i == p.suite.Part })
	}
	for _, name := range names {
		for _, i := range missing[name] {
			joined.Outcomes = append(joined.Outcomes, reports.Outcome{
				Name: fmt.Sprintf("part %d of %s", i, name), Suite: name, Class: fmt.Sprintf("part %d of %s", i, name), Part: true,
				Status: reports.Broken, Why: "it was not given: nothing is known of its runs",
			})
		}
	}
	joined.Name = strings.Join(names, "+")
	for _, p := range parts {
		outcomes, err := copyRuns(out, p)
		joined.Outcomes = append(joined.Outcomes, outcomes...)
		if err != nil { // what can be said is said all the same
			joined.Outcomes = append(
				joined.Outcomes,
				reports.Outcome{
					Name:   p.dir,
					Class:  p.dir,
					Part:   true,
					Status: reports.Broken,
					Why:    "not all of it could be copied: " + err.Error(),
				},
			)
		}
	}
	return joined, nil
}

// copyRuns copies the runs of a part, also those that it does not speak of, and returns its outcomes with their new
// directories.
func copyRuns(out string, p Part) ([]reports.Outcome, error) {
	outcomes := slices.Clone(p.suite.Outcomes)
	entries, err := os.ReadDir(p.dir)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir, makeErr := sunder.MakeDir(filepath.Join(out, e.Name()))
		if makeErr != nil {
			err = errors.Join(err, makeErr)
			continue
		}
		err = errors.Join(err, copyTree(dir, filepath.Join(p.dir, e.Name())))
		for i, o := range p.suite.Outcomes {
			if o.Dir == e.Name() {
				outcomes[i].Dir = filepath.Base(dir)
			}
		}
	}
	return outcomes, err
}

// copyTree copies files, directories and links, and goes on after errors. Pipes and sockets, which a target may have
// left, are no evidence.
func copyTree(to, from string) (failed error) {
	_ = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		if err = errors.Join(err, relErr); err == nil {
			switch target := filepath.Join(to, rel); {
			case d.IsDir():
				err = os.MkdirAll(target, 0o755)
			case d.Type()&fs.ModeSymlink != 0:
				var link string
				if link, err = os.Readlink(path); err == nil {
					err = os.Symlink(link, target)
				}
			case d.Type().IsRegular():
				err = copyFile(target, path)
			}
		}
		failed = errors.Join(failed, err)
		return nil
	})
	return failed
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, in)
	return errors.Join(err, file.Close())
}
