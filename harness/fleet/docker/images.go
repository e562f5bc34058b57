package docker

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"github.com/sunder-dev/sunder/harness/programs"
)

// Image is an image that sunder built.
type Image struct {
	Ref     string
	Made    time.Time
	Bytes   int64
	Version string // what is in it, in words
}

// labelImage marks images that sunder built; its value says what is in them.
const labelImage = "sunder.image"

// Images lists the images that sunder built, by name.
func (e *Engine) Images(ctx context.Context) ([]Image, error) {
	list, err := e.client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelImage))})
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, i := range list {
		for _, ref := range i.RepoTags {
			images = append(images, Image{Ref: ref, Made: time.Unix(i.Created, 0), Bytes: i.Size, Version: i.Labels[labelImage]})
		}
	}
	slices.SortFunc(images, func(a, b Image) int { return cmp.Compare(a.Ref, b.Ref) })
	return images, nil
}

// HasImage reports whether the engine has an image, and its id.
func (e *Engine) HasImage(ctx context.Context, ref string) (id string, ok bool, err error) {
	i, err := e.client.ImageInspect(ctx, ref)
	if cerrdefs.IsNotFound(err) {
		return "", false, nil
	}
	return i.ID, err == nil, err
}

// Pull gets an image from its registry. The function progress is told, now and then, what goes on.
func (e *Engine) Pull(ctx context.Context, ref string, progress func(string)) error {
	stream, err := e.client.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return fmt.Errorf("pull %s: %w", ref, err)
	}
	defer stream.Close()
	if err := readProgress(stream, progress); err != nil {
		return fmt.Errorf("pull %s: %w", ref, err)
	}
	return nil
}

// readProgress reads what an engine says while it works; errors are part of it.
func readProgress(stream io.Reader, progress func(string)) error {
	for d := json.NewDecoder(stream); ; {
		var m struct{ Status, ID, Progress, Error string }
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.Error != "":
			return errors.New(m.Error)
		}
		progress(strings.TrimSpace(m.ID + " " + m.Status + " " + m.Progress))
	}
}

// Import makes an image of nothing but one static program.
func (e *Engine) Import(ctx context.Context, ref, program, at, version string) error {
	return e.importLayer(ctx, ref, version, []string{fmt.Sprintf("ENTRYPOINT [%q]", at)},
		func(w io.Writer) error { return writeLayer(w, program, at) })
}

// importLayer makes an image of one layer.
func (e *Engine) importLayer(
	ctx context.Context, ref, about string, changes []string, write func(io.Writer) error,
) error {
	layer, pipe := io.Pipe()
	go func() { pipe.CloseWithError(write(pipe)) }()
	defer layer.Close()
	answer, err := e.client.ImageImport(ctx, image.ImportSource{Source: layer, SourceName: "-"}, ref, image.ImportOptions{
		Message:  "made by sunder",
		Changes:  append(changes, fmt.Sprintf("LABEL %s=%q", labelImage, about)),
		Platform: "linux/" + e.Arch(),
	})
	if err != nil {
		return fmt.Errorf("make image %s: %w", ref, err)
	}
	defer answer.Close()
	if err := readProgress(answer, func(string) {}); err != nil {
		return fmt.Errorf("make image %s: %w", ref, err)
	}
	if _, ok, err := e.HasImage(ctx, ref); err != nil || !ok {
		return errors.Join(fmt.Errorf("the engine took image %s and does not have it", ref), err)
	}
	return nil
}

// ownImages is the name of images of sunder itself, without the tag, which says what is in them.
const ownImages = "sunder/sunder:"

// CleanImages removes images of sunder itself that neither this program nor a container uses any more, as each build of
// sunder has one of its own, and those of programs of this machine that no other is made from. It returns their names.
func (e *Engine) CleanImages(ctx context.Context) (removed []string, err error) {
	_, digest, done, err := e.self(ctx)
	if err != nil {
		return nil, fmt.Errorf("which of the images of sunder is of this program cannot be told, so that all stay: %w", err)
	}
	done()
	list, err := e.Images(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	slices.SortStableFunc(list, func(a, b Image) int { // what others are made from comes last
		return cmp.Compare(rank(a.Ref), rank(b.Ref))
	})
	for _, i := range list {
		switch kind := rank(i.Ref); {
		case kind == notOwn || strings.HasPrefix(i.Ref, ownImages+digest):
			continue
		case kind == ofFiles && time.Since(i.Made) < fresh: // another one may be about to be made from it
			continue
		}
		// Without force, one that a container uses stays.
		switch _, err := e.client.ImageRemove(ctx, i.Ref, image.RemoveOptions{}); {
		case err == nil:
			removed = append(removed, i.Ref)
		case !cerrdefs.IsConflict(err) && !cerrdefs.IsNotFound(err):
			errs = append(errs, fmt.Errorf("image %s: %w", i.Ref, err))
		}
	}
	return removed, errors.Join(errs...)
}

// self returns this very sunder as a program for the engine's containers, and a name of its content, until done.
func (e *Engine) self(ctx context.Context) (program, digest string, done func(), err error) {
	dir, err := os.MkdirTemp("", "sunder-*")
	if err != nil {
		return "", "", nil, err
	}
	done = func() { _ = os.RemoveAll(dir) } // what stays, the system removes
	if program, digest, err = programs.Self(ctx, e.Arch(), dir, io.Discard); err != nil {
		done()
	}
	return program, digest, done, err
}

// The kinds of images that sunder makes of itself and of programs of this machine, in the order in which they can be
// removed.
const (
	ofSelf = iota
	ofFiles
	notOwn
)

// fresh is how long nobody else may know what an image is for.
const fresh = time.Hour

func rank(ref string) int {
	switch {
	case strings.HasPrefix(ref, ownImages):
		return ofSelf
	case strings.HasPrefix(ref, filesImages):
		return ofFiles
	}
	return notOwn
}

// OwnImage returns the image of this very sunder, for agents and for nodes of the built-in Raft. If it is not
// there it is made, and say is told.
func (e *Engine) OwnImage(ctx context.Context, version string, say io.Writer) (ref string, err error) {
	program, digest, done, err := e.self(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	ref = ownImages + digest
	if _, ok, err := e.HasImage(ctx, ref); ok || err != nil {
		return ref, err
	}
	fmt.Fprintf(say, "making image %s of this program\n", ref)
	return ref, e.Import(ctx, ref, program, AgentProgram, "sunder "+version)
}

// writeLayer writes the only layer of an image: the program and the directories that lead to it.
func writeLayer(w io.Writer, program, at string) error {
	f, err := os.Open(program)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	dirs := []string{strings.TrimPrefix(containerData, "/"), "tmp"}
	for d := path.Dir(at); d != "/"; d = path.Dir(d) {
		dirs = append(dirs, strings.TrimPrefix(d, "/"))
	}
	slices.Sort(dirs)
	for _, d := range dirs {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d + "/", Mode: 0o755}); err != nil {
			return err
		}
	}
	if err := t.WriteHeader(
		&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(at, "/"), Mode: 0o755, Size: info.Size()},
	); err != nil {
		return err
	}
	if _, err := io.Copy(t, f); err != nil {
		return err
	}
	return t.Close()
}
