package disk

// This file knows where blobs lie: in shards by their digest, and in orphans/ when no record knows them.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"
)

// Blob is content-addressed bytes that are durable in the data folder.
type Blob struct {
	Digest digest.Digest // always sha256
	Size   int64         // bytes
}

// Shards is how many folders blobs are spread over, by the first byte of their digest.
const Shards = 256

// BlobPath is where the bytes of a sha256 digest are. d is hex and nothing else: it was parsed, or comes from a hash.
func BlobPath(d digest.Digest) string {
	hex := d.Encoded()
	return BlobsDir + "/" + hex[:2] + "/" + hex
}

// OrphanPath is where the bytes of a sha256 digest are while no record knows them.
func OrphanPath(d digest.Digest) string { return OrphansDir + "/" + d.Encoded() }

func shardPath(d digest.Digest) string { return BlobsDir + "/" + d.Encoded()[:2] }

func shardDir(i int) string { return fmt.Sprintf("%s/%02x", BlobsDir, i) }

// ReadShard lists the files of one shard, 0 ≤ i < Shards.
func (f *Folder) ReadShard(i int) ([]fs.DirEntry, error) { return os.ReadDir(f.Path(shardDir(i))) }

// ReadOrphans lists the files of orphans/.
func (f *Folder) ReadOrphans() ([]fs.DirEntry, error) { return os.ReadDir(f.Path(OrphansDir)) }

// SyncShard makes every change in one shard durable, 0 ≤ i < Shards.
func (f *Folder) SyncShard(i int) error { return f.SyncDir(shardDir(i)) }

// OpenBlob opens the file of b. ErrWrongBytes when it has another size: a truncated file is never served. The caller
// closes the file.
func (f *Folder) OpenBlob(b Blob) (*os.File, error) {
	file, err := os.Open(f.Path(BlobPath(b.Digest)))
	if err != nil {
		return nil, err
	}
	st, err := file.Stat()
	if err == nil {
		err = b.fits(st)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// StatBlob is nil when the file of b is there with the right size, else fs.ErrNotExist or ErrWrongBytes.
func (f *Folder) StatBlob(b Blob) error {
	st, err := os.Stat(f.Path(BlobPath(b.Digest)))
	if err != nil {
		return err
	}
	return b.fits(st)
}

// fits is ErrWrongBytes for a file that has another size than b.
func (b Blob) fits(st os.FileInfo) error {
	if !st.Mode().IsRegular() || st.Size() != b.Size {
		return fmt.Errorf("the file has %d bytes, its record says %d: %w", st.Size(), b.Size, ErrWrongBytes)
	}
	return nil
}

// RemoveBlob unlinks the file of d. It is not synced: what a crash brings back is a file without a record.
func (f *Folder) RemoveBlob(d digest.Digest) error { return f.Remove(BlobPath(d)) }

// RemoveOrphan unlinks the file of d in orphans/.
func (f *Folder) RemoveOrphan(d digest.Digest) error { return f.Remove(OrphanPath(d)) }

// MoveAside moves the file of d to orphans/, as young as if it had just been made: the time that it is kept begins now.
// It is durable after SyncOrphans.
func (f *Folder) MoveAside(d digest.Digest) error {
	if err := f.setTime(BlobPath(d), f.now()); err != nil {
		return err
	}
	return f.Rename(BlobPath(d), OrphanPath(d))
}

// SyncOrphans makes every MoveAside that returned before this call durable.
func (f *Folder) SyncOrphans() error { return errors.Join(f.SyncDir(OrphansDir), f.SyncDir(".")) }

// BringBack moves the file of d from orphans/ to its place, durably.
func (f *Folder) BringBack(d digest.Digest) error {
	if err := f.Rename(OrphanPath(d), BlobPath(d)); err != nil {
		return err
	}
	return f.SyncDir(shardPath(d))
}
