package disk

// This file writes bytes into a file of uploads/, hashes them as they pass, and moves the file under its digest. What
// the file is for is the business of stage.go and upload.go.

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// writebackStep is after how many bytes the kernel is asked to start writing.
const writebackStep = 8 << 20

// Sink is a file of uploads/ and the sums of exactly the bytes in it. One goroutine uses it.
type Sink struct {
	folder *Folder
	path   string
	file   *os.File
	size   int64 // bytes in the file, all of them in the sums once the pipeline is drained
	sums   []sum
	early  int64 // write-back was started up to here
	torn   bool  // the file may hold more than size
	made   bool  // there is, or may be, a file at path
	pipe   *pipeline
}

func (f *Folder) newSink(name string, extra []string) (*Sink, error) {
	sums, err := newSums(extra)
	return &Sink{folder: f, path: UploadsDir + "/" + name, sums: sums}, err
}

// make creates the file of a stage with the mode it will keep as a blob.
func (k *Sink) make() (err error) {
	k.folder.staging.Store(k.path, true)
	k.file, err = k.folder.Create(k.path, 0o440)
	k.made = true // also after an error: nobody knows
	return err
}

// Fill makes the file with a body that is in memory. Nothing is hashed: the caller knows the digest. The errors are
// ErrFull and ErrReadOnly.
func (k *Sink) Fill(p []byte) error {
	if err := k.make(); err != nil {
		return err
	}
	return k.put(p)
}

// put appends p to the file, not to the sums. After an error the file is what it was before.
func (k *Sink) put(p []byte) error {
	err := k.folder.Room(int64(len(p)), 0)
	if err != nil {
		return err
	}
	if err = k.folder.write(k.file, k.path, p, k.size); err != nil {
		if cut := k.folder.truncate(k.file, k.path, k.size); cut != nil {
			k.torn = true
			return errors.Join(err, cut)
		}
		return err
	}
	k.size += int64(len(p))
	if k.size-k.early >= writebackStep {
		startWriteback(k.file, k.early, k.size-k.early)
		k.early = k.size
	}
	return nil
}

// putSmall appends p to the file and the sums in this goroutine.
func (k *Sink) putSmall(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	err := k.put(p)
	if err == nil {
		k.hash(p)
	}
	return err
}

// hash adds p to the sums in this goroutine: for small p only.
func (k *Sink) hash(p []byte) {
	for _, s := range k.sums {
		s.Write(p)
	}
}

// Blob is digest and size of everything written. The sink is at rest.
func (k *Sink) Blob() Blob { return Blob{Digest: k.digest(), Size: k.size} }

// digest is the sha256 of everything written. Call drain first.
func (k *Sink) digest() digest.Digest {
	return digest.NewDigest(digest.SHA256, k.sums[0].Hash)
}

func (k *Sink) sum(name string) string {
	for _, s := range k.sums {
		if s.name == name {
			return hex.EncodeToString(s.Sum(nil))
		}
	}
	return ""
}

// readFrom appends everything r has. Bytes that arrived before an error stay.
func (k *Sink) readFrom(ctx context.Context, r io.Reader) (int64, error) {
	start, p := k.size, k.pipeline()
	var err error
	for err == nil {
		c := p.chunk()
		var m int
		m, err = r.Read(c.space())
		c.n += m
		if len(c.space()) == 0 {
			if failed := p.submit(); failed != nil {
				return k.size - start, failed
			}
		}
		if err == nil {
			err = ctx.Err()
		}
	}
	if err == io.EOF {
		err = nil
	}
	if failed := p.submit(); failed != nil {
		err = failed
	}
	return k.size - start, err
}

// writeAll appends p, copying it.
func (k *Sink) writeAll(p []byte) (n int, err error) {
	pipe := k.pipeline()
	for len(p) > 0 {
		c := pipe.chunk()
		m := copy(c.space(), p)
		c.n += m
		if len(c.space()) == 0 {
			if err := pipe.submit(); err != nil {
				return n, err
			}
		}
		n, p = n+m, p[m:]
	}
	return n, nil
}

func (k *Sink) pipeline() *pipeline {
	if k.pipe == nil {
		k.pipe = newPipeline(k)
	}
	return k.pipe
}

// pending is how many bytes were appended and are not in the file yet.
func (k *Sink) pending() int {
	if k.pipe == nil || k.pipe.cur == nil {
		return 0
	}
	return k.pipe.cur.n
}

// drain waits until file and sums contain everything that was appended.
func (k *Sink) drain() error {
	if k.pipe == nil {
		return nil
	}
	err := k.pipe.submit()
	k.pipe.busy.Wait()
	return err
}

// rest drains and gives the goroutines and buffers back; the sink can go on later.
func (k *Sink) rest() error {
	if k.pipe == nil {
		return nil
	}
	err := k.drain()
	k.pipe.stop()
	k.pipe = nil
	return err
}

// park gives up the descriptor; the file stays.
func (k *Sink) park() error {
	return errors.Join(k.rest(), k.close())
}

func (k *Sink) close() error {
	if k.file == nil {
		return nil
	}
	file := k.file
	k.file = nil
	return k.folder.closeFile(file, k.path)
}

// rehash sums up what the file already holds.
func (k *Sink) rehash(ctx context.Context) error {
	buf := k.folder.Buffer()
	defer k.folder.GiveBack(buf)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := k.file.ReadAt(*buf, k.size)
		k.hash((*buf)[:n])
		k.size += int64(n)
		if err == io.EOF {
			k.early = k.size
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", k.path, err)
		}
	}
}

// Sync makes the bytes durable under their present name, and closes the file: they can be placed under d after that. It
// is called before the stripe of d is taken, so that nobody waits for another's bytes.
func (k *Sink) Sync(d digest.Digest) error {
	if err := k.rest(); err != nil {
		return err
	}
	// Opened before the rename, so that a write-back error of the folder cannot be missed.
	if err := k.folder.dirFor(shardPath(d)).ready(); err != nil {
		return err
	}
	return k.seal()
}

// seal syncs and closes the file; the sink takes no more bytes.
func (k *Sink) seal() error {
	if k.file == nil {
		return nil
	}
	if err := k.folder.fsync(k.file, k.path); err != nil {
		return err
	}
	return k.close()
}

// Place moves the file under d, durably. A file that was not synced is synced now. The caller holds the stripe of d.
func (k *Sink) Place(d digest.Digest) error {
	if err := k.seal(); err != nil {
		return err
	}
	if err := k.folder.Rename(k.path, BlobPath(d)); err != nil {
		return err
	}
	k.made = false
	k.folder.staging.Delete(k.path)
	return k.folder.SyncDir(shardPath(d))
}

// Discard closes and removes the file. What could not be removed is left for RemoveLeftovers.
func (k *Sink) Discard() error {
	if k.pipe != nil {
		k.pipe.clear()
	}
	err := k.park()
	if !k.made {
		return err
	}
	k.made = false
	k.folder.staging.Delete(k.path)
	return k.folder.Remove(k.path)
}
