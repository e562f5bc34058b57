package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/docker/docker/api/types/build"

	"github.com/sunder-dev/sunder/harness/programs"
)

// filesImages is the name of images of programs of this machine, without the tag, which says what is in them.
const filesImages = "sunder/files:"

// FilesImage returns the image of nothing but files of this machine, and of what they need. If it is not there it is
// made, and say is told.
func (e *Engine) FilesImage(ctx context.Context, files []string, say io.Writer) (ref string, err error) {
	if err := runsHere(e); err != nil {
		return "", err
	}
	all, err := programs.Closure(files)
	if err != nil {
		return "", fmt.Errorf("programs of this machine: %w", err)
	}
	digest := sha256.New()
	fmt.Fprintln(digest, os.Getenv("PATH"))
	for _, p := range all {
		info, err := os.Lstat(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(digest, "%s %d %d\n", p, info.Size(), info.ModTime().UnixNano())
	}
	ref = filesImages + hex.EncodeToString(digest.Sum(nil))[:12]
	if _, ok, err := e.HasImage(ctx, ref); ok || err != nil {
		return ref, err
	}
	fmt.Fprintf(say, "making image %s of %s, with what they need\n", ref, strings.Join(files, ", "))
	write := func(w io.Writer) error { return writeFiles(w, all) }
	// What is on PATH here is at the same place there.
	return ref, e.importLayer(
		ctx,
		ref,
		"programs of this machine",
		[]string{fmt.Sprintf("ENV PATH=%q", os.Getenv("PATH"))},
		write,
	)
}

// runsHere says why programs of this machine do not run in containers of the engine.
func runsHere(e *Engine) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != e.Arch() {
		return fmt.Errorf(
			"the engine runs programs of linux/%s, and those of this machine are of %s/%s",
			e.Arch(),
			runtime.GOOS,
			runtime.GOARCH,
		)
	}
	return nil
}

// writeFiles writes a layer of files, links and directories, at the places where they are here.
func writeFiles(w io.Writer, all []string) error {
	t := tar.NewWriter(w)
	made := map[string]bool{"/": true}
	var directory func(p string) error
	directory = func(p string) error {
		if made[p] {
			return nil
		}
		made[p] = true
		if err := directory(path.Dir(p)); err != nil {
			return err
		}
		mode := int64(0o755)
		if p == "/tmp" {
			mode = 0o1777
		}
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: p[1:] + "/", Mode: mode})
	}
	for _, d := range []string{containerData, "/tmp"} {
		if err := directory(d); err != nil {
			return err
		}
	}
	for _, p := range all {
		if err := directory(path.Dir(p)); err != nil {
			return err
		}
		if err := writeFile(t, p, directory); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return t.Close()
}

func writeFile(t *tar.Writer, p string, directory func(string) error) error {
	info, err := os.Lstat(p)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return directory(p)
	case info.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(p)
		if err != nil {
			return err
		}
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: p[1:], Linkname: target, Mode: 0o777})
	case !info.Mode().IsRegular():
		return nil
	}
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	header := &tar.Header{Typeflag: tar.TypeReg, Name: p[1:], Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// WithSelf returns an image with this very sunder at [AgentProgram] in it, beside all that is in another image. If it
// is not there it is made, and say is told.
func (e *Engine) WithSelf(ctx context.Context, base string, say io.Writer) (ref string, err error) {
	program, digest, done, err := e.self(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	id, ok, err := e.HasImage(ctx, base)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", fmt.Errorf("image %s is not there", base)
	}
	of := sha256.Sum256([]byte(id))
	ref = ownImages + digest + "-" + hex.EncodeToString(of[:])[:12]
	if _, ok, err := e.HasImage(ctx, ref); ok || err != nil {
		return ref, err
	}
	fmt.Fprintf(say, "making image %s of %s and this program\n", ref, base)
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	var files bytes.Buffer
	t := tar.NewWriter(&files)
	for name, text := range map[string][]byte{
		"Dockerfile": fmt.Appendf(nil, "FROM %s\nCOPY sunder %s\nENTRYPOINT [%q]\nLABEL %s=%q\n",
			base, AgentProgram, AgentProgram, labelImage, "sunder and "+base),
		"sunder": content,
	} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))}
		if err := t.WriteHeader(header); err != nil {
			return "", err
		}
		if _, err := t.Write(text); err != nil {
			return "", err
		}
	}
	if err := t.Close(); err != nil {
		return "", err
	}
	answer, err := e.client.ImageBuild(ctx, &files, build.ImageBuildOptions{
		Tags: []string{ref}, Remove: true, ForceRemove: true,
	})
	if err != nil {
		return "", fmt.Errorf("make image %s: %w", ref, err)
	}
	defer answer.Body.Close()
	if err := readProgress(answer.Body, func(string) {}); err != nil {
		return "", fmt.Errorf("make image %s: %w", ref, err)
	}
	return ref, nil
}
