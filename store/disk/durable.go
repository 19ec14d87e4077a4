package disk

// This file is the only place that creates, renames, removes or syncs files in the data folder (the inside of larder.db
// is bbolt's).
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
// and its end: the record is deleted and committed first, then unlinkat(blobs/sha256/ab/abcd…). Neither unlinks nor
// the entries of uploads/ are synced: what a crash brings back is a file without a record, which is moved aside later:
//
//	utimensat(blobs/sha256/ab/abcd…)               now: a crash before the rename leaves a file that is young again
//	renameat(blobs/sha256/ab/abcd…, orphans/abcd…) under the stripe of the digest; back the same way
//	fsync(orphans)                                 once for all of a shard; fsync(blobs/sha256/ab) on the way back
//
// An fsync is never retried: after a failure the kernel may have dropped the dirty pages and would report success the
// second time. The folder remembers the failure and refuses to write until it has been reopened.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"larder/internal/problem"
)

// Faults is a hook for tests around every durable step. Op is one of "mkdir", "create", "open", "write", "truncate",
// "chmod", "fsync", "close", "rename", "chtimes", "syncdir", "remove", "statfs" (and "commit" for the database); path
// is relative to the data folder. An error from Before means the step was not done, one from After that it was done and
// yet reported as failed. It is called by many goroutines at once.
type Faults interface {
	Before(op, path string) error
	After(op, path string) error
}

// Step runs one system call between the test hooks and says what failed. A full disk becomes ErrFull, a file system
// that takes no changes, or whose disk fails, ErrReadOnly.
func (f *Folder) Step(op, path string, do func() error) error {
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
	return fmt.Errorf("%s %s: %w", op, path, f.classify(op, err))
}

// classify says what the failure of a step means for the folder. A step that made bytes durable, or a disk that fails,
// leaves nobody knowing what is on disk: the folder is read-only from then on. A file system that was mounted read-only
// has done nothing, and works again when it is mounted otherwise.
func (f *Folder) classify(op string, err error) error {
	switch {
	case errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", problem.Errorf(ErrFull, "the registry has used up its disk quota"), err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %w", problem.Errorf(ErrFull, "the registry's disk is full"), err)
	case op == "statfs":
		return err // asks, and changes nothing
	case errors.Is(err, syscall.EROFS):
		f.ForgetSpace()
		return fmt.Errorf("%w: %w", errMountedReadOnly(), err)
	case errors.Is(err, syscall.EIO):
		f.Fail(err)
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

// Fail makes the folder read-only for good: the state of the disk is unknown from here on.
func (f *Folder) Fail(err error) {
	if f.broken.CompareAndSwap(nil, &err) {
		f.log.Error("the store is read-only until it is reopened: data could not be made durable", "error", err)
	}
}

// Failure is nil, or ErrReadOnly with the failure that keeps the folder from being written to.
func (f *Folder) Failure() error {
	if p := f.broken.Load(); p != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, *p)
	}
	return nil
}

// NewFile makes a file with what write gives it, and syncs it; it must not exist. Its name is durable only after
// SyncDir of its folder. After an error there may be a part of it.
func (f *Folder) NewFile(path string, mode fs.FileMode, write func(io.Writer) error) error {
	file, err := f.Create(path, mode)
	if err != nil {
		return err
	}
	err = write(&fileWriter{f: f, file: file, path: path})
	if err == nil {
		err = f.fsync(file, path)
	}
	return errors.Join(err, f.closeFile(file, path))
}

// fileWriter writes to a file of the folder from its start.
type fileWriter struct {
	f    *Folder
	file *os.File
	path string
	off  int64
}

// Write implements io.Writer.
func (w *fileWriter) Write(p []byte) (int, error) {
	if err := w.f.write(w.file, w.path, p, w.off); err != nil {
		return 0, err
	}
	w.off += int64(len(p))
	return len(p), nil
}

// newSuffix ends the name of a file until it is complete.
const newSuffix = ".new"

// ReplaceFile makes a file appear whole under its name, or not at all, durably. What was there is replaced.
func (f *Folder) ReplaceFile(path string, mode fs.FileMode, write func(io.Writer) error) error {
	temp := path + newSuffix
	if err := f.Remove(temp); err != nil {
		return err
	}
	if err := f.NewFile(temp, mode, write); err != nil {
		return err
	}
	if err := f.Rename(temp, path); err != nil {
		return err
	}
	return f.SyncDir(filepath.Dir(path))
}

