package zookeeper

import (
	"archive/zip"
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
		"--servers":        {"--id", "1", "--servers", "h:1:2", "--client", "h:3", "--dir", "d"},
		"--dir":            {"--id", "1", "--servers", "1=h:1:2", "--client", "h:3"},
		"none of":          {"--id", "2", "--servers", "1=h:1:2", "--client", "h:3", "--dir", "d"},
		"lines of zoo.cfg": {"--id", "1", "--servers", "1=h:1:2", "--client", "h:3", "--dir", "d", "--", "snapCount"},
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
	_, err = found.files()
	require.ErrorContains(t, err, "is no program of Java itself")

	t.Setenv("ZOOKEEPER_HOME", "")
	t.Setenv("ZOOCFGDIR", "/conf")
	require.NoError(t, os.Mkdir(filepath.Join(home, "bin"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "zkServer.sh"), []byte("#!/bin/sh\n"), 0o700))
	t.Setenv("PATH", bin+":"+filepath.Join(home, "bin"))
	found, err = find()
	require.NoError(t, err)
	require.Equal(t, "/conf:"+home+"/lib/*", found.classPath, "as in the official image")
}

// The archives that an archive names come along, as far as they are there.
func TestFilesOfAClassPath(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.MkdirAll(at("jre/bin"), 0o700))
	require.NoError(t, os.MkdirAll(at("jre/lib"), 0o700))
	for _, name := range []string{"jre/bin/java", "jre/lib/modules", "there.jar"} {
		require.NoError(t, os.WriteFile(at(name), nil, 0o600))
	}
	f, err := os.Create(at("main.jar"))
	require.NoError(t, err)
	z := zip.NewWriter(f)
	w, err := z.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	_, err = io.WriteString(w, "Manifest-Version: 1.0\r\nClass-Path: there.jar "+dir+"/elsewh\r\n ere.jar gone.jar\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	require.NoError(t, os.WriteFile(at("elsewhere.jar"), nil, 0o600))
	p := program{at("jre/bin/java"), at("main.jar") + ":" + at("lib") + "/*"}
	files, err := p.files()
	require.NoError(t, err)
	require.Equal(t, []string{
		at("jre/bin/java"), at("jre"), at("main.jar"), at("there.jar"), at("elsewhere.jar"), at("lib"),
	}, files)
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
