package disk

// This file has the table of resumable uploads and their life between requests. What one request does to one of them is
// in upload.go.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"larder/internal/problem"
)

const (
	maxUserUploads = 512 // sessions one user may have open; the one that rests longest makes room for another
	maxParked      = 128 // files kept open between requests
	parkAfter      = 10 * time.Minute
)

// Session is an upload in progress. Its file uploads/<id> is all that a restart needs: the file's size is the offset,
// its time the last use, and the id itself says whom it belongs to. So starting one needs no record.
type Session struct {
	folder *Folder
	id     string
	owner  Owner

	mu   sync.Mutex // guards busy, and the rest while nobody is busy
	busy bool       // one request has the session and owns the rest, without mu

	k      *Sink     // the open file and its sums; nil when parked, and before the first use in this process
	landed *Blob     // the bytes are a blob already, only its record failed: the next commit repeats that
	ended  bool      // committed, cancelled or expired
	used   time.Time // end of the last request; zero before the first in this process
}

// acquire makes the caller the one request that owns the session; false when there is one.
func (u *Session) acquire() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy {
		return false
	}
	u.busy = true
	return true
}

func (u *Session) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy = false
}

// atRest runs fn unless a request has the session. A request that comes meanwhile waits: housekeeping must not look
// like a second writer.
func (u *Session) atRest(fn func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.busy {
		fn()
	}
}

// sessions are the uploads somebody asked for since the folder was opened.
type sessions struct {
	mu     sync.Mutex
	byID   map[string]*Session
	byUser map[string]int
}

func (t *sessions) init() {
	t.byID, t.byUser = make(map[string]*Session), make(map[string]int)
}

// add registers u; false when its user has as many as allowed.
func (t *sessions) add(u *Session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byUser[u.owner.User] >= maxUserUploads {
		return false
	}
	t.byID[u.id] = u
	t.byUser[u.owner.User]++
	return true
}

// adopt registers u unless another request just did.
func (t *sessions) adopt(u *Session) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.byID[u.id]; other != nil {
		return other
	}
	t.byID[u.id] = u
	t.byUser[u.owner.User]++
	return u
}

func (t *sessions) get(id string) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

func (t *sessions) drop(u *Session) {
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
func (t *sessions) list() []*Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*Session, 0, len(t.byID))
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

// StartUpload begins an upload of owner and returns its id, a UUID that key signs. ErrQuota when the user has too many
// that are being written to, ErrReadOnly, ErrFull.
func (f *Folder) StartUpload(key []byte, owner Owner) (id string, err error) {
	u := &Session{folder: f, owner: owner, used: f.now()}
	err = u.makeFile(key)
	for errors.Is(err, fs.ErrExist) { // the id was in use
		err = u.makeFile(key)
	}
	if err == nil {
		err = f.register(u)
	}
	if err != nil {
		return "", err
	}
	return u.id, nil
}

// makeFile gives the session an id and its file, which is what of it survives a restart.
func (u *Session) makeFile(key []byte) (err error) {
	u.id = newUploadID(key, u.owner, u.used)
	if u.k, err = u.folder.newSink(u.id, nil); err != nil {
		return err
	}
	u.k.file, err = u.folder.Create(u.k.path, 0o600)
	if u.k.made = !errors.Is(err, fs.ErrExist); err != nil && u.k.made {
		err = errors.Join(err, u.k.Discard())
	}
	return err
}

// register lets the session be found, if its user may have another one.
func (f *Folder) register(u *Session) error {
	for !f.sessions.add(u) {
		made, err := f.makeRoom(u.owner.User)
		if err == nil && !made {
			err = problem.Errorf(ErrQuota,
				"%d uploads are being written to at this moment, finish or cancel one", maxUserUploads)
		}
		if err != nil {
			return errors.Join(err, u.k.Discard())
		}
	}
	return f.parkCrowd()
}

// FindUpload returns the session id of owner, whose id key has signed. ErrNotFound; anybody else's looks absent: an id
// is not a capability.
func (f *Folder) FindUpload(key []byte, owner Owner, id string) (*Session, error) {
	if !ownsUpload(key, owner, id) {
		return nil, errNoUpload()
	}
	if u := f.sessions.get(id); u != nil {
		return u, nil
	}
	// From before a restart, if its file is there.
	if st, err := os.Lstat(f.Path(UploadsDir + "/" + id)); err != nil || !st.Mode().IsRegular() {
		return nil, errNoUpload()
	}
	return f.sessions.adopt(&Session{folder: f, id: id, owner: owner}), nil
}

func errNoUpload() error { return problem.Errorf(problem.ErrNotFound, "there is no such upload") }

func (u *Session) path() string { return UploadsDir + "/" + u.id }

