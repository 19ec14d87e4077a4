package store

// This file writes a backup of a store that stays in use.

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"larder/store/disk"
)

// BackupReport is what a backup holds, or a restore brought back.
type BackupReport struct {
	Blobs    int64 `json:"blobs"`
	Bytes    int64 `json:"bytes"`    // of blobs
	Database int64 `json:"database"` // bytes of larder.db
	Archives int64 `json:"archives"` // bytes of the journal's archives
}

// Backup writes a tar of the store as it is now to w: larder.db, then the blobs it knows in the order of their digests.
// The store stays in use. The snapshot of the records is copied to disk first, so a slow w holds no transaction open;
// nothing is swept until Backup returns. Progress counts bytes of blobs. Of the journal the backup has what is in
// larder.db.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, total int64)) (BackupReport, error) {
	return s.BackupAll(ctx, w, progress, false)
}

// BackupAll is Backup with, if archives is true, the journal's archives after the blobs.
func (s *Store) BackupAll(
	ctx context.Context, w io.Writer, progress func(done, total int64), archives bool,
) (BackupReport, error) {
	defer s.pauseSweep()()
	r, err := s.backup(ctx, w, progress, archives)
	if err != nil {
		return r, fmt.Errorf("backup: %w", err)
	}
	return r, nil
}

func (s *Store) backup(
	ctx context.Context, w io.Writer, progress func(done, total int64), archives bool,
) (r BackupReport, err error) {
	file, db, err := s.snapshot(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close(), file.Close()) }()
	tw := tar.NewWriter(w)
	if r.Database, err = addFile(ctx, tw, dbName, file, s.opt.Now()); err != nil {
		return r, err
	}
	// The snapshot is a file of our own: a long transaction in it holds up nobody.
	err = db.View(func(b *bolt.Tx) error {
		tx := s.newTx(ctx, b)
		blobs, err := tx.counted(statBlobs)
		if err != nil {
			return err
		}
		for k, v := range tx.scan(bucketBlob, nil, nil) {
			n, err := s.addBlob(ctx, tw, digest.Digest(k), v)
			if err != nil {
				return err
			}
			r.Blobs++
			r.Bytes += n
			if progress != nil {
				progress(r.Bytes, blobs.Bytes)
			}
		}
		return nil
	})
	if err == nil && archives {
		err = s.addArchives(ctx, tw, &r)
	}
	if err != nil {
		return r, err
	}
	return r, tw.Close()
}

func (s *Store) addArchives(ctx context.Context, tw *tar.Writer, r *BackupReport) error {
	names, err := archives(s.files)
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := os.Open(s.files.Path(name))
		if err != nil {
			return err
		}
		n, err := addFile(ctx, tw, name, f, s.opt.Now())
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		r.Archives += n
	}
	return nil
}

// snapshot copies the records to a file that has lost its name by the time it is returned: a crash leaves nothing.
func (s *Store) snapshot(ctx context.Context) (*os.File, *bolt.DB, error) {
	name := path.Join(disk.UploadsDir, "backup-"+rand.Text())
	file, err := s.files.Create(name, 0o600)
	if err != nil {
		return nil, nil, err
	}
	err = s.View(ctx, func(tx *Tx) error {
		_, err := tx.b.WriteTo(file)
		return err
	})
	var db *bolt.DB
	if err == nil {
		db, err = bolt.Open(s.files.Path(name), 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	}
	err = errors.Join(err, s.files.Remove(name))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		return nil, nil, fmt.Errorf("snapshot of the records: %w", errors.Join(err, file.Close()))
	}
	return file, db, nil
}

func (s *Store) addBlob(ctx context.Context, tw *tar.Writer, d digest.Digest, v []byte) (int64, error) {
	var row blobRow
	if err := decode(v, &row); err != nil {
		return 0, fmt.Errorf("blob %s: %w", d, err)
	}
	f, err := s.files.OpenBlob(Blob{Digest: d, Size: row.Size})
	if err != nil {
		return 0, fmt.Errorf("blob %s: %w", d, err)
	}
	defer f.Close()
	return addFile(ctx, tw, disk.BlobPath(d), f, time.Unix(row.Created, 0))
}

func addFile(ctx context.Context, tw *tar.Writer, name string, f *os.File, mod time.Time) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	h := &tar.Header{Name: name, Size: st.Size(), Mode: 0o440, ModTime: mod.Truncate(time.Second), Format: tar.FormatPAX}
	if err := tw.WriteHeader(h); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	n, err := io.Copy(tw, f)
	if err != nil {
		return n, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}
