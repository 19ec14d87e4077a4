package store

// This file deals with blobs whose bytes on disk are not those of their digest. What is known of one is a row of the
// bucket damage and an entry in memory; such a blob is not served, and sending the right bytes again repairs it (Stage,
// PutBytes, Upload).

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store/disk"
)

// damageRow is the value of a damage row.
type damageRow struct {
	Size  int64    `json:"size"` // as the record says
	What  string   `json:"what"` // a sentence for the operator
	Found int64    `json:"found"`
	Mark  fileMark `json:"mark"`
}

// fileMark tells one state of a blob's file from another: a file that was replaced by hand has a new one.
type fileMark struct {
	Size int64 `json:"size"` // -1: there is no file
	Time int64 `json:"time"` // Unix nanoseconds of its last change
}

func markOf(st os.FileInfo) fileMark {
	return fileMark{Size: st.Size(), Time: st.ModTime().UnixNano()}
}

// markNow is the state of the file at path.
func (s *Store) markNow(d digest.Digest) fileMark {
	st, err := os.Stat(s.files.Path(disk.BlobPath(d)))
	if err != nil {
		return fileMark{Size: -1}
	}
	return markOf(st)
}

// damages is what memory knows of the bucket: readers of a sound store pay for one load.
type damages struct {
	n     atomic.Int64 // of known
	mu    sync.RWMutex // guards known
	known map[digest.Digest]damageRow
	again sync.Mutex // held by the one reader that reads a changed file anew
}

func (m *damages) get(d digest.Digest) (row damageRow, ok bool) {
	if m.n.Load() == 0 {
		return row, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	row, ok = m.known[d]
	return row, ok
}

func (m *damages) has(d digest.Digest) bool {
	_, ok := m.get(d)
	return ok
}

func (m *damages) set(d digest.Digest, row damageRow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[digest.Digest]damageRow)
	}
	m.known[d] = row
	m.n.Store(int64(len(m.known)))
}

func (m *damages) drop(d digest.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, d)
	m.n.Store(int64(len(m.known)))
}

func (m *damages) list() []digest.Digest {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Sorted(maps.Keys(m.known))
}

// loadDamages reads the bucket when the store is opened.
func (s *Store) loadDamages(ctx context.Context) error {
	return s.View(ctx, func(tx *Tx) error {
		for k, v := range tx.scan(bucketDamage, nil, nil) {
			var row damageRow
			if err := decode(v, &row); err != nil {
				return fmt.Errorf("damage of %s: %w", k, err)
			}
			s.damages.set(digest.Digest(k), row)
		}
		return nil
	})
}

// DamagedBlobs is how many blobs are known to be damaged.
func (s *Store) DamagedBlobs() int64 { return s.damages.n.Load() }

// Damaged is ErrDamaged when the sha256 digest d is known to be damaged, as every attempt to read it would be. It looks
// at no file.
func (s *Store) Damaged(d digest.Digest) error {
	if !s.damages.has(d) {
		return nil
	}
	return refuseDamaged(d)
}

// Sound is Damaged, and looks in addition whether the file is there and has the right size. It notes when that is not
// so.
func (s *Store) Sound(ctx context.Context, b Blob) error {
	if row, known := s.damages.get(b.Digest); known && !s.isRepaired(ctx, b, row) {
		return refuseDamaged(b.Digest)
	}
	err := s.files.StatBlob(b)
	if err == nil || !isFileDamage(err) {
		return err
	}
	return s.reportDamage(ctx, b, err, s.markNow(b.Digest))
}

func refuseDamaged(d digest.Digest) error {
	const text = "the bytes of %s are damaged on the registry's disk; publishing the same bytes again repairs them"
	return problem.Errorf(ErrDamaged, text, d)
}

// isFileDamage tells damage of a blob's file, which stays, from trouble of the machine (no descriptors, no rights),
// which passes.
func isFileDamage(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, disk.ErrWrongBytes) || errors.Is(err, syscall.EIO)
}

