package store

// This file lists the blobs of a folder without its database, so that their contents can be identified.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store/disk"
)

// How sure a Found is.
const (
	Certain = "certain" // the file itself says name and version
	Likely  = "likely"  // a part is guessed, or was said elsewhere at the upload
	Unknown = "unknown" // nothing is known of it but its size
	Part    = "part"    // a manifest among the files refers to it
)

// Found is what a blob seems to be by its content alone.
type Found struct {
	Digest     digest.Digest   `json:"digest"`
	Size       int64           `json:"size"`
	Kind       Kind            `json:"kind,omitempty"`
	Name       string          `json:"name,omitempty"`
	Version    string          `json:"version,omitempty"`
	File       string          `json:"file,omitempty"` // the name it is published under, or a manifest's media type
	Confidence string          `json:"confidence"`
	Orphan     bool            `json:"orphan,omitempty"` // it lies in orphans/
	Parts      []digest.Digest `json:"-"`                // what a manifest refers to
}

// WalkBlobs calls fn with every blob file of the folder dir, in blobs/ and in orphans/, and where it lies. It needs no
// database and changes nothing. An error of fn ends the walk.
func WalkBlobs(ctx context.Context, dir string, fn func(f Found, path string) error) error {
	for _, root := range []string{disk.BlobsDir, disk.OrphansDir} {
		err := filepath.WalkDir(filepath.Join(dir, root), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return errors.Join(ctx.Err(), ignoreAbsent(err))
			}
			d, err := ParseDigest("sha256:" + e.Name())
			if err != nil {
				return nil // not ours
			}
			st, err := os.Stat(path)
			if err != nil {
				return ignoreAbsent(err)
			}
			return errors.Join(
				ctx.Err(), fn(Found{Digest: d, Size: st.Size(), Confidence: Unknown, Orphan: root == disk.OrphansDir}, path),
			)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Unrecorded returns the digests of the blob files, in blobs/ and in orphans/, that no record knows.
func (s *Store) Unrecorded(ctx context.Context) (unknown []digest.Digest, err error) {
	err = WalkBlobs(ctx, s.files.Dir(), func(f Found, _ string) error {
		_, err := s.lookup(ctx, f.Digest)
		if errors.Is(err, ErrNotFound) {
			unknown = append(unknown, f.Digest)
			return nil
		}
		return err
	})
	return unknown, err
}

// Held reports whether some package holds the blob d: its bytes have come again.
func (s *Store) Held(ctx context.Context, d digest.Digest) (held bool, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		held = hasRows(tx, bucketHolder, prefix(string(d)))
		return nil
	})
	return held, err
}

// DropRecord makes the blob d a file that no record knows again, unless a version holds it: an attempt to publish it
// was refused, and the sweeper must not take for garbage what was there before. The file stays where it is.
func (s *Store) DropRecord(ctx context.Context, d digest.Digest) error {
	lock := s.stripe(d)
	lock.Lock()
	defer lock.Unlock()
	return s.Update(ctx, func(tx *Tx) error {
		var row blobRow
		found, err := tx.row(bucketBlob, []byte(d), &row)
		if err != nil || !found {
			return err
		}
		// Loose holds are of that attempt, however young.
		left, err := tx.expireLoose(d, tx.Now().Add(time.Hour))
		if err != nil || left > 0 {
			return err
		}
		if err := tx.dropAliases(d); err != nil {
			return err
		}
		return tx.deleteBlob(Blob{Digest: d, Size: row.Size})
	})
}
