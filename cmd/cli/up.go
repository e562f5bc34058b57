package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sunder-dev/sunder/cmd/byhand"
	"github.com/sunder-dev/sunder/harness"
)

// upDefaults are what a cluster that is held up has for flags of a run. Clients call a little all the while, so that
// what is done by hand can be judged.
var upDefaults = map[string]string{
	"nemesis": "none", "profile": profileFixed, "rate": "100", "time-limit": "12h",
}

// byHandNemesis is what the nemesis of a run is called that somebody broke by hand.
const byHandNemesis = "by-hand"

// detachedEnv tells a process that nobody types anything.
const detachedEnv = "SUNDER_UP_DETACHED"

// upLog is where a cluster that is held up in the background says what it has to say, beside the runs.
const upLog = "up.log"

func (a app) newUpCommand() *cobra.Command {
	detach := false
	f := &runFlags{app: a, byHand: true}
	cmd := a.newRun(f)
	cmd.Use, cmd.Short = "up", "Start a cluster, and break it by hand"
	cmd.Long = `Start a cluster and hold it up, to be broken by hand: at the prompt, or by 'sunder do' in another
terminal. Clients call all the while. All that is done is recorded as the faults of a run are:
'down', or the end of the input, heals the cluster, judges what was recorded and writes a report, and
'sunder run --schedule' replays it. What there is to type:

` + byhand.Help
	cmd.Example = `  sunder up
  sunder up --target etcd --nodes 3
  sunder up -d                     # in the background; then:
  sunder do isolate leader for 3s
  sunder do status
  sunder down
  printf 'kill leader for 2s\nwait 5s\n' | sunder up --target ./mydb.yaml`
	for name, value := range upDefaults {
		flag := cmd.Flags().Lookup(name)
		if err := flag.Value.Set(value); err != nil {
			panic(err) // a mistake in the table
		}
		flag.DefValue = value
	}
	cmd.Flags().BoolVarP(&detach, "detach", "d", false,
		"return once the cluster serves, and hold it up in the background")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if detach {
			return f.detach(cmd)
		}
		return f.run(cmd)
	}
	return cmd
}

// terminalInput returns what the user types, for a run inside an enclosure. It is handed on by us: a process that is
// not in the foreground must not read from a terminal.
func terminalInput() *os.File {
	if os.Getenv(detachedEnv) != "" {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return os.Stdin
	}
	read, write, err := os.Pipe()
	if err != nil {
		return os.Stdin
	}
	go func() {
		_, _ = io.Copy(write, os.Stdin)
		write.Close()
	}()
	return read
}

// letHandsAct lets hands act on a test that is about to be run. What it returns is to be called when that is over.
func (f *runFlags) letHandsAct(
	cmd *cobra.Command, out io.Writer, test *harness.Test, fleet harness.FleetOptions,
) (letGo func()) {
	test.Hands = harness.NewHands()
	desk := &byhand.Desk{
		Hands: test.Hands, Families: f.Nemeses, Nodes: harness.NodeNames(test.Nodes), Dir: test.Dir,
	}
	test.Progress = desk.See
	warn := cmd.ErrOrStderr()
	ctx, cancel := context.WithCancel(cmd.Context())
	var serving sync.WaitGroup
	socket, err := byhand.Listen(ctx, test.Dir)
	if err != nil {
		fmt.Fprintf(warn, "warning: 'sunder do' does not reach this cluster: %v\n", err)
	} else {
		serving.Go(func() {
			if err := desk.Serve(ctx, socket); err != nil {
				fmt.Fprintf(warn, "warning: %s: %v\n", byhand.SocketFile, err)
			}
		})
	}
	go func() { // which reads until the process ends, if nobody types anything
		select {
		case <-ctx.Done():
			return
		case <-test.Hands.Ready():
		}
		introduceCluster(out, desk, f, test, fleet)
		if os.Getenv(detachedEnv) == "" {
			prompt(ctx, desk, os.Stdin, out)
		}
	}()
	return func() { cancel(); serving.Wait() }
}

