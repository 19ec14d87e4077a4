package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"larder/internal/problem"

	"github.com/opencontainers/go-digest"
)

// Here: the table of resumable uploads and their life between requests. What one request does to one of them is upload.go.

const (
	maxUserUploads = 512 // sessions one user may have open; the one that rests longest makes room for another
	maxParked      = 128 // files kept open between requests
	parkAfter      = 10 * time.Minute
)

// uploadOwner is what a session is bound to.
type uploadOwner struct {
	Kind    Kind
	Package string
	User    string
}

// session is an upload in progress. Its file uploads/<id> is all that a restart needs: the file's size is the offset, its
// time the last use, and the id itself says whom it belongs to. So starting one costs no transaction.
type session struct {
	id    string
	owner uploadOwner

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

// sessions are the uploads somebody asked for since the store was opened.
type sessions struct {
	mu     sync.Mutex
	byID   map[string]*session
	byUser map[string]int
	key    []byte // signs ids; read when first needed
}

func (t *sessions) init() {
	t.byID, t.byUser = make(map[string]*session), make(map[string]int)
}

// idKey is the secret that binds ids to their owners.
func (s *Store) idKey(ctx context.Context) ([]byte, error) {
	s.sessions.mu.Lock()
	key := s.sessions.key
	s.sessions.mu.Unlock()
	if key != nil {
		return key, nil
	}
	key, err := s.Secret(ctx, "uploads", sha256.Size)
	if err != nil {
		return nil, err
	}
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	s.sessions.key = key
	return key, nil
}

// add registers u; false when its user has as many as allowed.
func (t *sessions) add(u *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byUser[u.owner.User] >= maxUserUploads {
		return false
	}
	t.byID[u.id] = u
	t.byUser[u.owner.User]++
	return true
}

func (t *sessions) drop(u *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID[u.id] == u {
		delete(t.byID, u.id)
		if t.byUser[u.owner.User]--; t.byUser[u.owner.User] == 0 {
			delete(t.byUser, u.owner.User)
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

// closeSessions closes the files between requests; a request that is still running keeps its own.
func (t *sessions) closeSessions() {
	for _, u := range t.list() {
		u.atRest(func() { u.park() })
	}
}

// find returns the session id of this kind, package and user. Anybody else's looks absent: an id is not a capability.
func (s *Store) find(ctx context.Context, k Kind, pkg, id string) (*session, error) {
	s.touch(k, pkg)
	owner := uploadOwner{Kind: k, Package: pkg, User: ActorFrom(ctx).User}
	key, err := s.idKey(ctx)
	if err != nil {
		return nil, err
	}
	if !ownsUpload(key, owner, id) {
		return nil, errNoUpload()
	}
	u := s.sessions.get(id)
	if u != nil {
		return u, nil
	}
	// From before a restart, if its file is there.
	if st, err := os.Lstat(s.at(uploadsDir + "/" + id)); err != nil || !st.Mode().IsRegular() {
		return nil, errNoUpload()
	}
	return s.sessions.adopt(&session{id: id, owner: owner}), nil
}

func errNoUpload() error { return problem.Errorf(ErrNotFound, "there is no such upload") }

func (t *sessions) get(id string) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

// adopt registers u unless another request just did.
func (t *sessions) adopt(u *session) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.byID[u.id]; other != nil {
		return other
	}
	t.byID[u.id] = u
	t.byUser[u.owner.User]++
	return u
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

// lastUse is the newest sign of life: the file's time after a restart.
func (u *session) lastUse(f *files) time.Time {
	if !u.used.IsZero() {
		return u.used
	}
	st, err := os.Lstat(f.at(u.path()))
	if err != nil {
		return time.Time{}
	}
	return notAfter(st.ModTime(), f.now())
}

// notAfter is t, or now when t lies in the future: that is a clock's mistake.
func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// ExpireUploads ends the sessions that nobody used for Options.UploadIdle and closes the files of those that rest. It is a job: call
// it every few minutes.
func (s *Store) ExpireUploads(ctx context.Context) error {
	err := errors.Join(s.expireSessions(ctx), s.expireFiles(ctx))
	if err != nil {
		return fmt.Errorf("expire uploads: %w", err)
	}
	return nil
}

func (s *Store) expireSessions(ctx context.Context) error {
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
				failed = errors.Join(failed, s.end(u))
			case idle > parkAfter:
				failed = errors.Join(failed, u.park())
			}
		})
	}
	return failed
}

