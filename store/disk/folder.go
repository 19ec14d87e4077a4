package disk

// This file opens a data folder and makes what is missing of its layout.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// The folders of a data folder, relative to it.
const (
	UploadsDir = "uploads"      // files that are being written
	OrphansDir = "orphans"      // blobs that no record knows
	BlobsDir   = "blobs/sha256" // one folder for each first byte of a digest
)

// Options says how a folder is used.
type Options struct {
	Reserve int64            // bytes of free disk below which bodies are refused; negative: free space is never asked for
	Now     func() time.Time // the clock; nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
	Faults  Faults           // nil except in tests
}

// Folder is a data folder. Its methods may be called from any number of goroutines. Paths are relative to the folder,
// with slashes.
type Folder struct {
	dir     string
	reserve int64
	now     func() time.Time
	log     *slog.Logger
	faults  Faults

	broken  atomic.Pointer[error] // first failed fsync; never reset
	dirs    sync.Map              // relative folder → *dirSync
	staging sync.Map              // files of live stages: path → true; RemoveLeftovers leaves them alone
	space   space
	buffers
	sessions
}

// Open creates what is missing of the layout of dir and makes it durable. It removes nothing: the caller may not own
// the folder yet. The caller closes the folder.
func Open(dir string, o Options) (*Folder, error) {
	f := &Folder{dir: dir, reserve: o.Reserve, now: o.Now, log: o.Log, faults: o.Faults}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.sessions.init()
	if err := f.makeRoot(); err != nil {
		return nil, err
	}
	if err := f.makeLayout(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Dir is the folder's path on this machine, as it was given to Open.
func (f *Folder) Dir() string { return f.dir }

// Path is where a path of the folder is on this machine, for reading.
func (f *Folder) Path(path string) string { return filepath.Join(f.dir, path) }

// Close gives the descriptors back. It syncs nothing: what was promised is durable already.
func (f *Folder) Close() {
	f.closeSessions()
	f.dirs.Range(func(_, d any) bool {
		d.(*dirSync).close()
		return true
	})
}

func (f *Folder) makeLayout() error {
	for _, d := range []string{UploadsDir, OrphansDir, "blobs", BlobsDir} {
		if err := f.Mkdir(d); err != nil {
			return err
		}
	}
	have, err := os.ReadDir(f.Path(BlobsDir))
	if err != nil {
		return fmt.Errorf("read %s: %w", BlobsDir, err)
	}
	if len(have) >= Shards {
		return nil
	}
	for i := range Shards {
		if err := f.Mkdir(shardDir(i)); err != nil {
			return err
		}
	}
	return errors.Join(f.SyncDir(BlobsDir), f.SyncDir("blobs"), f.SyncDir("."))
}

// RemoveLeftovers removes the files of uploads/ that belong to no live stage and no resumable upload: those expire.
func (f *Folder) RemoveLeftovers(ctx context.Context) error {
	entries, err := os.ReadDir(f.Path(UploadsDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := UploadsDir + "/" + e.Name()
		_, live := f.staging.Load(path)
		if live || e.IsDir() || isUploadID(e.Name()) {
			continue
		}
		if err := f.Remove(path); err != nil {
			return err
		}
		f.log.InfoContext(ctx, "removed an unfinished file", "path", path)
	}
	return ctx.Err()
}
