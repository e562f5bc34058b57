package redis

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sunder-dev/sunder/harness"
)

// Member is one member, as its flags describe it: a server and a sentinel.
type Member struct {
	server, sentinel, servers, dir string
}

// Options declares the flags of a member.
func Options(f *flag.FlagSet) *Member {
	m := &Member{}
	f.StringVar(&m.server, "server", "", "where the server listens, host:port")
	f.StringVar(&m.sentinel, "sentinel", "", "where the sentinel listens, host:port")
	f.StringVar(&m.servers, "servers", "", "all servers, host:port,host:port,...; the first is the primary at first")
	f.StringVar(&m.dir, "dir", "", "data directory")
	return m
}

// Serve runs a member until ctx ends, or the controller that started it, or one of the two does. More are flags for the
// server.
func (m *Member) Serve(ctx context.Context, more []string, out io.Writer) error {
	if err := m.configure(); err != nil {
		return err
	}
	ctx, err := harness.Watchdog(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, command := range [][]string{
		append([]string{serverProgram, m.file("server")}, more...), {sentinelProgram, m.file("sentinel")},
	} {
		group.Go(func() error {
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Stdout, cmd.Stderr = out, out
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w", command[0], err)
			}
			return fmt.Errorf("%s ended", command[0])
		})
	}
	return group.Wait()
}

func (m *Member) file(of string) string { return filepath.Join(m.dir, of+".conf") }

// configure writes the files that server and sentinel read, and later write what they learned to: at the first start
// alone.
func (m *Member) configure() error {
	host, port, err := net.SplitHostPort(m.server)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	servers := strings.Split(m.servers, ",")
	primaryHost, primaryPort, err := net.SplitHostPort(servers[0])
	if err != nil {
		return fmt.Errorf("--servers: %w", err)
	}
	server := fmt.Sprintf(`bind %s
port %s
dir %s
protected-mode no
save ""
appendonly yes
repl-diskless-sync yes
repl-diskless-sync-delay 0
`, host, port, m.dir)
	if m.server != servers[0] {
		server += fmt.Sprintf("replicaof %s %s\n", primaryHost, primaryPort)
	}
	host, port, err = net.SplitHostPort(m.sentinel)
	if err != nil {
		return fmt.Errorf("--sentinel: %w", err)
	}
	sentinel := fmt.Sprintf(`bind %s
port %s
dir %s
protected-mode no
sentinel monitor %s %s %s %d
sentinel down-after-milliseconds %[4]s %[8]d
sentinel failover-timeout %[4]s %[9]d
sentinel parallel-syncs %[4]s 1
`, host, port, m.dir, primaryName, primaryHost, primaryPort, len(servers)/2+1, downAfter.Milliseconds(), failoverTimeout.Milliseconds())
	return errors.Join(once(m.file("server"), server), once(m.file("sentinel"), sentinel))
}

// once writes a file that is not there.
func once(path, text string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
