package cli

// This file writes the files of clients for larder setup, keeps what was there before, and puts it back.

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"larder/internal/setup"
)

// setupRecord is the file record.json: what was there before --write.
type setupRecord struct {
	// Clients are in the order in which they were written: later ones may have changed what earlier ones wrote.
	Clients []setupEntry `json:"clients"`
	// Folders are those that were made, outer ones first.
	Folders []string `json:"folders"`

	path string
}

// setupEntry has the files that were written for a client.
type setupEntry struct {
	Client string      `json:"client"`
	Files  []savedFile `json:"files"`
}

// savedFile is a file as it was, and the sum of what was written.
type savedFile struct {
	Path    string      `json:"path"`
	Existed bool        `json:"existed"`
	Mode    fs.FileMode `json:"mode"`
	Before  []byte      `json:"before"`
	After   string      `json:"after"`

	text []byte      // what is to be written
	mode fs.FileMode // and its mode
}

// homePath is a file of a home: what stands for its first element, the variable's value or the usual folder.
func (a *app) homePath(name string) (string, error) {
	home, _ := a.getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("HOME names no folder")
	}
	first, rest, _ := strings.Cut(name, "/")
	if first == "~" {
		return a.gemrc(filepath.Join(home, rest), home), nil
	}
	variable := strings.TrimPrefix(first, "$")
	if value, _ := a.getenv(variable); filepath.IsAbs(value) {
		return cargoFile(filepath.Join(value, rest), variable), nil
	}
	usual := map[string]string{
		"XDG_CONFIG_HOME": ".config", "XDG_STATE_HOME": ".local/state", "CARGO_HOME": ".cargo", "DOCKER_CONFIG": ".docker",
		"BUNDLE_USER_HOME": ".bundle", "COMPOSER_HOME": ".composer",
	}[variable]
	folder := filepath.Join(home, usual)
	if variable == "COMPOSER_HOME" && !exists(folder) {
		var err error
		if folder, err = a.homePath("$XDG_CONFIG_HOME/composer"); err != nil {
			return "", err
		}
	}
	return cargoFile(filepath.Join(folder, rest), variable), nil
}

// cargoFile is path, or the file without the ending .toml if there is one: cargo reads that one alone.
func cargoFile(path, variable string) string {
	if other := strings.TrimSuffix(path, ".toml"); variable == "CARGO_HOME" && exists(other) {
		return other
	}
	return path
}

// gemrc is path, or the other place of .gemrc: gem reads that one only if the first does not exist.
func (a *app) gemrc(path, home string) string {
	if filepath.Base(path) != ".gemrc" || exists(path) {
		return path
	}
	if config, _ := a.getenv("XDG_CONFIG_HOME"); filepath.IsAbs(config) {
		home = config
	} else {
		home = filepath.Join(home, ".config")
	}
	if other := filepath.Join(home, "gem", "gemrc"); exists(other) {
		return other
	}
	return path
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func (a *app) writeClient(c setup.Client, s setup.Site, o setupOptions) error {
	choice, err := a.setupChoice(c, o)
	if err != nil {
		return err
	}
	snippets, err := setup.Files(c, s, choice)
	if err != nil {
		return &usageError{err}
	}
	if choice.Authority != "" && !exists(choice.Authority) {
		return fmt.Errorf("there is no file %s for --ca", choice.Authority)
	}
	r, err := a.setupRecord()
	if err != nil {
		return err
	}
	before := r.find(c.ID)
	files, err := a.planFiles(snippets, before, choice.Token != "")
	if err != nil {
		return err
	}
	if before != nil {
		if err := r.undo(c.ID, func(string, string) error { return nil }); err != nil {
			return err
		}
	}
	r.Clients = append(r.Clients, setupEntry{c.ID, files})
	if err := r.write(files); err != nil {
		return err
	}
	for _, f := range files {
		if err := a.say("wrote %s", f.Path); err != nil {
			return err
		}
	}
	return a.say("larder setup %s prints what else there is to do; with --undo it puts back what was there before", c.ID)
}

// planFiles merges the snippets into the files of a home as they are, or as they were before.
func (a *app) planFiles(snippets []setup.Snippet, before *setupEntry, secret bool) (files []savedFile, err error) {
	for _, one := range snippets {
		path, err := a.homePath(one.File)
		if err != nil {
			return nil, err
		}
		if path, err = realPath(path); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(files, func(f savedFile) bool { return f.Path == path })
		if i < 0 {
			f, err := before.base(path)
			if err != nil {
				return nil, err
			}
			i, files = len(files), append(files, f)
			files[i].text, files[i].mode = f.Before, f.Mode
			if secret {
				files[i].mode &= 0o600
			}
		}
		f := &files[i]
		if f.text, err = setup.Merge(one, f.text); err != nil {
			return nil, fmt.Errorf("nothing was written: %s has to be changed by hand: %w", path, err)
		}
		f.After = sum(f.text)
	}
	return files, nil
}

// realPath is where a file is that may be reached through links.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if exists(path) {
		return "", fmt.Errorf("%s is a link that leads to no file", path)
	}
	return path, nil
}

// base is a file as it was before it was first written for a client; e may be nil.
func (e *setupEntry) base(path string) (savedFile, error) {
	if e != nil {
		for _, f := range e.Files {
			if f.Path == path {
				return f, nil
			}
		}
	}
	f := savedFile{Path: path, Mode: 0o644}
	text, info, err := readFile(path)
	if err != nil || info == nil {
		return f, err
	}
	return savedFile{Path: path, Existed: true, Mode: info.Mode().Perm(), Before: text}, nil
}