// CutFile shortens a file to the size that keep finds in it, and syncs it.
func (f *Folder) CutFile(path string, keep func(r io.ReaderAt, size int64) (int64, error)) error {
	file, err := f.openFile("open", path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	st, err := file.Stat()
	if err == nil {
		var size int64
		if size, err = keep(file, st.Size()); err == nil {
			err = f.truncate(file, path, size)
		}
	}
	if err == nil {
		err = f.fsync(file, path)
	}
	return errors.Join(err, f.closeFile(file, path))
}

// makeRoot makes the data folder itself when it is not there, durably.
func (f *Folder) makeRoot() error {
	if _, err := os.Stat(f.dir); err == nil {
		return nil
	}
	err := f.Step("mkdir", ".", func() error { return os.MkdirAll(f.dir, 0o700) })
	if err != nil {
		return err
	}
	parent := &dirSync{open: func() (*os.File, error) { return os.Open(filepath.Dir(filepath.Clean(f.dir))) }}
	defer parent.close()
	return f.syncVia(parent, "..")
}

// Mkdir makes a folder; that it is there already is no error. It is durable after SyncDir of the folder it is in.
func (f *Folder) Mkdir(path string) error {
	return f.Step("mkdir", path, func() error {
		if err := os.Mkdir(f.Path(path), 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
}

// Create makes a new file; fs.ErrExist when there is one. The descriptor is writable whatever the mode. The caller
// closes the file.
func (f *Folder) Create(path string, mode fs.FileMode) (file *os.File, err error) {
	return f.openFile("create", path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
}

// reopen opens the file of a resumable upload for writing and makes it when it is not there.
func (f *Folder) reopen(path string) (*os.File, error) {
	file, err := f.openFile("open", path, os.O_RDWR|os.O_CREATE, 0o600)
	if !errors.Is(err, fs.ErrPermission) {
		return file, err
	}
	// A commit that failed after its fchmod left it like a blob.
	if err := f.Step("chmod", path, func() error { return os.Chmod(f.Path(path), 0o600) }); err != nil {
		return nil, err
	}
	return f.openFile("open", path, os.O_RDWR, 0o600)
}

func (f *Folder) openFile(op, path string, flags int, mode fs.FileMode) (file *os.File, err error) {
	err = f.Step(op, path, func() (err error) {
		file, err = os.OpenFile(f.Path(path), flags, mode)
		return err
	})
	if err != nil && file != nil {
		err = errors.Join(err, file.Close())
	}
	return file, err
}

// write puts p into file at off. On an error some of p may be in the file.
func (f *Folder) write(file *os.File, path string, p []byte, off int64) error {
	return f.Step("write", path, func() error {
		_, err := file.WriteAt(p, off)
		return err
	})
}

func (f *Folder) truncate(file *os.File, path string, size int64) error {
	return f.Step("truncate", path, func() error { return file.Truncate(size) })
}

func (f *Folder) chmod(file *os.File, path string, mode fs.FileMode) error {
	return f.Step("chmod", path, func() error { return file.Chmod(mode) })
}

// setTime sets the time of the file's last change, which says how old it is.
func (f *Folder) setTime(path string, t time.Time) error {
	return f.Step("chtimes", path, func() error { return os.Chtimes(f.Path(path), t, t) })
}

// fsync makes file's bytes durable. After a failure the folder stays read-only until it is reopened.
func (f *Folder) fsync(file *os.File, path string) error {
	err := f.Step("fsync", path, file.Sync)
	if err != nil {
		f.Fail(err)
	}
	return err
}

func (f *Folder) closeFile(file *os.File, path string) error {
	return f.Step("close", path, file.Close)
}

// Rename moves a file within the data folder. It is durable only after SyncDir of the target's folder.
func (f *Folder) Rename(from, to string) error {
	return f.Step("rename", to, func() error { return os.Rename(f.Path(from), f.Path(to)) })
}

// Remove unlinks a file; that it is gone already is no error. It is not synced, see above.
func (f *Folder) Remove(path string) error {
	return f.Step("remove", path, func() error {
		if err := os.Remove(f.Path(path)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// RemoveAll takes back what an operation that failed has made.
func (f *Folder) RemoveAll(path string) error {
	return f.Step("remove", path, func() error { return os.RemoveAll(f.Path(path)) })
}
