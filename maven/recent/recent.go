// Package recent is what a repository remembers between requests and may forget at any time: what came lately and what
// went out lately.
package recent

import (
	"maps"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/maven/checksum"
)

const (
	maxRemembered = 8192
	arrivalTime   = 10 * time.Minute
	sentTime      = 10 * time.Second // a client asks for the checksum right after the document
	maxTries      = 4                // uploads of one path by one user
)

// Key is a path and the user who put something there.
type Key struct{ Path, User string }

// arrival is what a user has put at a path lately. Several: two processes of one user may deploy at once, and each
// sends the checksums of its own file.
type arrival struct {
	at        time.Time
	files     []Arrived
	announced map[string]string // checksums that came before the file
}

// Arrived is one file that came; a refused one may be there with other bytes.
type Arrived struct {
	Digest  digest.Digest
	Sums    map[string]string
	Refused bool
}

// Arrivals remembers uploads, so that checksums are compared without asking the disk.
type Arrivals struct {
	mu    sync.Mutex // guards byKey
	byKey map[Key]*arrival
}

// entry returns what is known of k, made when there is nothing; the caller holds the lock.
func (a *Arrivals) entry(k Key, now time.Time) *arrival {
	e := a.byKey[k]
	if e == nil || now.Sub(e.at) > arrivalTime {
		if a.byKey == nil || len(a.byKey) >= maxRemembered {
			a.shrink(now)
		}
		e = &arrival{}
		a.byKey[k] = e
	}
	e.at = now
	return e
}

// shrink forgets what is old, and everything if that is not enough.
func (a *Arrivals) shrink(now time.Time) {
	for k, e := range a.byKey {
		if now.Sub(e.at) > arrivalTime {
			delete(a.byKey, k)
		}
	}
	if a.byKey == nil || len(a.byKey) >= maxRemembered {
		a.byKey = map[Key]*arrival{}
	}
}

// Add notes a file that came.
func (a *Arrivals) Add(k Key, f Arrived) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entry(k, time.Now())
	e.announced = nil
	if len(e.files) == maxTries {
		e.files = e.files[1:]
	}
	e.files = append(e.files, f)
}

// Announce notes a checksum whose file has not come yet.
func (a *Arrivals) Announce(k Key, alg, sum string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entry(k, time.Now())
	sums := maps.Clone(e.announced) // whoever asked before reads them without the lock
	if sums == nil {
		sums = map[string]string{}
	}
	sums[alg] = sum
	e.announced = sums
}

// Announced are the checksums that came before the file.
func (a *Arrivals) Announced(k Key) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.byKey[k]; e != nil && time.Since(e.at) <= arrivalTime {
		return e.announced
	}
	return nil
}

// any reports whether a file that k brought satisfies ok.
func (a *Arrivals) any(k Key, ok func(Arrived) bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.byKey[k]
	if e == nil || time.Since(e.at) > arrivalTime {
		return false
	}
	for _, f := range e.files {
		if ok(f) {
			return true
		}
	}
	return false
}

// Match is what is known of a checksum.
type Match int

const (
	MatchNone Match = iota
	MatchTaken
	MatchRefused
)

// Match says whether one of the files has the checksum.
func (a *Arrivals) Match(k Key, alg, sum string) Match {
	has := func(f Arrived) bool { return f.Sums[alg] == sum || alg == "sha256" && f.Digest.Encoded() == sum }
	switch {
	case a.any(k, func(f Arrived) bool { return has(f) && !f.Refused }):
		return MatchTaken
	case a.any(k, has):
		return MatchRefused
	}
	return MatchNone
}

// Brought reports whether one of the files that were taken has the digest.
func (a *Arrivals) Brought(k Key, d digest.Digest) bool {
	return a.any(k, func(f Arrived) bool { return f.Digest == d && !f.Refused })
}

// Other reports whether one of the files has another digest: it was not kept, so what it was cannot be said.
func (a *Arrivals) Other(k Key, d digest.Digest) bool {
	return a.any(k, func(f Arrived) bool { return f.Digest != d && f.Sums["sha512"] == "" })
}

// Busy counts the uploads under way by version.
type Busy struct {
	mu    sync.Mutex // guards byKey
	byKey map[string]int
}

// Enter counts one more until the returned function is called.
func (b *Busy) Enter(key string) (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byKey == nil {
		b.byKey = map[string]int{}
	}
	b.byKey[key]++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.byKey[key]--; b.byKey[key] == 0 {
			delete(b.byKey, key)
		}
	}
}

// Count is how many there are of a version.
func (b *Busy) Count(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byKey[key]
}

// Recipient is who got a document: a connection, or a client by user, address and program.
type Recipient struct{ Conn, User, Addr, Agent string }

// sentKey is a document and who got it.
type sentKey struct {
	Recipient
	path string
}

type sentDocument struct {
	at   time.Time
	sums checksum.Set
}

// Sent remembers which generation of a metadata document went to whom: document and checksum are two requests, and
// between them somebody may deploy. Without it clients warn of, or fail on, a checksum that is right.
type Sent struct {
	mu    sync.Mutex // guards byKey
	byKey map[sentKey]sentDocument
}

// Add notes that a document went to each of them.
func (l *Sent) Add(sums checksum.Set, path string, to ...Recipient) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byKey == nil || len(l.byKey) >= maxRemembered {
		for k, d := range l.byKey {
			if now.Sub(d.at) > sentTime {
				delete(l.byKey, k)
			}
		}
		if l.byKey == nil || len(l.byKey) >= maxRemembered {
			l.byKey = map[sentKey]sentDocument{}
		}
	}
	for _, t := range to {
		l.byKey[sentKey{t, path}] = sentDocument{now, sums}
	}
}

// Find looks under each name in turn.
func (l *Sent) Find(path string, to ...Recipient) (checksum.Set, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range to {
		if d, ok := l.byKey[sentKey{t, path}]; ok && time.Since(d.at) <= sentTime {
			return d.sums, true
		}
	}
	return checksum.Set{}, false
}