// plain is err without the machine's paths, for operators.
func plain(err error) string {
	var pe *os.PathError
	if errors.Is(err, os.ErrNotExist) {
		return "the file is missing"
	}
	if errors.As(err, &pe) {
		return pe.Op + ": " + pe.Err.Error()
	}
	return strings.TrimSuffix(err.Error(), ": "+disk.ErrWrongBytes.Error())
}

// openSound opens the bytes of a blob with a record. What is known to be damaged is ErrDamaged, what turns out to be is
// noted and ErrDamaged as well.
func (s *Store) openSound(ctx context.Context, b Blob) (*os.File, error) {
	if row, known := s.damages.get(b.Digest); known && !s.isRepaired(ctx, b, row) {
		return nil, refuseDamaged(b.Digest)
	}
	f, err := s.files.OpenBlob(b)
	if err == nil || !isFileDamage(err) {
		return f, err
	}
	return nil, s.reportDamage(ctx, b, err, s.markNow(b.Digest))
}

// reportDamage notes that b is damaged and returns the error for its reader: ErrNotFound when it was swept meanwhile.
func (s *Store) reportDamage(ctx context.Context, b Blob, cause error, seen fileMark) error {
	if _, err := s.noteDamage(ctx, b, plain(cause), seen); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", refuseDamaged(b.Digest), cause)
}

// noteDamage remembers that the file of b in the state seen is damaged; false when the file is another one by now.
// ErrNotFound when there is no such blob any more. Where the store takes no writes the memory of this process has to
// do.
func (s *Store) noteDamage(ctx context.Context, b Blob, what string, seen fileMark) (bool, error) {
	ctx = context.WithoutCancel(ctx)
	lock := s.stripe(b.Digest)
	lock.Lock()
	defer lock.Unlock()
	if _, err := s.lookup(ctx, b.Digest); err != nil {
		return false, err
	}
	if s.markNow(b.Digest) != seen {
		return false, nil
	}
	was, known := s.damages.get(b.Digest)
	row := damageRow{Size: b.Size, What: what, Found: s.opt.Now().Unix(), Mark: seen}
	if known {
		row.Found = was.Found
	}
	s.damages.set(b.Digest, row)
	s.small.drop(b.Digest)
	if !known {
		s.logDamage(ctx, b, what)
	}
	s.writeIfPossible(ctx, func(tx *Tx) error { return tx.putRow(bucketDamage, []byte(b.Digest), row) })
	return true, nil
}

// writeIfPossible writes what memory knows already, unless the store takes no writes. It may use the reserve.
func (s *Store) writeIfPossible(ctx context.Context, fn func(*Tx) error) {
	err := s.writable()
	if err == nil {
		err = s.submit(ctx, fn)
	}
	if err != nil {
		s.opt.Log.WarnContext(ctx, "what is known of damaged blobs is not stored", "error", err)
	}
}

func (s *Store) logDamage(ctx context.Context, b Blob, what string) {
	places, err := s.placesOf(ctx, b.Digest)
	if err != nil {
		s.opt.Log.WarnContext(ctx, "the packages of a damaged blob are not known", "error", err)
	}
	var names []string
	for _, p := range places {
		names = append(names, p.String())
	}
	s.opt.Log.WarnContext(ctx, "a blob is damaged", "digest", b.Digest, "bytes", b.Size, "what", what, "in", names)
}

// isRepaired reports whether the file of a damaged blob was replaced by the right bytes, by hand or by a commit whose
// transaction failed. A file that has not changed is not read.
func (s *Store) isRepaired(ctx context.Context, b Blob, row damageRow) bool {
	if s.markNow(b.Digest) == row.Mark {
		return false
	}
	s.damages.again.Lock()
	defer s.damages.again.Unlock()
	if row, known := s.damages.get(b.Digest); !known {
		return true
	} else if s.markNow(b.Digest) == row.Mark {
		return false
	}
	return s.examine(ctx, b, nil) == nil
}

