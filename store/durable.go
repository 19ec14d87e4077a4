package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"larder/internal/problem"
)

// This file is the only place that creates, renames, removes or syncs files in the data folder (larder.db's inside is bbolt's).
//
// The life of a blob, in system calls:
//
//	openat(uploads/NAME, O_RDWR|O_CREAT|O_EXCL)    create, or openat(O_RDWR|O_CREAT) for a resumable upload
//	openat(blobs/sha256/ab, O_DIRECTORY)           once per shard and process; stays open
//	write(file)…                                   sync_file_range(SYNC_FILE_RANGE_WRITE) behind every few MiB of it
//	fchmod(file, 0440)                             only resumable uploads: stages are created with that mode
//	fsync(file)                                    same descriptor that wrote, so no write-back error can be missed
//	close(file)
//	renameat(uploads/NAME, blobs/sha256/ab/abcd…)  under the stripe of the digest
//	fsync(blobs/sha256/ab)                         one fsync serves all callers whose rename came before it started
//
// and its end: the record is deleted and committed first, then unlinkat(blobs/sha256/ab/abcd…). Neither unlinks nor the entries of
// uploads/ are synced: what a crash brings back is a file without a record, which Reconcile moves aside:
//
//	utimensat(blobs/sha256/ab/abcd…)               now: a crash before the rename leaves a file that is young again
//	renameat(blobs/sha256/ab/abcd…, orphans/abcd…) under the stripe of the digest; back the same way
//	fsync(orphans)                                 once for all of a shard; fsync(blobs/sha256/ab) on the way back
//
// An fsync is never retried: after a failure the kernel may have dropped the dirty pages and would report success the second time.
// The store remembers the failure and refuses to write until it has been reopened.

// Faults is a hook for tests around every durable step. Op is one of "mkdir", "create", "open", "write", "truncate", "chmod",
// "fsync", "close", "rename", "chtimes", "syncdir", "remove", "statfs" (and "commit" for the database); path is
// relative to the data folder. An error from Before means the step was not done, one from After that it was done and
// yet reported as failed. It is called by many goroutines at once.
type Faults interface {
	Before(op, path string) error
	After(op, path string) error
}

const (
	uploadsDir = "uploads"
	orphansDir = "orphans"
	blobsDir   = "blobs/sha256"
	shards     = 256
)

// files is the byte side of a Store: everything in the data folder but the database.
type files struct {
	dir     string
	reserve int64
	now     func() time.Time
	log     *slog.Logger
	faults  Faults

	broken  atomic.Pointer[error] // first failed fsync; never reset
	dirs    sync.Map              // relative folder → *dirSync
	staging sync.Map              // files of live stages: path → true; Reconcile leaves them alone
	space   space
	buffers
	shelf
	sessions
}