// Offset is the number of bytes the upload has.
func (u *Session) Offset() (int64, error) {
	n := int64(-1)
	u.atRest(func() {
		if u.landed != nil || u.k != nil {
			n = u.offset()
		}
	})
	if n >= 0 {
		return n, nil
	}
	st, err := os.Lstat(u.folder.Path(u.path()))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// offset is Offset for the owner of the session.
func (u *Session) offset() int64 {
	switch {
	case u.landed != nil:
		return u.landed.Size
	case u.k != nil:
		return u.k.size
	}
	return 0
}

// park closes the file and forgets the sums. Keeping the sums without the descriptor would be wrong: a write-back error
// between two descriptors would go unnoticed, while re-hashing reads what is really there.
func (u *Session) park() error {
	if u.k == nil {
		return nil
	}
	k := u.k
	u.k = nil
	return k.park()
}

// unpark opens the file and brings the sums to its end. The caller owns the session.
func (u *Session) unpark(ctx context.Context) error {
	if u.k != nil || u.landed != nil {
		return nil
	}
	k, err := u.folder.newSink(u.id, nil)
	if err == nil {
		k.file, err = u.folder.reopen(k.path)
		k.made = true
	}
	if err == nil {
		err = k.rehash(ctx)
	}
	if err != nil {
		return errors.Join(err, k.park())
	}
	u.k = k
	return nil
}

// lastUse is the newest sign of life: the file's time after a restart.
func (u *Session) lastUse() time.Time {
	if !u.used.IsZero() {
		return u.used
	}
	st, err := os.Lstat(u.folder.Path(u.path()))
	if err != nil {
		return time.Time{}
	}
	return notAfter(st.ModTime(), u.folder.now())
}

// notAfter is t, or now when t lies in the future: that is a clock's mistake.
func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// ExpireUploads ends the sessions that nobody used for idle, and closes the files of those that rest.
func (f *Folder) ExpireUploads(ctx context.Context, idle time.Duration) error {
	return errors.Join(f.expireSessions(ctx, idle), f.expireFiles(ctx, idle))
}

func (f *Folder) expireSessions(ctx context.Context, idle time.Duration) error {
	now := f.now()
	var failed error
	for _, u := range f.sessions.list() {
		if err := ctx.Err(); err != nil {
			return err
		}
		u.atRest(func() {
			switch rests := now.Sub(u.lastUse()); {
			case u.ended:
			case rests > idle:
				failed = errors.Join(failed, u.end())
			case rests > parkAfter:
				failed = errors.Join(failed, u.park())
			}
		})
	}
	return failed
}

// expireFiles removes the files of sessions from before a restart that nobody came back to.
func (f *Folder) expireFiles(ctx context.Context, idle time.Duration) error {
	names, err := f.Uploads()
	if err != nil {
		return err
	}
	now := f.now()
	for _, name := range names {
		st, err := os.Lstat(f.Path(UploadsDir + "/" + name))
		if err != nil || f.sessions.get(name) != nil || now.Sub(notAfter(st.ModTime(), now)) <= idle {
			continue
		}
		if err := errors.Join(ctx.Err(), f.Remove(UploadsDir+"/"+name)); err != nil {
			return err
		}
	}
	return nil
}

// Uploads lists the ids of unfinished uploads.
func (f *Folder) Uploads() (ids []string, err error) {
	entries, err := os.ReadDir(f.Path(UploadsDir))
	for _, e := range entries {
		if isUploadID(e.Name()) && e.Type().IsRegular() {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}

// makeRoom ends the session of a user that rests longest; false when a request is writing to each of them. Its client
// finds no such upload and starts anew.
func (f *Folder) makeRoom(user string) (made bool, err error) {
	var resting []*Session
	used := make(map[*Session]time.Time)
	for _, u := range f.sessions.list() {
		if u.owner.User != user {
			continue
		}
		u.atRest(func() {
			if !u.ended {
				used[u] = u.lastUse()
				resting = append(resting, u)
			}
		})
	}
	slices.SortFunc(resting, func(a, b *Session) int { return used[a].Compare(used[b]) })
	for _, u := range resting {
		u.atRest(func() {
			// Somebody may have come back to it since.
			if !u.ended && !u.lastUse().After(used[u]) {
				err = u.end()
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
func (f *Folder) parkCrowd() (err error) {
	var oldest *Session
	var since time.Time
	open := 0
	for _, u := range f.sessions.list() {
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
func (u *Session) end() (err error) {
	if u.k != nil {
		err = u.k.Discard()
	} else if u.landed == nil {
		err = u.folder.Remove(u.path())
	}
	if err != nil {
		return fmt.Errorf("end upload %s: %w", u.id, err)
	}
	u.k = nil
	u.forget()
	return nil
}

// forget takes u, whose file is gone, out of the table.
func (u *Session) forget() {
	u.ended = true
	u.folder.sessions.drop(u)
}
