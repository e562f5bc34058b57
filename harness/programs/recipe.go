// Package programs builds what nodes run, where no registry can be reached:
// servers from the Go module proxy, and sunder itself. It knows no container engine.
package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Recipe says how a server is built from its Go module.
type Recipe struct {
	Name    string // "etcd"
	Version string // "v3.6.16"
	Module  string // "go.etcd.io/etcd/server/v3"
	Package string // of its main function
	// Replace are replacements that the module makes for itself, which do not count for those who
	// depend on it: module -> version of the same module.
	Replace map[string]string
	// Path is where the image has the program.
	Path string
	// Licence says what one must know before giving the result to others; empty if nothing.
	Licence string
}

// Ref is the name of the image that is built by the recipe.
func (r Recipe) Ref() string { return "sunder/" + r.Name + ":" + r.Version }

// Build builds the program, static, for Linux on the given architecture, and returns its path. It
// needs Go and, for what is not in the module cache, the module proxy. What the go command says
// goes to progress. The module is a temporary one: it never touches ours.
func Build(ctx context.Context, r Recipe, arch, dir string, progress io.Writer) (program string, err error) {
	mod, err := r.goMod()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o644); err != nil {
		return "", err
	}
	program = filepath.Join(dir, r.Name)
	if err := goBuild(ctx, dir, arch, program, progress, "-mod=mod", r.Package); err != nil {
		return "", fmt.Errorf("build %s %s: %w", r.Name, r.Version, err)
	}
	return program, nil
}

// Check says whether the version can be one of the module.
func (r Recipe) Check() error {
	err := module.Check(r.Module, r.Version)
	if err == nil && semver.Canonical(r.Version) != r.Version {
		err = errors.New("it is not of the form v1.2.3")
	}
	if err != nil {
		return fmt.Errorf("%s has no version %q: %w", r.Name, r.Version, err)
	}
	return nil
}

// goMod writes a module that has nothing but the server as its tool.
func (r Recipe) goMod() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	var f modfile.File
	err := errors.Join(
		f.AddModuleStmt("sunder.invalid/"+r.Name),
		f.AddGoStmt("1.24"), // the server's own may raise it
		f.AddRequire(r.Module, r.Version),
	)
	for path, version := range r.Replace {
		err = errors.Join(err, f.AddReplace(path, "", path, version))
	}
	if err != nil {
		return nil, err
	}
	return f.Format()
}

// errNoGo says what to do where there is no Go.
var errNoGo = errors.New("the go command is needed to build it, and is not there: install Go from https://go.dev/dl")

// goBuild runs go build in dir. Flags come before the package.
func goBuild(ctx context.Context, dir, arch, out string, progress io.Writer, args ...string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errNoGo
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-v", "-trimpath", "-ldflags=-s -w", "-o",
		out}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOWORK=off", "GOFLAGS=-buildvcs=false")
	var said bytes.Buffer
	cmd.Stderr = io.MultiWriter(&said, progress)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("go build: %w\n%s%s", err, tail(said.String()), advice(said.String()))
	}
	return nil
}

// advice says what helps against what goes wrong most often; docs/containers.md says more.
func advice(said string) string {
	for what, helps := range map[string]string{
		"no space left on device": "the module cache and the build cache need some gigabytes: make room where 'go env " +
			"GOMODCACHE GOCACHE TMPDIR' says, or set them to where there is some",
		"signal: killed": "the compiler was killed, most likely for want of memory: Consul needs about 4 GB; " +
			"GOFLAGS=-p=1 takes less",
		"toolchain not available": "the server wants another Go than the one that is here: install that one, or let Go " +
			"fetch it (GOTOOLCHAIN=auto)",
		"unknown revision": "the module proxy does not have this version: see the server's releases for those " +
			"that there are",
		"404 Not Found": "the module proxy does not have this version: see the server's releases for those " +
			"that there are",
		"dial tcp": "the module proxy cannot be reached: 'go env GOPROXY' says which is asked",
	} {
		if strings.Contains(said, what) {
			return "\n" + helps
		}
	}
	return ""
}

// tail returns the last lines of what a command said.
func tail(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
