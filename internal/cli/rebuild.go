package cli

// This file has larder check --rebuild: what can be known of files that no record knows, by their content alone.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/config"
	"larder/internal/rebuild"
	"larder/store"
)

// rebuild reports on the files without a record, and with export copies those that are known.
func (a *app) rebuild(ctx context.Context, s settings, asJSON bool, export string) error {
	cfg, err := a.load(s)
	if err != nil {
		return err
	}
	wanted, err := a.unrecorded(ctx, cfg)
	if err != nil {
		return err
	}
	found, err := rebuild.Identify(ctx, cfg.Data, func(f store.Found) bool { return wanted(f.Digest) })
	if err == nil && export != "" {
		err = exportFound(cfg.Data, export, found)
	}
	if err != nil {
		return fmt.Errorf("cannot look at the files: %w", err)
	}
	if asJSON {
		return a.printJSON(found)
	}
	return a.sayFound(found)
}

// unrecorded selects the files that no record knows; all files when the database cannot be used.
func (a *app) unrecorded(ctx context.Context, cfg config.Config) (func(digest.Digest) bool, error) {
	c, err := a.openAdmin(ctx, cfg, false)
	var unusable *unusableError
	if errors.As(err, &unusable) {
		a.complain(err.Error())
		return func(digest.Digest) bool { return true }, nil
	}
	if err != nil {
		return nil, err
	}
	var list []digest.Digest
	err = c.stream(ctx, "check", map[string]bool{"unrecorded": true}, &list, func(int64, int64) {})
	if err = errors.Join(err, c.close()); err != nil {
		return nil, err
	}
	set := make(map[digest.Digest]bool, len(list))
	for _, d := range list {
		set[d] = true
	}
	return func(d digest.Digest) bool { return set[d] }, nil
}

// unusableError is a data folder whose database cannot be used.
type unusableError struct{ text string }

func (e *unusableError) Error() string { return e.text }

func (a *app) sayFound(found []store.Found) error {
	var rows [][]string
	known := 0
	for _, f := range found {
		if f.Confidence != store.Unknown {
			known++
		}
		rows = append(
			rows, []string{string(f.Kind), f.Name, f.Version, f.File, f.Confidence, bytesText(f.Size), string(f.Digest)},
		)
	}
	if err := a.table([]string{"KIND", "NAME", "VERSION", "FILE", "CONFIDENCE", "SIZE", "DIGEST"}, rows); err != nil {
		return err
	}
	return a.say("%s without a record, %d of them known", plural(int64(len(found)), "file", "files"), known)
}

// exportFound copies the known files to DIR/KIND/NAME/FILE, where clients can publish them from. Files that are there
// already are left as they are.
func exportFound(data, dir string, found []store.Found) error {
	paths := map[digest.Digest]string{}
	err := store.WalkBlobs(context.Background(), data, func(f store.Found, path string) error {
		paths[f.Digest] = path
		return nil
	})
	for _, f := range found {
		if err != nil {
			return err
		}
		if f.Kind == store.OCI || f.File == "" {
			continue // images are more than one file
		}
		err = copyOut(paths[f.Digest], filepath.Join(dir, string(f.Kind), safeName(f.Name)), safeName(f.File))
	}
	return err
}

// safeName is one path element, whatever a file says that it is called.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:`, r) {
			return '_'
		}
		return r
	}, s)
	if strings.Trim(s, ".") == "" {
		return "_"
	}
	return s
}

func copyOut(from, dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