// examine reads and hashes the bytes of b and remembers what it finds: nil when they are right, ErrDamaged when not,
// ErrNotFound when the blob was swept meanwhile, another error when nobody can say. pace is called with the bytes of
// each read.
func (s *Store) examine(ctx context.Context, b Blob, pace func(n int) error) error {
	for range 3 { // a file that is replaced meanwhile is read again
		seen, cause, err := s.readThrough(ctx, b, pace)
		if err != nil {
			return err
		}
		if cause == nil {
			return s.clearDamage(ctx, b.Digest, seen)
		}
		if same, err := s.noteDamage(ctx, b, plain(cause), seen); err != nil {
			return err
		} else if same {
			return fmt.Errorf("%w: %w", refuseDamaged(b.Digest), cause)
		}
	}
	return fmt.Errorf("examine %s: %w", b.Digest, ErrBusy)
}

// readThrough hashes a blob's file: in which state it was, and what is wrong with it. err says that it could not be
// read for another reason.
func (s *Store) readThrough(
	ctx context.Context, b Blob, pace func(n int) error,
) (seen fileMark, cause, err error) {
	f, err := s.files.OpenBlob(b)
	if err != nil {
		if isFileDamage(err) {
			return s.markNow(b.Digest), err, nil
		}
		return seen, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return seen, nil, err
	}
	if pace != nil {
		disk.ForgetPages(f)
	}
	h, buf := sha256.New(), s.files.Buffer()
	defer s.files.GiveBack(buf)
	for {
		n, err := f.Read(*buf)
		h.Write((*buf)[:n])
		if failed := ctx.Err(); failed != nil {
			return seen, nil, failed
		}
		if pace != nil && n > 0 {
			if err := pace(n); err != nil {
				return seen, nil, err
			}
		}
		switch {
		case err == io.EOF:
			return markOf(st), compareSum(b, h.Sum(nil)), nil
		case err != nil && isFileDamage(err):
			return markOf(st), err, nil
		case err != nil:
			return seen, nil, err
		}
	}
}

// compareSum is disk.ErrWrongBytes unless sum is b's.
func compareSum(b Blob, sum []byte) error {
	if got := digest.NewDigestFromBytes(digest.SHA256, sum); got != b.Digest {
		return fmt.Errorf("the file has other bytes: their sha256 is %s: %w", got.Encoded(), disk.ErrWrongBytes)
	}
	return nil
}

// clearDamage forgets the damage of d, whose file was found right in the state seen.
func (s *Store) clearDamage(ctx context.Context, d digest.Digest, seen fileMark) error {
	if !s.damages.has(d) {
		return nil
	}
	lock := s.stripe(d)
	lock.Lock()
	defer lock.Unlock()
	if s.markNow(d) != seen {
		return fmt.Errorf("examine %s: %w", d, ErrBusy)
	}
	s.damages.drop(d)
	s.opt.Log.InfoContext(ctx, "a damaged blob is right again", "digest", d)
	s.writeIfPossible(context.WithoutCancel(ctx), func(tx *Tx) error { return tx.del(bucketDamage, []byte(d)) })
	return nil
}

// forgetDamage forgets the damage of d in the transaction that gives it new bytes, or none.
func (tx *Tx) forgetDamage(d digest.Digest) error {
	if !tx.s.damages.has(d) {
		return nil
	}
	tx.OnCommit(func() {
		tx.s.damages.drop(d)
		tx.s.opt.Log.Info("a damaged blob was repaired or removed", "digest", d)
	})
	return tx.del(bucketDamage, []byte(d))
}

// recheck reads a blob whose bytes were sent once more, so that they replace it when it is damaged; not when it was
// read lately and its file is the same: images share their small blobs. That it is damaged is no error here.
func (s *Store) recheck(ctx context.Context, b Blob) error {
	seen := s.markNow(b.Digest)
	if s.rechecked.has(b.Digest, seen, s.opt.Now()) {
		return nil
	}
	err := s.examine(ctx, b, nil)
	if err == nil {
		s.rechecked.add(b.Digest, seen, s.opt.Now())
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrBusy) {
		return nil
	}
	return err
}

// recheckedFiles remembers in which state blobs' files were read and found right.
type recheckedFiles struct {
	mu    sync.Mutex // guards right
	right map[digest.Digest]recheckedFile
}

type recheckedFile struct {
	mark fileMark
	at   time.Time
}

const (
	recheckAfter = 10 * time.Minute
	maxChecked   = 1000 // files; with more, all are forgotten
)

