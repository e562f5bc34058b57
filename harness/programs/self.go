package programs

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// Self returns a static Linux program of sunder: the one that runs, if it is static, and otherwise
// one that is built from the source in the current directory, whatever its state, or from the module
// proxy if it was installed from there. Digest names its content.
func Self(ctx context.Context, arch, dir string, progress io.Writer) (program, digest string, err error) {
	program, err = os.Executable()
	if err != nil {
		return "", "", err
	}
	if info, ok := debug.ReadBuildInfo(); !ok || info.Path != command || !runsInScratch(program, arch) {
		if program, err = buildSelf(ctx, arch, dir, progress); err != nil {
			return "", "", fmt.Errorf("nodes in containers need a static sunder, and this one is not: %w", err)
		}
	}
	f, err := os.Open(program)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", "", err
	}
	return program, hex.EncodeToString(h.Sum(nil))[:12], nil
}

// runsInScratch reports whether a program runs in an image that has nothing else: a Linux program
// that asks for no interpreter, which is how a dynamic one finds its libraries.
func runsInScratch(program, arch string) bool {
	f, err := elf.Open(program)
	if err != nil || runtime.GOOS != "linux" || runtime.GOARCH != arch {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}

const command = "github.com/sunder-dev/sunder/cmd/sunder"

func buildSelf(ctx context.Context, arch, dir string, progress io.Writer) (program string, err error) {
	program = filepath.Join(dir, "sunder")
	here, findErr := exec.CommandContext(ctx, "go", "list", "-f", "{{.Module.Path}}", command).Output()
	if findErr == nil && strings.HasPrefix(command, strings.TrimSpace(string(here))) {
		return program, goBuild(ctx, ".", arch, program, progress, command)
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") &&
		!strings.Contains(info.Main.Version, "+dirty") {
		return Build(ctx, Recipe{
			Name: "sunder", Version: info.Main.Version, Module: strings.TrimSuffix(command, "/cmd/sunder"), Package: command,
		}, arch, dir, progress)
	}
	return "", fmt.Errorf(
		"build it with CGO_ENABLED=0 go build %s, and run that; or run this one in sunder's source tree, where it can "+
			"build itself",
		command,
	)
}
