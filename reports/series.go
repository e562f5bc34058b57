package reports

import (
	"os"
	"path/filepath"
	"slices"
)

// Series are the runs beside one that did the same, for links. Each has no Dir if there is none.
type Series struct {
	Index                    string // of all runs
	Previous, Next, LastGood Found
}

// maxRead is how many of its neighbours a run looks at, in each direction.
const maxRead = 500

// SeriesOf looks for the neighbours of a run in the directory that it is in. Names begin with the time.
func SeriesOf(dir string, run Summary) (s Series) {
	parent, self := filepath.Dir(filepath.Clean(dir)), filepath.Base(filepath.Clean(dir))
	entries, err := os.ReadDir(parent)
	if err != nil {
		return s // a report is whole without links
	}
	at := slices.IndexFunc(entries, func(e os.DirEntry) bool { return e.Name() == self })
	if at < 0 {
		return s
	}
	if _, err := os.Stat(filepath.Join(parent, IndexFile)); err == nil {
		s.Index = "../" + IndexFile
	}
	suite, _ := ReadSuite(parent) // there may be none
	cell := Found{Summary: run}.Cell()
	same := func(e os.DirEntry) (Found, bool) {
		if !e.IsDir() {
			return Found{}, false
		}
		r, err := readRun(parent, e.Name(), suite)
		return r, err == nil && !r.Dead && r.Cell() == cell
	}
	for _, e := range slices.Backward(entries[max(0, at-maxRead):at]) {
		r, ok := same(e)
		if ok && s.Previous.Dir == "" {
			s.Previous = r
		}
		if ok && r.Status == Passed {
			s.LastGood = r
			break
		}
	}
	for _, e := range entries[at+1 : min(len(entries), at+1+maxRead)] {
		if r, ok := same(e); ok {
			s.Next = r
			break
		}
	}
	return s
}