// readFile reads a file; info is nil if there is none.
func readFile(path string) (text []byte, info fs.FileInfo, err error) {
	if info, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err == nil {
		text, err = os.ReadFile(path)
	}
	return text, info, err
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// setupRecord reads the record; there is none before the first --write.
func (a *app) setupRecord() (*setupRecord, error) {
	path, err := a.homePath("$XDG_STATE_HOME/larder/setup/record.json")
	if err != nil {
		return nil, err
	}
	r := &setupRecord{path: path}
	text, info, err := readFile(path)
	if err == nil && info != nil {
		err = json.Unmarshal(text, r)
	}
	if err != nil {
		return nil, fmt.Errorf("the record of what was there before cannot be read: %w", err)
	}
	return r, nil
}

func (r *setupRecord) find(client string) *setupEntry {
	for i := range r.Clients {
		if r.Clients[i].Client == client {
			return &r.Clients[i]
		}
	}
	return nil
}

// write saves the record, and then writes files: whatever ends it in between, --undo knows what was there.
func (r *setupRecord) write(files []savedFile) error {
	for _, path := range append([]string{r.path}, paths(files)...) {
		if err := r.makeFolder(filepath.Dir(path)); err != nil {
			return errors.Join(err, r.save())
		}
	}
	if err := r.save(); err != nil {
		return err
	}
	for _, f := range files {
		if err := replaceFile(f.Path, f.text, f.mode); err != nil {
			return err
		}
	}
	return nil
}

func paths(files []savedFile) (list []string) {
	for _, f := range files {
		list = append(list, f.Path)
	}
	return list
}

// makeFolder makes a folder and those that it is in, and notes them.
func (r *setupRecord) makeFolder(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := r.makeFolder(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		r.Folders = append(r.Folders, path)
	}
	return err
}

// save writes the record, or removes it when nothing is left in it, and the folders that are not needed any more.
func (r *setupRecord) save() error {
	if len(r.Clients) == 0 {
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return r.removeFolders()
	}
	if err := r.removeFolders(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(r.path, append(text, '\n'), 0o600)
}

// removeFolders removes those that were made, are empty, and hold no file that is to be written.
func (r *setupRecord) removeFolders() error {
	var needed []string
	for _, e := range r.Clients {
		needed = append(needed, paths(e.Files)...)
	}
	if len(r.Clients) > 0 {
		needed = append(needed, r.path)
	}
	var left []string
	for _, folder := range slices.Backward(r.Folders) {
		within := func(path string) bool { return strings.HasPrefix(path, folder+string(filepath.Separator)) }
		inside, err := os.ReadDir(folder)
		switch {
		case slices.ContainsFunc(needed, within), err == nil && len(inside) > 0:
			left = append(left, folder)
		case err == nil:
			if err := os.Remove(folder); err != nil {
				return err
			}
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	slices.Reverse(left)
	r.Folders = left
	return nil
}

// undo puts back the files of a client, all or none, and tells done of each; what a crash has left undone is done.
func (r *setupRecord) undo(client string, done func(verb, path string) error) error {
	e := r.find(client)
	if e == nil {
		return fmt.Errorf("larder setup has written nothing for %s", client)
	}
	for _, f := range e.Files {
		if err := r.check(client, f); err != nil {
			return err
		}
	}
	for _, f := range e.Files {
		verb, err := f.restore()
		if err == nil {
			err = done(verb, f.Path)
		}
		if err != nil {
			return err
		}
	}
	return r.drop(client)
}

// drop forgets what was there before a client was written.
func (r *setupRecord) drop(client string) error {
	r.Clients = slices.DeleteFunc(r.Clients, func(e setupEntry) bool { return e.Client == client })
	return r.save()
}

// check refuses to put back a file that is neither as it was written nor as it was before.
func (r *setupRecord) check(client string, f savedFile) error {
	text, info, err := readFile(f.Path)
	if err != nil {
		return err
	}
	written := info != nil && sum(text) == f.After
	if asBefore := f.Existed == (info != nil) && sum(text) == sum(f.Before); written || asBefore {
		return nil
	}
	for _, e := range slices.Backward(r.Clients) {
		if e.Client == client {
			break
		}
		if slices.Contains(paths(e.Files), f.Path) {
			return fmt.Errorf("%s was written for %s later; run larder setup %s --undo first", f.Path, e.Client, e.Client)
		}
	}
	return fmt.Errorf("%s was changed since larder setup %s --write, and is left as it is; what was there before is "+
		"in %s. With larder setup %s --forget the present file stays", f.Path, client, r.path, client)
}

// restore puts the file back, and says what that was.
func (f savedFile) restore() (verb string, err error) {
	if f.Existed {
		return "restored", replaceFile(f.Path, f.Before, f.Mode)
	}
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return "removed", nil
}

// replaceFile writes a file in one step: whoever reads it sees the old or the new one.
func replaceFile(path string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".larder-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// undoSetups undoes a client, all of them for "".
func (a *app) undoSetups(client string) error {
	r, err := a.setupRecord()
	if err != nil {
		return err
	}
	clients := []string{client}
	if client == "" {
		clients = nil
		for _, e := range slices.Backward(r.Clients) {
			clients = append(clients, e.Client)
		}
		if len(clients) == 0 {
			return errors.New("larder setup has written nothing")
		}
	}
	for _, c := range clients {
		if err := r.undo(c, func(verb, path string) error { return a.say("%s %s", verb, path) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) forgetSetup(client string) error {
	r, err := a.setupRecord()
	if err != nil {
		return err
	}
	if r.find(client) == nil {
		return fmt.Errorf("larder setup has written nothing for %s", client)
	}
	if err := r.drop(client); err != nil {
		return err
	}
	return a.say("the files of %s stay as they are", client)
}