func (v *recheckedFiles) has(d digest.Digest, mark fileMark, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, ok := v.right[d]
	return ok && f.mark == mark && now.Sub(f.at).Abs() < recheckAfter
}

func (v *recheckedFiles) add(d digest.Digest, mark fileMark, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.right == nil || len(v.right) >= maxChecked {
		v.right = make(map[digest.Digest]recheckedFile)
	}
	v.right[d] = recheckedFile{mark, now}
}

// Place is where a blob is used.
type Place struct {
	Kind    Kind   `json:"kind"`
	Package string `json:"package"`
	Version string `json:"version,omitempty"` // "": of an upload that no version uses
	File    string `json:"file,omitempty"`
	// Copy says that it came from an upstream; Version is then what the copy is called.
	Copy bool `json:"copy,omitempty"`
}

// String is the place for a person.
func (p Place) String() string {
	words := []string{string(p.Kind), p.Package}
	for _, w := range []string{p.Version, p.File} {
		if w != "" {
			words = append(words, w)
		}
	}
	if p.Copy {
		words = append(words, "(copy)")
	}
	return strings.Join(words, " ")
}

// Damage is one damaged blob.
type Damage struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
	What   string        `json:"what"`
	Found  time.Time     `json:"found"`
	Where  []Place       `json:"where"` // at most 20
}

// maxPlaces bounds what is said of one damaged blob.
const maxPlaces = 20

// Damages lists the blobs that are known to be damaged, by digest, with the packages that use them.
func (s *Store) Damages(ctx context.Context) ([]Damage, error) {
	list := []Damage{}
	for _, d := range s.damages.list() {
		row, ok := s.damages.get(d)
		if !ok {
			continue
		}
		where, err := s.placesOf(ctx, d)
		if err != nil {
			return nil, err
		}
		found := time.Unix(row.Found, 0).UTC()
		list = append(list, Damage{Digest: d, Size: row.Size, What: row.What, Found: found, Where: where})
	}
	return list, nil
}

// placesOf finds the versions that hold d, and their files that are d.
func (s *Store) placesOf(ctx context.Context, d digest.Digest) (list []Place, err error) {
	list = []Place{}
	err = s.View(ctx, func(tx *Tx) error {
		list = list[:0]
		for k := range tx.scan(bucketHolder, prefix(string(d)), nil) {
			parts := splitKey(k)
			if len(parts) != 3 {
				return fmt.Errorf("holder %q: %w", k, ErrFormat)
			}
			p := &pkg{tx: tx, kind: Kind(parts[1]), name: parts[2]}
			for k := range tx.scan(bucketHold, p.prefix(string(d)), nil) {
				if list = append(list, p.place(d, lastPart(k))); len(list) == maxPlaces {
					return nil
				}
			}
		}
		return nil
	})
	return list, err
}

// place says what d is to a version.
func (p *pkg) place(d digest.Digest, id string) Place {
	kind, copied := p.kind.original()
	at := Place{Kind: kind, Package: p.name, Version: id, Copy: copied}
	h, err := p.versionHead(id)
	if err != nil {
		return at // the digest and the package are still worth saying
	}
	for _, f := range h.Files {
		if p.tx.resolve(f.Digest) == d {
			at.File = f.Name
			break
		}
	}
	return at
}

// Repair takes the bytes of a blob that is here, from somebody who has them still, and puts them where damaged ones
// are; known says that they were known to be damaged. ErrNotFound when no package has such bytes; the errors are
// Stage's.
func (s *Store) Repair(ctx context.Context, r io.Reader) (b Blob, known bool, err error) {
	st, err := s.Stage(ctx, StageOptions{})
	if err != nil {
		return Blob{}, false, err
	}
	defer st.Abort()
	if _, err := st.ReadFrom(r); err != nil {
		return Blob{}, false, err
	}
	d := st.Digest()
	if _, err := s.lookup(ctx, d); err != nil {
		if errors.Is(err, ErrNotFound) {
			err = problem.Errorf(ErrNotFound, "nothing here has the bytes of %s", d)
		}
		return Blob{}, false, err
	}
	known = s.damages.has(d)
	b, err = st.Commit(ctx)
	return b, known, err
}