// expireFiles removes the files of sessions from before a restart that nobody came back to.
func (s *Store) expireFiles(ctx context.Context) error {
	names, err := s.uploadFiles()
	if err != nil {
		return err
	}
	now := s.opt.Now()
	for _, name := range names {
		st, err := os.Lstat(s.at(uploadsDir + "/" + name))
		if err != nil || s.sessions.get(name) != nil || now.Sub(notAfter(st.ModTime(), now)) <= s.opt.UploadIdle {
			continue
		}
		if err := errors.Join(ctx.Err(), s.remove(uploadsDir+"/"+name)); err != nil {
			return err
		}
	}
	return nil
}

// uploadFiles lists the files of unfinished uploads.
func (f *files) uploadFiles() (names []string, err error) {
	entries, err := os.ReadDir(f.at(uploadsDir))
	for _, e := range entries {
		if isUploadID(e.Name()) && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// makeRoom ends the session of a user that rests longest; false when a request is writing to each of them. Whoever owns
// it finds no such upload and starts anew.
func (s *Store) makeRoom(user string) (made bool, err error) {
	var resting []*session
	used := make(map[*session]time.Time)
	for _, u := range s.sessions.list() {
		if u.owner.User != user {
			continue
		}
		u.atRest(func() {
			if !u.ended {
				used[u] = u.lastUse(s.files)
				resting = append(resting, u)
			}
		})
	}
	slices.SortFunc(resting, func(a, b *session) int { return used[a].Compare(used[b]) })
	for _, u := range resting {
		u.atRest(func() {
			// Somebody may have come back to it since.
			if !u.ended && !u.lastUse(s.files).After(used[u]) {
				err = s.end(u)
				made = err == nil
			}
		})
		if made || err != nil {
			break
		}
	}
	return made, err
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

// end removes the session and its file. The caller owns the session.
func (s *Store) end(u *session) (err error) {
	if u.k != nil {
		err = u.k.discard()
	} else if u.landed == nil {
		err = s.remove(u.path())
	}
	if err != nil {
		return fmt.Errorf("end upload %s: %w", u.id, err)
	}
	u.k = nil
	s.forget(u)
	return nil
}

// forget takes u, whose file is gone, out of the table.
func (s *Store) forget(u *session) {
	u.ended = true
	s.sessions.drop(u)
}

// An upload's id is a version 8 UUID (RFC 9562): 32 bits of Unix seconds, so that listings are in order; 28 random
// bits; 62 bits of an HMAC-SHA-256 of those and the owner. Nobody can make one for himself, or use another's.

// newUploadID makes an id for owner.
func (s *Store) newUploadID(ctx context.Context, owner uploadOwner) (string, error) {
	key, err := s.idKey(ctx)
	if err != nil {
		return "", err
	}
	var b [16]byte
	binary.BigEndian.PutUint32(b[:4], uint32(s.opt.Now().Unix()))
	rand.Read(b[4:8]) // never fails: crypto/rand ends the process instead
	b[6] = b[6]&0x0f | 0x80
	return signedID(key, owner, b), nil
}

// signedID fills in the second half of an id.
func signedID(key []byte, owner uploadOwner, b [16]byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%x %s %q %q", b[:8], owner.Kind, owner.Package, owner.User)
	copy(b[8:], mac.Sum(nil))
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ownsUpload reports whether id was made for owner.
func ownsUpload(key []byte, owner uploadOwner, id string) bool {
	if !isUploadID(id) {
		return false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:8], []byte(id[:8]+id[9:13]+id[14:18])); err != nil {
		return false
	}
	return hmac.Equal([]byte(signedID(key, owner, b)), []byte(id))
}

// isUploadID tells the names of uploads from those of stages.
func isUploadID(name string) bool {
	return len(name) == 36 && name[8] == '-' && name[13] == '-' && name[18] == '-' && name[23] == '-' && name[14] == '8'
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
