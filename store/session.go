package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// Here: the table of resumable uploads and their life between requests. What one request does to one of them is upload.go.

const (
	maxUserUploads = 512 // sessions one user may have open
	crowdedIdle    = 24  // at that number, sessions idle for UploadIdle/crowdedIdle make room: docker restarts instead of resuming
	maxParked      = 128 // files kept open between requests
	parkAfter      = 10 * time.Minute
)

// uploadRow is the record of a session. Its offset is the size of the file uploads/<id>, so a chunk writes no record.
type uploadRow struct {
	Kind    Kind   `json:"kind"`
	Package string `json:"package"`
	User    string `json:"user,omitempty"`
	Created int64  `json:"created"` // Unix seconds
}

// session is an upload in progress. The row never changes.
type session struct {
	id  string
	row uploadRow

	mu   sync.Mutex // guards busy, and the rest while nobody is busy
	busy bool       // one request has the session and owns the rest, without mu

	k      *sink     // the open file and its sums; nil when parked, and before the first use in this process
	landed *Blob     // the bytes are a blob already, only the transaction failed: the next Commit repeats it
	ended  bool      // committed, cancelled or expired
	used   time.Time // end of the last request; zero before the first in this process
}

// acquire makes the caller the one request that owns the session; false when there is one.
func (u *session) acquire() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy {
		return false
	}
	u.busy = true
	return true
}

func (u *session) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy = false
}

// atRest runs fn unless a request has the session. A request that comes meanwhile waits: housekeeping must not look like a
// second writer.
func (u *session) atRest(fn func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.busy {
		fn()
	}
}

// sessions caches the upload bucket; the records there decide after a restart.
type sessions struct {
	mu     sync.Mutex
	loaded bool
	byID   map[string]*session
	byUser map[string]int
}

// loadSessions reads the records the first time it is called.
func (s *Store) loadSessions(ctx context.Context) error {
	t := &s.sessions
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loaded {
		return nil
	}
	t.byID, t.byUser = make(map[string]*session), make(map[string]int)
	err := s.View(ctx, func(tx *Tx) error {
		for k, v := range tx.scan(bucketUpload, nil, nil) {
			u := &session{id: string(k)}
			if err := decode(v, &u.row); err != nil {
				return fmt.Errorf("upload %s: %w", k, err)
			}
			t.byID[u.id] = u
			t.byUser[u.row.User]++
		}
		return nil
	})
	t.loaded = err == nil
	return err
}

// add registers u; false when its user has as many as allowed.
func (t *sessions) add(u *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byUser[u.row.User] >= maxUserUploads {
		return false
	}
	t.byID[u.id] = u
	t.byUser[u.row.User]++
	return true
}

func (t *sessions) drop(u *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[u.id] == u {
		delete(t.byID, u.id)
		if t.byUser[u.row.User]--; t.byUser[u.row.User] == 0 {
			delete(t.byUser, u.row.User)
		}
	}
}

// list is a copy, so that nobody holds the table while working on sessions.
func (t *sessions) list() []*session {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*session, 0, len(t.byID))
	for _, u := range t.byID {
		all = append(all, u)
	}
	return all
}

func (t *sessions) known(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id] != nil
}

// closeSessions closes the files between requests; a request that is still running keeps its own.
func (t *sessions) closeSessions() {
	for _, u := range t.list() {
		u.atRest(func() { u.park() })
	}
}

// find returns the session id of this kind, package and user. Anybody else's looks absent: an id is not a capability.
func (s *Store) find(ctx context.Context, k Kind, pkg, id string) (*session, error) {
	if err := s.loadSessions(ctx); err != nil {
		return nil, err
	}
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	u := s.sessions.byID[id]
	if u == nil || u.row.Kind != k || u.row.Package != pkg || u.row.User != ActorFrom(ctx).User {
		return nil, Refuse(ErrNotFound, "there is no such upload")
	}
	return u, nil
}

func (u *session) path() string { return uploadsDir + "/" + u.id }

// park closes the file and forgets the sums. Keeping the sums without the descriptor would be wrong: a write-back error between two
// descriptors would go unnoticed, while re-hashing reads what is really there.
func (u *session) park() error {
	if u.k == nil {
		return nil
	}
	k := u.k
	u.k = nil
	return k.park()
}

