package upstream

// This file notes what a client's request was answered from, so that it is counted once, whatever was looked at for it.

import (
	"context"
	"net/http"
	"sync"
)

// how is what became of one question that was put to a set. Of several for one request the greatest counts.
type how int

const (
	howAbsent how = iota + 1 // the upstream does not have it
	howHit                   // from what is kept
	howStale                 // from what is kept, past its lifetime
	howMiss                  // something was fetched
)

// Answer is what one request of a client was answered from; a context carries it under AnswerKey. Without one nothing
// is counted.
type Answer struct {
	mu   sync.Mutex // guards what follows
	from *Upstream
	how  how
}

// AnswerKey is the key of a *Answer in a context.
type AnswerKey struct{}

// tell says that something was answered from u, for the request that ctx is of.
func tell(ctx context.Context, u *Upstream, h how) {
	if a, _ := ctx.Value(AnswerKey{}).(*Answer); a != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if h > a.how {
			a.from, a.how = u, h
		}
	}
}

// said is what was noted.
func (a *Answer) said() (*Upstream, how) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.from, a.how
}

// Count counts the request, which ended with status and whose answer had so many bytes, for the upstream it was
// answered from. False when it was not answered from one, and nothing is counted.
func (a *Answer) Count(status int, sent int64) bool {
	u, how := a.said()
	if u == nil {
		return false
	}
	m := u.meter
	switch {
	case Absent(status):
		m.Absent.Add(1)
	case status >= http.StatusBadRequest || how == howAbsent:
		return false
	case how == howHit:
		m.Hits.Add(1)
	case how == howStale:
		m.Stale.Add(1)
	default:
		m.Misses.Add(1)
	}
	m.Requests.Add(1)
	if !Absent(status) {
		m.Sent.Add(sent)
	}
	return true
}
