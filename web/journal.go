package web

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/internal/wire"
	"larder/store"
)

const (
	// journalDefault and journalMost bound the entries of one answer; journalBatch is how many are read per transaction.
	journalDefault, journalMost, journalBatch = 100, 1000, 500
	// waitMost is how long a reader may be kept waiting for the next entry.
	waitMost = time.Minute
)

// journalBody is the answer of GET /journal, oldest entry first.
type journalBody struct {
	Entries []store.Entry `json:"entries"`
	// Last is the sequence number up to which the journal was looked at: the next request's after.
	Last uint64 `json:"last"`
}

// journalQuery is the parsed query of GET /journal.
type journalQuery struct {
	after uint64
	// tail asks for the last entries, of those numbered below before if that is not 0.
	tail   bool
	before uint64
	limit  int
	wait   time.Duration
	match  func(store.Entry) bool
}

func parseJournalQuery(v url.Values) (q journalQuery, err error) {
	if q.after, err = number(v, "after", 0, 1<<63); err != nil {
		return q, err
	}
	if q.before, err = number(v, "before", 0, 1<<63); err != nil {
		return q, err
	}
	limit, err := number(v, "limit", journalDefault, journalMost)
	if err != nil {
		return q, err
	}
	wait, err := number(v, "wait", 0, uint64(waitMost/time.Second))
	if err != nil {
		return q, err
	}
	q.tail = v.Get("tail") != ""
	q.limit, q.wait = max(1, int(limit)), time.Duration(wait)*time.Second
	if k := v.Get("kind"); k != "" {
		if _, err := store.ParseKind(k); err != nil {
			return q, err
		}
	}
	q.match = matcher(v.Get("kind"), v.Get("package"), v.Get("user"))
	return q, nil
}

// number reads one parameter of at most most.
func number(v url.Values, name string, otherwise, most uint64) (uint64, error) {
	if v.Get(name) == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(v.Get(name), 10, 64)
	if err != nil || n > most {
		return 0, wire.Errorf(store.ErrInvalid, "%s must be a number of at most %d", name, most)
	}
	return n, nil
}

// matcher selects entries; an empty filter selects all. In pkg and user '*' matches any run of characters.
func matcher(kind, pkg, user string) func(store.Entry) bool {
	pkgRE, userRE := globRE(pkg), globRE(user)
	return func(e store.Entry) bool {
		return (kind == "" || string(e.Kind) == kind) &&
			(pkg == "" || pkgRE.MatchString(e.Package)) && (user == "" || userRE.MatchString(e.Actor.User))
	}
}

func globRE(glob string) *regexp.Regexp {
	return regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, `.*`) + `$`)
}

func (a *api) journal(w http.ResponseWriter, r *http.Request, q request) error {
	query, err := parseJournalQuery(q.query)
	if err != nil {
		return err
	}
	var body journalBody
	if query.tail {
		body, err = a.tail(r.Context(), query)
	} else {
		body, err = a.follow(r.Context(), query)
	}
	if err != nil {
		return err
	}
	if body.Entries == nil {
		body.Entries = []store.Entry{}
	}
	return answer(w, http.StatusOK, body)
}

// follow reads on from query.after, and waits for a first entry as long as the reader asked for.
func (a *api) follow(ctx context.Context, query journalQuery) (journalBody, error) {
	timeout := time.NewTimer(query.wait)
	defer timeout.Stop()
	for {
		// Taken before reading: an entry written in between wakes us.
		news := a.store.WatchJournal()
		body, err := a.forward(ctx, query)
		if err != nil || len(body.Entries) > 0 || query.wait == 0 {
			return body, err
		}
		query.after = body.Last
		select {
		case <-news:
		case <-timeout.C:
			return body, nil
		case <-wire.Stopping(ctx):
			return body, nil
		case <-ctx.Done():
			return body, ctx.Err()
		}
	}
}

// forward collects up to limit matching entries after query.after.
func (a *api) forward(ctx context.Context, query journalQuery) (journalBody, error) {
	body := journalBody{Last: query.after}
	for {
		batch, err := a.store.Journal(ctx, body.Last, journalBatch)
		if err != nil {
			return body, err
		}
		for _, e := range batch {
			body.Last = e.Seq
			if query.match(e) {
				body.Entries = append(body.Entries, e)
			}
			if len(body.Entries) == query.limit {
				return body, nil
			}
		}
		if len(batch) < journalBatch {
			return body, nil
		}
	}
}

// tail collects the last limit matching entries, oldest first, reading the journal backwards in batches.
func (a *api) tail(ctx context.Context, query journalQuery) (journalBody, error) {
	newest, err := a.store.JournalTail(ctx, 1)
	if err != nil || len(newest) == 0 {
		return journalBody{}, err
	}
	body := journalBody{Last: newest[0].Seq}
	end := body.Last
	if query.before > 0 {
		end = min(end, query.before-1)
	}
	for end > 0 && len(body.Entries) < query.limit {
		start := end - min(end, journalBatch)
		batch, err := a.store.Journal(ctx, start, int(end-start))
		if err != nil {
			return body, err
		}
		batch = slices.DeleteFunc(batch, func(e store.Entry) bool { return !query.match(e) })
		body.Entries = append(batch, body.Entries...)
		end = start
	}
	body.Entries = body.Entries[max(0, len(body.Entries)-query.limit):]
	return body, nil
}