// unpark opens the file and brings the sums to its end. The caller owns the session.
func (u *session) unpark(ctx context.Context, s *Store) error {
	if u.k != nil || u.landed != nil {
		return nil
	}
	k, err := s.newSink(u.id, nil)
	if err == nil {
		k.file, err = s.reopen(k.path)
		k.made = true
	}
	if err == nil {
		err = k.rehash(ctx)
	}
	if err != nil {
		return joined(err, k.park())
	}
	u.k = k
	return nil
}

// rehash sums up what the file already holds.
func (k *sink) rehash(ctx context.Context) error {
	buf := k.files.buffer()
	defer k.files.giveBack(buf)
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

// fileDigest hashes the whole file with another algorithm than the one kept up to date.
func (k *sink) fileDigest(ctx context.Context, alg digest.Algorithm) (digest.Digest, error) {
	h := alg.Hash()
	buf := k.files.buffer()
	defer k.files.giveBack(buf)
	for off := int64(0); off < k.size; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := k.file.ReadAt((*buf)[:min(int64(len(*buf)), k.size-off)], off)
		h.Write((*buf)[:n])
		off += int64(n)
		if err != nil && off < k.size {
			return "", fmt.Errorf("read %s: %w", k.path, err)
		}
	}
	return digest.NewDigest(alg, h), nil
}

// lastUse is the newest sign of life. The file's time counts after a restart; one from the future is a clock's mistake.
func (u *session) lastUse(f *files) time.Time {
	last := time.Unix(u.row.Created, 0)
	if u.used.After(last) {
		return u.used
	}
	st, err := os.Lstat(f.at(u.path()))
	if err == nil && u.used.IsZero() && st.ModTime().After(last) && !st.ModTime().After(f.now()) {
		return st.ModTime()
	}
	return last
}

// ExpireUploads ends the sessions that nobody used for Options.UploadIdle and closes the files of those that rest. It is a job: call
// it every few minutes.
func (s *Store) ExpireUploads(ctx context.Context) error {
	if err := s.loadSessions(ctx); err != nil {
		return fmt.Errorf("expire uploads: %w", err)
	}
	now := s.opt.Now()
	var failed error
	for _, u := range s.sessions.list() {
		if err := ctx.Err(); err != nil {
			return err
		}
		u.atRest(func() {
			switch idle := now.Sub(u.lastUse(s.files)); {
			case u.ended:
			case idle > s.opt.UploadIdle:
				failed = errors.Join(failed, s.end(ctx, u))
			case idle > parkAfter:
				failed = errors.Join(failed, u.park())
			}
		})
	}
	if failed != nil {
		return fmt.Errorf("expire uploads: %w", failed)
	}
	return nil
}

// makeRoom ends the resting sessions of a user who has reached the limit.
func (s *Store) makeRoom(ctx context.Context, user string) error {
	cutoff := s.opt.Now().Add(-s.opt.UploadIdle / crowdedIdle)
	for _, u := range s.sessions.list() {
		if u.row.User != user {
			continue
		}
		var err error
		u.atRest(func() {
			if !u.ended && u.lastUse(s.files).Before(cutoff) {
				err = s.end(ctx, u)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parkCrowd closes the file that rests longest when too many are open. The caller owns no session.
func (s *Store) parkCrowd() (err error) {
	var oldest *session
	var since time.Time
	open := 0
	for _, u := range s.sessions.list() {
		u.atRest(func() {
			if u.k == nil {
				return
			}
			if open++; oldest == nil || u.used.Before(since) {
				oldest, since = u, u.used
			}
		})
	}
	if open > maxParked {
		oldest.atRest(func() { err = oldest.park() })
	}
	return err
}

// end removes record and file. The caller owns the session.
func (s *Store) end(ctx context.Context, u *session) error {
	err := s.Update(ctx, func(tx *Tx) error { return tx.del(bucketUpload, []byte(u.id)) })
	if err != nil {
		return fmt.Errorf("end upload %s: %w", u.id, err)
	}
	s.forget(u)
	if u.k != nil {
		err, u.k = u.k.discard(), nil
	} else if u.landed == nil {
		err = s.remove(u.path())
	}
	if err != nil {
		return fmt.Errorf("end upload %s: %w", u.id, err)
	}
	return nil
}

// forget takes u, whose record is gone, out of the table.
func (s *Store) forget(u *session) {
	u.ended = true
	s.sessions.drop(u)
}

// newID is a version 7 UUID (RFC 9562): time-ordered, so that records of one time share pages, and 74 random bits.
func newID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	rand.Read(b[6:]) // never fails: crypto/rand ends the process instead
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// fileSize is 0 when there is no file.
func (f *files) fileSize(path string) (int64, error) {
	st, err := os.Lstat(f.at(path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