// introduceCluster says what is up, and how it is reached.
func introduceCluster(w io.Writer, desk *byhand.Desk, f *runFlags, test *harness.Test, fleet harness.FleetOptions) {
	s, err := desk.State()
	if err != nil {
		return // it goes down already
	}
	if err := desk.Do(context.Background(), "status", w); err != nil {
		return
	}
	var clients []string
	for _, n := range s.Nodes {
		clients = append(clients, n.Client)
	}
	name, _, _ := strings.Cut(test.About.Target, "@")
	shell := f.Targets[name].Shell
	door := ""
	if d, ok := fleet.(harness.Doored); ok {
		door = d.Door() + " "
	}
	switch {
	case shell != nil:
		fmt.Fprintf(w, "its own client, from another terminal:\n  %s%s\n", door, shell(clients))
	case door != "":
		fmt.Fprintf(w, "its own client, from another terminal:\n  %s…\n", door)
	}
	fmt.Fprintf(w, "%s%s; 'help' shows what can be typed here, or given to 'sunder do'\n", upMark, test.Dir)
}

// upMark begins the line that says that a cluster is up, and where.
const upMark = "up: "

// prompt carries out what is typed until it ends, and then lets the cluster go down.
func prompt(ctx context.Context, desk *byhand.Desk, in io.Reader, out io.Writer) {
	file, ok := out.(*os.File)
	asks := ok && term.IsTerminal(int(file.Fd()))
	ask := func() {
		if asks {
			fmt.Fprint(out, "sunder> ")
		}
	}
	ask()
	for lines := bufio.NewScanner(in); lines.Scan(); ask() {
		err := desk.Do(ctx, lines.Text(), out)
		switch {
		case errors.Is(err, byhand.ErrDown), errors.Is(err, harness.ErrIdleHands):
			fmt.Fprintln(out, err)
			return
		case err != nil:
			fmt.Fprintln(out, err)
		}
	}
	_ = desk.Do(ctx, "down", out) // it may go down already
}

// interruptPatience is how long a cluster that was interrupted may take to be healed and judged.
const interruptPatience = 3 * time.Minute

// ofGoRun is where 'go run' builds a program, which it removes when the program ends.
var ofGoRun = regexp.MustCompile(`/go-build\d+/.*/exe/`)

// detach starts the same in the background, and returns once it serves.
func (f *runFlags) detach(cmd *cobra.Command) error {
	if _, err := f.plan(cmd.Flags()); err != nil { // what is wrong is said here
		return usage(cmd, err)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if ofGoRun.MatchString(filepath.ToSlash(program)) {
		return usage(cmd, errors.New(
			"--detach: 'go run' removes this program when it ends; build it first: make build"))
	}
	if err := os.MkdirAll(f.out, 0o755); err != nil {
		return usage(cmd, fmt.Errorf("--out: %w", err))
	}
	path := filepath.Join(f.out, upLog)
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644) // others of this directory may be up
	if err != nil {
		return err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	args := append(slices.Clone(f.args), "--detach=false")
	child := exec.CommandContext(context.WithoutCancel(cmd.Context()), program, args...)
	child.Stdout, child.Stderr = log, log
	child.Env = append(os.Environ(), detachedEnv+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	err = follow(cmd.Context(), path, begin, ended, cmd.OutOrStdout())
	if cmd.Context().Err() != nil { // nobody would know of it
		err = errors.Join(err, child.Process.Signal(os.Interrupt))
		select {
		case how := <-ended:
			err = errors.Join(err, how)
		case <-time.After(interruptPatience):
		}
	}
	return err
}

// follow shows what a process writes to a file until it says that the cluster is up, or ends.
func follow(ctx context.Context, path string, begin int64, ended <-chan error, w io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(begin, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReader(file)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	show := func() (up bool) {
		for {
			line, err := lines.ReadString('\n') // the process writes lines at once
			fmt.Fprint(w, line)
			if err != nil || strings.HasPrefix(line, upMark) {
				return err == nil
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			show()
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return exitCode(exit.ExitCode())
			}
			return errors.Join(errors.New("it ended before the cluster was up"), err)
		case <-tick.C:
			if show() {
				return nil
			}
		}
	}
}
