package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/checkers/register"
)

// checkFlags are the flags that say how to check.
type checkFlags struct {
	time   time.Duration
	memory mebibytes
	engine engineFlag
}

func (f *checkFlags) add(flags *pflag.FlagSet) {
	f.engine = engineFlag(checkers.Defaults().Engine)
	flags.DurationVar(&f.time, "check-timeout", checkers.Defaults().Time, "time that a checker may take")
	f.memory = mebibytes(checkers.Defaults().Memory >> 20)
	flags.Var(&f.memory, "check-memory", "memory that a checker may use beside the history, in MiB")
	flags.Var(&f.engine, "engine", "how linear decides: "+engineNames()+"; auto is the fastest that is exact, key by key")
}

// options returns what the flags say; how far a long check is gets written to w.
func (f *checkFlags) options(w io.Writer) checkers.Options {
	return checkers.Options{
		Time:     f.time,
		Memory:   uint64(f.memory) << 20,
		Engine:   register.Engine(f.engine),
		Progress: checkProgress(w),
	}
}

// checkProgress writes a line every few seconds, once a check takes long.
func checkProgress(w io.Writer) func(checker string, done, of int) {
	const interval = 3 * time.Second
	var mu sync.Mutex
	var start time.Time // of the check, which is long after this if there is a run first
	next := interval
	return func(checker string, done, of int) {
		mu.Lock()
		defer mu.Unlock()
		if start.IsZero() {
			start = time.Now()
		}
		if took := time.Since(start); took >= next && done < of {
			fmt.Fprintf(w, "%6.1f s  checking %s: %d of %d keys are decided\n", took.Seconds(), checker, done, of)
			next = took + interval
		}
	}
}

// mebibytes is an amount of memory above 0; it implements [pflag.Value].
type mebibytes uint64

func (m *mebibytes) String() string { return strconv.FormatUint(uint64(*m), 10) }
func (m *mebibytes) Type() string   { return "uint" }

func (m *mebibytes) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 43) // 2^43 MiB are all the bytes that can be counted, twice over
	if err != nil || n == 0 {
		return fmt.Errorf("%q is no number of MiB from 1 on", text)
	}
	*m = mebibytes(n)
	return nil
}

// engineFlag is the name of an engine; it implements [pflag.Value].
type engineFlag register.Engine

func (e *engineFlag) String() string { return string(*e) }
func (e *engineFlag) Type() string   { return "string" }

func (e *engineFlag) Set(name string) error {
	if !slices.Contains(register.Engines(), register.Engine(name)) {
		return fmt.Errorf("no such engine; there are %s", engineNames())
	}
	*e = engineFlag(name)
	return nil
}

func engineNames() string {
	var names []string
	for _, e := range register.Engines() {
		names = append(names, string(e))
	}
	return strings.Join(names, ", ")
}