// openFiles creates what is missing of the folder's layout and makes it durable. Nothing is removed here: the caller may not own
// the folder yet. o comes from withDefaults.
func openFiles(dir string, o Options) (*files, error) {
	f := &files{dir: dir, reserve: o.Reserve, now: o.Now, log: o.Log, faults: o.Faults}
	if err := f.makeRoot(); err != nil {
		return nil, err
	}
	f.shelf.init()
	f.sessions.init()
	if err := f.makeLayout(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// at is where a path of the data folder is on this machine.
func (f *files) at(path string) string { return filepath.Join(f.dir, path) }

// close gives the descriptors back. It syncs nothing: what was promised is durable already.
func (f *files) close() {
	f.closeSessions()
	f.dirs.Range(func(_, d any) bool {
		d.(*dirSync).close()
		return true
	})
}

func (f *files) makeRoot() error {
	if _, err := os.Stat(f.dir); err == nil {
		return nil
	}
	err := f.step("mkdir", ".", func() error { return os.MkdirAll(f.dir, 0o700) })
	if err != nil {
		return err
	}
	parent := &dirSync{open: func() (*os.File, error) { return os.Open(filepath.Dir(filepath.Clean(f.dir))) }}
	defer parent.close()
	return f.syncVia(parent, "..")
}

func (f *files) makeLayout() error {
	for _, d := range []string{uploadsDir, orphansDir, "blobs", blobsDir} {
		if err := f.mkdir(d); err != nil {
			return err
		}
	}
	have, err := os.ReadDir(f.at(blobsDir))
	if err != nil {
		return fmt.Errorf("read %s: %w", blobsDir, err)
	}
	if len(have) >= shards {
		return nil
	}
	for i := range shards {
		if err := f.mkdir(fmt.Sprintf("%s/%02x", blobsDir, i)); err != nil {
			return err
		}
	}
	return errors.Join(f.syncDir(blobsDir), f.syncDir("blobs"), f.syncDir("."))
}

// writeFile makes a small file appear whole under its name, or not at all, durably. What was there is replaced.
func (f *files) writeFile(path string, p []byte) error {
	temp := path + newSuffix
	if err := f.remove(temp); err != nil {
		return err
	}
	file, err := f.create(temp, 0o600)
	if err != nil {
		return err
	}
	err = f.write(file, temp, p, 0)
	if err == nil {
		err = f.fsync(file, temp)
	}
	if err = errors.Join(err, f.closeFile(file, temp)); err != nil {
		return err
	}
	if err := f.rename(temp, path); err != nil {
		return err
	}
	return f.syncDir(filepath.Dir(path))
}

// newSuffix is that of a file of the folder until it is complete.
const newSuffix = ".new"

// chtimes sets the time by which a file's age is told.
func (f *files) chtimes(path string, t time.Time) error {
	return f.step("chtimes", path, func() error { return os.Chtimes(f.at(path), t, t) })
}

func (f *files) mkdir(path string) error {
	return f.step("mkdir", path, func() error {
		if err := os.Mkdir(f.at(path), 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// step runs one system call between the test hooks and says what failed. A full disk becomes ErrFull, a file system
// that takes no changes, or whose disk fails, ErrReadOnly.
func (f *files) step(op, path string, do func() error) error {
	var err error
	if f.faults != nil {
		err = f.faults.Before(op, path)
	}
	if err == nil {
		if err = do(); f.faults != nil && err == nil {
			err = f.faults.After(op, path)
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, path, f.judge(op, err))
}

// judge says what the failure of a step means for the store. A step that made bytes durable, or a disk that fails,
// leaves nobody knowing what is on disk: the store is read-only from then on. A file system that was mounted read-only
// has done nothing, and works again when it is mounted otherwise.
func (f *files) judge(op string, err error) error {
	switch {
	case errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", problem.Errorf(ErrFull, "the registry has used up its disk quota"), err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", problem.Errorf(ErrFull, "the registry's disk is full"), err)
	case op == "statfs":
		return err // asks, and changes nothing
	case errors.Is(err, syscall.EROFS):
		f.forgetSpace()
		return fmt.Errorf("%w: %w", errMountedReadOnly(), err)
	case errors.Is(err, syscall.EIO):
		f.fail(err)
		return fmt.Errorf("%w: %w", errDisk(), err)
	case op == "fsync" || op == "syncdir" || op == "commit":
		return fmt.Errorf("%w: %w", errDisk(), err)
	}
	return err
}

func errMountedReadOnly() error {
	return problem.Errorf(ErrReadOnly, "the file system of the registry's data folder is read-only")
}

func errDisk() error {
	return problem.Errorf(ErrReadOnly, "the store is read-only because a disk write failed")
}

// create makes a new file; it must not exist. The descriptor is writable whatever the mode.
func (f *files) create(path string, mode fs.FileMode) (file *os.File, err error) {
	return f.openFile("create", path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
}

// reopen opens the file of a resumable upload for writing and makes it when it is not there.
func (f *files) reopen(path string) (*os.File, error) {
	file, err := f.openFile("open", path, os.O_RDWR|os.O_CREATE, 0o600)
	if !errors.Is(err, fs.ErrPermission) {
		return file, err
	}
	// A commit that failed after its fchmod left it like a blob.
	if err := f.step("chmod", path, func() error { return os.Chmod(f.at(path), 0o600) }); err != nil {
		return nil, err
	}
	return f.openFile("open", path, os.O_RDWR, 0o600)
}

func (f *files) openFile(op, path string, flags int, mode fs.FileMode) (file *os.File, err error) {
	err = f.step(op, path, func() (err error) {
		file, err = os.OpenFile(f.at(path), flags, mode)
		return err
	})
	if err != nil && file != nil {
		err = errors.Join(err, file.Close())
	}
	return file, err
}

// write appends p to file at off. On an error some of p may be in the file.
func (f *files) write(file *os.File, path string, p []byte, off int64) error {
	return f.step("write", path, func() error {
		_, err := file.WriteAt(p, off)
		return err
	})
}

func (f *files) truncate(file *os.File, path string, size int64) error {
	return f.step("truncate", path, func() error { return file.Truncate(size) })
}

func (f *files) chmod(file *os.File, path string, mode fs.FileMode) error {
	return f.step("chmod", path, func() error { return file.Chmod(mode) })
}

// fsync makes file's bytes durable. After a failure the store stays read-only until it is reopened.
func (f *files) fsync(file *os.File, path string) error {
	err := f.step("fsync", path, file.Sync)
	if err != nil {
		f.fail(err)
	}
	return err
}

func (f *files) closeFile(file *os.File, path string) error {
	return f.step("close", path, file.Close)
}

// rename moves a file within the data folder. It is durable only after syncDir of the target's folder.
func (f *files) rename(from, to string) error {
	return f.step("rename", to, func() error { return os.Rename(f.at(from), f.at(to)) })
}

// remove unlinks a file; that it is gone already is no error. It is not synced, see above.
func (f *files) remove(path string) error {
	return f.step("remove", path, func() error {
		if err := os.Remove(f.at(path)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// removeAll takes back what an operation that failed has made.
func (f *files) removeAll(path string) error {
	return f.step("remove", path, func() error { return os.RemoveAll(f.at(path)) })
}

// fail makes the store read-only for good: the state of the disk is unknown from here on.
func (f *files) fail(err error) {
	if f.broken.CompareAndSwap(nil, &err) {
		f.log.Error("the store is read-only until it is reopened: data could not be made durable", "error", err)
	}
}

// failure is nil, or ErrReadOnly with the failure that keeps the store from writing.
func (f *files) failure() error {
	if p := f.broken.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, *p)
	}
	return nil
}

// dirSync shares fsyncs of one folder between all who ask at the same time.
type dirSync struct {
	open func() (*os.File, error)

	mu   sync.Mutex
	next *syncRound // the round a caller joins now: its fsync has not started

	run  sync.Mutex // held during the fsync
	file *os.File   // under run; stays open so that a write-back error is reported to us
}

type syncRound struct {
	done bool // under dirSync.run, as err
	err  error
}

// dirFor returns the shared syncer of a folder.
func (f *files) dirFor(path string) *dirSync {
	if d, ok := f.dirs.Load(path); ok {
		return d.(*dirSync)
	}
	d, _ := f.dirs.LoadOrStore(path, &dirSync{open: func() (*os.File, error) { return os.Open(f.at(path)) }})
	return d.(*dirSync)
}

// syncDir makes every rename and creation in the folder that returned before this call durable.
//
// Why sharing is right: a caller joins the current round after its rename; the round is closed to newcomers before its fsync is
// issued; so the fsync started after the rename of everyone who takes its result. As for files, a failure is final.
func (f *files) syncDir(path string) error { return f.syncVia(f.dirFor(path), path) }

func (f *files) syncVia(d *dirSync, path string) error {
	d.mu.Lock()
	if d.next == nil {
		d.next = &syncRound{}
	}
	r := d.next
	d.mu.Unlock()

	d.run.Lock()
	defer d.run.Unlock()
	if r.done {
		return r.err
	}
	d.mu.Lock()
	d.next = nil
	d.mu.Unlock()
	r.done = true
	if r.err = f.step("syncdir", path, d.fsync); r.err != nil {
		f.fail(r.err)
	}
	return r.err
}

// ready opens the folder before the rename it will have to make durable.
func (d *dirSync) ready() error {
	d.run.Lock()
	defer d.run.Unlock()
	return d.ensure()
}

func (d *dirSync) ensure() (err error) {
	if d.file == nil {
		d.file, err = d.open()
	}
	return err
}

func (d *dirSync) fsync() error {
	if err := d.ensure(); err != nil {
		return err
	}
	return d.file.Sync()
}

func (d *dirSync) close() {
	d.run.Lock()
	defer d.run.Unlock()
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
}
