package zookeeper

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfig(t *testing.T) {
	s := &Server{id: 2, servers: "1=10.0.0.1:7001:7002,2=10.0.0.2:7001:7002", client: "10.0.0.2:7003", dir: "/data"}
	require.NoError(t, s.check([]string{"snapCount=500"}))
	require.Equal(t, `dataDir=/data
clientPortAddress=10.0.0.2
clientPort=7003
tickTime=500
initLimit=20
syncLimit=4
maxSessionTimeout=60000
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=srvr
fastleader.maxNotificationInterval=1000
cnxTimeout=500
preAllocSize=1024
snapCount=500
server.1=10.0.0.1:7001:7002
server.2=10.0.0.2:7001:7002
`, s.config([]string{"snapCount=500"}))
}

func TestWrongFlagsOfAServer(t *testing.T) {
	for want, args := range map[string][]string{
		"--client":         {"--id", "1", "--servers", "1=h:1:2"},
		"--servers":        {"--id", "1", "--servers", "h:1:2", "--client", "h:3"},
		"none of":          {"--id", "2", "--servers", "1=h:1:2", "--client", "h:3"},
		"lines of zoo.cfg": {"--id", "1", "--servers", "1=h:1:2", "--client", "h:3", "--", "snapCount"},
	} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		read := Entry().Role.New(flags)
		require.NoError(t, flags.Parse(args))
		_, err := read(flags.Args())
		require.ErrorContains(t, err, want)
	}
}

func TestMissing(t *testing.T) {
	bin, home := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("ZOOKEEPER_HOME", home)
	_, err := Entry().Files()
	require.ErrorContains(t, err, "java is not on PATH; on Debian and Ubuntu: apt-get install zookeeper")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "java"), []byte("#!/bin/sh\n"), 0o700))
	_, err = Entry().Files()
	require.ErrorContains(t, err, "there is no lib/zookeeper-*.jar")
	require.NoError(t, os.Mkdir(filepath.Join(home, "lib"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, "lib", "zookeeper-3.9.2.jar"), nil, 0o600))
	found, err := find()
	require.NoError(t, err)
	require.Equal(t, program{filepath.Join(bin, "java"), home + "/conf:" + home + "/lib/*"}, found)
}

// A server that ends is an error, also if it ends as if all were well.
func TestAServerThatEnds(t *testing.T) {
	bin, home := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("ZOOKEEPER_HOME", home)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "java"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(home, "lib"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, "lib", "zookeeper-3.9.2.jar"), nil, 0o600))
	s := &Server{id: 1, servers: "1=127.0.0.1:1:2", client: "127.0.0.1:3", dir: t.TempDir()}
	require.ErrorContains(t, s.Serve(t.Context(), nil, io.Discard), "the server ended")
	id, err := os.ReadFile(filepath.Join(s.dir, "myid"))
	require.NoError(t, err)
	require.Equal(t, "1", string(id))
}
