package store

// This file makes a data folder from a backup.

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"larder/internal/problem"
	"larder/store/disk"
)

// restoreName is the records' file until every blob has arrived: a folder without larder.db is not a store.
const restoreName = "larder.db.restore"

// Restore makes the folder dir, which must be absent or empty, from a backup. Every blob's digest is verified, and that
// none is missing; on any error the folder is left empty. ErrExists when the folder is not empty, ErrDigest, ErrFormat.
func Restore(ctx context.Context, dir string, r io.Reader, progress func(done, total int64)) (BackupReport, error) {
	rep, err := restore(ctx, dir, r, progress)
	if err != nil {
		return rep, fmt.Errorf("restore to %s: %w", dir, err)
	}
	return rep, nil
}

func restore(
	ctx context.Context, dir string, r io.Reader, progress func(done, total int64),
) (rep BackupReport, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rep, err
	}
	if len(entries) > 0 {
		return rep, problem.Errorf(ErrExists, "the folder is not empty")
	}
	f, err := disk.Open(dir, disk.Options{Reserve: -1})
	if err != nil {
		return rep, err
	}
	defer f.Close()
	x := &restorer{files: f, ctx: ctx, tr: tar.NewReader(r), progress: progress}
	if err := x.run(); err != nil {
		for _, name := range []string{restoreName, disk.UploadsDir, disk.OrphansDir, journalDir, "blobs"} {
			err = errors.Join(err, f.RemoveAll(name))
		}
		return x.rep, err
	}
	return x.rep, nil
}

type restorer struct {
	files    *disk.Folder
	ctx      context.Context
	tr       *tar.Reader
	rep      BackupReport
	total    int64
	progress func(done, total int64)
}

// run takes the records first, then blobs as they come, and gives the records their name when nothing is missing.
func (x *restorer) run() error {
	h, err := x.tr.Next()
	if err != nil || h.Name != dbName {
		return fmt.Errorf("the archive does not start with %s: %w", dbName, errors.Join(ErrFormat, err))
	}
	if _, err := x.extract(restoreName, 0o600, h.Size); err != nil {
		return err
	}
	x.rep.Database = h.Size
	db, err := openDB(x.files.Path(restoreName), Options{}.withDefaults())
	if err != nil {
		return err
	}
	err = x.fill(db)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := x.files.Rename(restoreName, dbName); err != nil {
		return err
	}
	return x.files.SyncDir(".")
}

// fill extracts the blobs and compares them with the records.
func (x *restorer) fill(db *bolt.DB) error {
	err := db.Update(func(tx *bolt.Tx) (err error) {
		if x.total, err = blobBytes(tx); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for {
		h, err := x.tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if isArchive(h.Name) {
			err = x.archive(h)
		} else {
			err = x.blob(h)
		}
		if err != nil {
			return err
		}
	}
	for i := range disk.Shards {
		if err := x.files.SyncShard(i); err != nil {
			return err
		}
	}
	return db.View(x.complete)
}

// blobBytes is what a backup's records say all blobs take.
func blobBytes(b *bolt.Tx) (int64, error) {
	blobs, err := (&Tx{b: b}).counted(statBlobs)
	return blobs.Bytes, err
}

// archive extracts one archive of the journal.
func (x *restorer) archive(h *tar.Header) error {
	if err := x.files.Mkdir(journalDir); err != nil {
		return err
	}
	if _, err := x.extract(h.Name, 0o440, h.Size); err != nil {
		return err
	}
	x.rep.Archives += h.Size
	return x.files.SyncDir(journalDir)
}

// blob extracts one blob under the digest its name says, and checks it.
func (x *restorer) blob(h *tar.Header) error {
	d, err := ParseDigest("sha256:" + path.Base(h.Name))
	if err != nil || h.Name != disk.BlobPath(d) {
		return fmt.Errorf("entry %.200q of the archive is not a blob: %w", h.Name, ErrFormat)
	}
	sum, err := x.extract(h.Name, 0o440, h.Size)
	if err != nil {
		return err
	}
	if sum != d.Encoded() {
		return fmt.Errorf("blob %s: %w", d, ErrDigest)
	}
	x.rep.Blobs++
	x.rep.Bytes += h.Size
	if x.progress != nil {
		x.progress(x.rep.Bytes, max(x.total, x.rep.Bytes))
	}
	return x.ctx.Err()
}

// extract writes the current entry to a new file, durably, and returns its sha256.
func (x *restorer) extract(name string, mode fs.FileMode, size int64) (sum string, err error) {
	hash := sha256.New()
	err = x.files.NewFile(name, mode, func(w io.Writer) error {
		buf := make([]byte, 256<<10)
		for n := int64(0); n < size; {
			m, err := io.ReadFull(x.tr, buf[:min(int64(len(buf)), size-n)])
			if err != nil {
				return err
			}
			hash.Write(buf[:m])
			if _, err := w.Write(buf[:m]); err != nil {
				return err
			}
			n += int64(m)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("extract %s: %w", name, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// complete finds the first blob that has a record and no file.
func (x *restorer) complete(b *bolt.Tx) error {
	tx := &Tx{b: b}
	for k, v := range tx.scan(bucketBlob, nil, nil) {
		var row blobRow
		if err := decode(v, &row); err != nil {
			return fmt.Errorf("blob %s: %w", k, err)
		}
		if x.files.StatBlob(Blob{Digest: digest.Digest(k), Size: row.Size}) != nil {
			return fmt.Errorf("the archive lacks blob %s: %w", k, ErrNotFound)
		}
	}
	return nil
}
