package maven

// What is remembered between requests and may be forgotten at any time: what came lately and what went out lately.

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

// arrivalKey is a path and the user who put something there.
type arrivalKey struct{ path, user string }

// arrival is what a user has put at a path lately. Several: two processes of one user may deploy at once, and each sends
// the checksums of its own file.
type arrival struct {
	at        time.Time
	files     []arrived
	announced map[string]string // checksums that came before the file
}

// arrived is one file that came; a refused one may be there with other bytes.
type arrived struct {
	digest  digest.Digest
	sums    map[string]string
	refused bool
}

// arrivals remembers uploads, so that checksums are compared without asking the disk.
type arrivals struct {
	mu    sync.Mutex // guards byKey
	byKey map[arrivalKey]*arrival
}

// entry returns what is known of k, made when there is nothing; the caller holds the lock.
func (a *arrivals) entry(k arrivalKey, now time.Time) *arrival {
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
func (a *arrivals) shrink(now time.Time) {
	for k, e := range a.byKey {
		if now.Sub(e.at) > arrivalTime {
			delete(a.byKey, k)
		}
	}
	if a.byKey == nil || len(a.byKey) >= maxRemembered {
		a.byKey = map[arrivalKey]*arrival{}
	}
}

// add notes a file that came.
func (a *arrivals) add(k arrivalKey, f arrived) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entry(k, time.Now())
	e.announced = nil
	if len(e.files) == maxTries {
		e.files = e.files[1:]
	}
	e.files = append(e.files, f)
}

// announce notes a checksum whose file has not come yet.
func (a *arrivals) announce(k arrivalKey, alg, sum string) {
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

// announced are the checksums that came before the file.
func (a *arrivals) announced(k arrivalKey) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.byKey[k]; e != nil && time.Since(e.at) <= arrivalTime {
		return e.announced
	}
	return nil
}

// any reports whether a file that k brought satisfies ok.
func (a *arrivals) any(k arrivalKey, ok func(arrived) bool) bool {
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

// match is what is known of a checksum.
type match int

const (
	matchNone match = iota
	matchTaken
	matchRefused
)

// match says whether one of the files has the checksum.
func (a *arrivals) match(k arrivalKey, alg, sum string) match {
	has := func(f arrived) bool { return f.sums[alg] == sum || alg == "sha256" && f.digest.Encoded() == sum }
	switch {
	case a.any(k, func(f arrived) bool { return has(f) && !f.refused }):
		return matchTaken
	case a.any(k, has):
		return matchRefused
	}
	return matchNone
}

// brought reports whether one of the files that were taken has the digest.
func (a *arrivals) brought(k arrivalKey, d digest.Digest) bool {
	return a.any(k, func(f arrived) bool { return f.digest == d && !f.refused })
}

// other reports whether one of the files has another digest: it was not kept, so what it was cannot be said.
func (a *arrivals) other(k arrivalKey, d digest.Digest) bool {
	return a.any(k, func(f arrived) bool { return f.digest != d && f.sums["sha512"] == "" })
}

// busy counts the uploads under way by version.
type busy struct {
	mu    sync.Mutex // guards byKey
	byKey map[string]int
}

// enter counts one more until the returned function is called.
func (b *busy) enter(key string) (leave func()) {
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

func (b *busy) count(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byKey[key]
}

// recipient is who got a document: a connection, or a client by user, address and program.
type recipient struct{ conn, user, addr, agent string }

// sentKey is a document and who got it.
type sentKey struct {
	recipient
	path string
}

type sentDocument struct {
	at   time.Time
	sums checksum.Set
}

// sentLately remembers which generation of a metadata document went to whom: document and checksum are two requests, and
// between them somebody may deploy. Without it clients warn of, or fail on, a checksum that is right.
type sentLately struct {
	mu    sync.Mutex // guards byKey
	byKey map[sentKey]sentDocument
}

func (l *sentLately) add(sums checksum.Set, path string, to ...recipient) {
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

// find looks under each name in turn.
func (l *sentLately) find(path string, to ...recipient) (checksum.Set, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range to {
		if d, ok := l.byKey[sentKey{t, path}]; ok && time.Since(d.at) <= sentTime {
			return d.sums, true
		}
	}
	return checksum.Set{}, false
}
