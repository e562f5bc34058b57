package zookeeper

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// Server is one server, as its flags describe it.
type Server struct {
	id                   int
	servers, client, dir string
}

// Options declares the flags of a server.
func Options(f *flag.FlagSet) *Server {
	s := &Server{}
	f.IntVar(&s.id, "id", 0, "this server: 1, 2, ...")
	f.StringVar(&s.servers, "servers", "", "all servers, ID=HOST:PORT:PORT,...: the ports of peers, and of elections")
	f.StringVar(&s.client, "client", "", "where to listen for clients, host:port")
	f.StringVar(&s.dir, "dir", "", "data directory")
	return s
}

// check says what is wrong with the flags, or with lines for zoo.cfg.
func (s *Server) check(more []string) error {
	if _, _, err := net.SplitHostPort(s.client); err != nil {
		return fmt.Errorf("--client: %w", err)
	}
	if s.dir == "" {
		return errors.New("--dir: it needs a data directory")
	}
	known := false
	for one := range strings.SplitSeq(s.servers, ",") {
		id, _, ok := strings.Cut(one, "=")
		if !ok {
			return fmt.Errorf("--servers: %q is not of the form 1=host:port:port", one)
		}
		known = known || id == strconv.Itoa(s.id)
	}
	if !known {
		return fmt.Errorf("--id: %d is none of --servers", s.id)
	}
	for _, line := range more {
		if name, _, ok := strings.Cut(line, "="); !ok || name == "" || strings.ContainsAny(line, "\n\r") {
			return fmt.Errorf("%q is not of the form NAME=VALUE, as lines of zoo.cfg are", line)
		}
	}
	return nil
}

// program is how servers are started on this machine.
type program struct {
	java, classPath string
}

// debian is where Debian's package has what servers need; the first one names the others but for the log.
var debian = []string{"/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"}

// homeEnv names where ZooKeeper's own archive was unpacked.
const homeEnv = "ZOOKEEPER_HOME"

// isHome reports whether ZooKeeper's own archive was unpacked there.
func isHome(dir string) bool {
	jars, _ := filepath.Glob(filepath.Join(dir, "lib", "zookeeper-*.jar")) // the pattern is right
	return len(jars) > 0
}

func inHome(java, home string) program {
	config := cmp.Or(os.Getenv("ZOOCFGDIR"), filepath.Join(home, "conf")) // how it logs
	return program{java, config + ":" + filepath.Join(home, "lib", "*")}
}

// find looks for what servers need. Its error says how to install it.
func find() (program, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return program{}, errors.New("java is not on PATH; on Debian and Ubuntu: apt-get install zookeeper")
	}
	if home := os.Getenv(homeEnv); home != "" {
		if !isHome(home) {
			return program{}, fmt.Errorf("%s=%s: there is no lib/zookeeper-*.jar", homeEnv, home)
		}
		return inHome(java, home), nil
	}
	if script, err := exec.LookPath("zkServer.sh"); err == nil { // as in the official image
		if home := filepath.Dir(filepath.Dir(script)); isHome(home) {
			return inHome(java, home), nil
		}
	}
	for _, jar := range debian {
		if _, err := os.Stat(jar); err != nil {
			return program{}, errors.New("ZooKeeper is not installed; on Debian and Ubuntu: apt-get install zookeeper; " +
				"elsewhere, unpack its archive, and set ZOOKEEPER_HOME to where that is")
		}
	}
	return program{java, strings.Join(debian, ":")}, nil
}

// files are what a server is made of: the class path, what its archives name in turn, and all that java comes with.
func (p program) files() ([]string, error) {
	java, err := filepath.EvalSymlinks(p.java)
	if err != nil {
		return nil, err
	}
	home := filepath.Dir(filepath.Dir(java)) // …/bin/java
	if _, err := os.Stat(filepath.Join(home, "lib", "modules")); err != nil {
		return nil, fmt.Errorf("%s is no program of Java itself, so that it is not known what it needs: %w", java, err)
	}
	files := []string{p.java, home}
	for entry := range strings.SplitSeq(p.classPath, ":") {
		if strings.HasSuffix(entry, "*") || !strings.HasSuffix(entry, ".jar") {
			files = append(files, strings.TrimSuffix(entry, "/*"))
			continue
		}
		more, err := named(entry)
		if err != nil {
			return nil, err
		}
		files = append(append(files, entry), more...)
	}
	return files, nil
}

// named returns the archives that an archive names in its manifest (Class-Path) and that are there, as it names more
// than servers need.
func named(jar string) (files []string, err error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", jar, err)
	}
	defer z.Close()
	f, err := z.Open("META-INF/MANIFEST.MF")
	if err != nil {
		return nil, nil //nolint:nilerr // it names none
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", jar, err)
	}
	whole := strings.NewReplacer("\r\n ", "", "\n ", "").Replace(string(text)) // lines are folded
	for line := range strings.Lines(whole) {
		list, ok := strings.CutPrefix(strings.TrimSpace(line), "Class-Path:")
		if !ok {
			continue
		}
		for _, name := range strings.Fields(list) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(jar), name)
			}
			if _, err := os.Stat(name); err == nil {
				files = append(files, name)
			}
		}
	}
	return files, nil
}

// Serve runs a server until ctx ends, or the controller that started it, or the server does. More are lines for
// zoo.cfg.
func (s *Server) Serve(ctx context.Context, more []string, out io.Writer) error {
	p, err := find()
	if err != nil {
		return err
	}
	config := filepath.Join(s.dir, "zoo.cfg")
	if err := errors.Join(
		os.MkdirAll(s.dir, 0o700),
		os.WriteFile(config, []byte(s.config(more)), 0o600),
		os.WriteFile(filepath.Join(s.dir, "myid"), []byte(strconv.Itoa(s.id)), 0o600),
	); err != nil {
		return err
	}
	ctx, err = harness.Watchdog(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.java,
		// A member holds little, and starts often: what makes it start fast is worth more than what makes it run fast.
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Djava.net.preferIPv4Stack=true", "-Dorg.slf4j.simpleLogger.logFile=System.out",
		"-cp", p.classPath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("java: %w", err)
	}
	return errors.New("the server ended")
}

// config returns the server's zoo.cfg. Names that it does not know, it takes for system properties of its own.
func (s *Server) config(more []string) string {
	host, port, _ := net.SplitHostPort(s.client) // it was checked
	lines := []string{
		"dataDir=" + s.dir,
		"clientPortAddress=" + host,
		"clientPort=" + port,
		fmt.Sprintf("tickTime=%d", tick.Milliseconds()),
		"initLimit=20",
		fmt.Sprintf("syncLimit=%d", syncLimit),
		"maxSessionTimeout=60000",
		"maxClientCnxns=0", // they all come from one address
		"admin.enableServer=false",
		"4lw.commands.whitelist=srvr",
		// Without these, an election among servers that were cut off takes up to a minute.
		"fastleader.maxNotificationInterval=1000",
		"cnxTimeout=500",
		"preAllocSize=1024", // KiB of a log, at a time
	}
	lines = append(lines, more...)
	for one := range strings.SplitSeq(s.servers, ",") {
		lines = append(lines, "server."+one)
	}
	return strings.Join(lines, "\n") + "\n"
}
