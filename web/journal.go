package web

// The journal: its queries, long polls, and the archives.

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

const (
	// journalDefault and journalMost bound the entries of one answer.
	journalDefault, journalMost = 100, 1000
	// waitMost is how long a reader may be kept waiting for the next entry.
	waitMost = time.Minute
)

// journalBody is the answer of GET /journal, oldest entry first.
type journalBody struct {
	Entries []store.Entry `json:"entries"`
	// Last is the sequence number up to which the journal was looked at: the next request's after.
	Last uint64 `json:"last"`
	// Next is the cursor of older entries, or with after of newer ones; "" when the page is not full.
	Next string `json:"next,omitempty"`
}

// cursor sets what the cursor of a page says: "a" and the entry after which it begins, or "b" and the one before.
func (q *journalQuery) cursor(r *http.Request) error {
	p, err := pageOf(r, journalDefault, journalMost)
	if err != nil || p.cursor == "" {
		return err
	}
	seq, err := strconv.ParseUint(p.cursor[1:], 10, 63)
	q.tail = p.cursor[0] == 'b'
	switch {
	case err != nil || !q.tail && p.cursor[0] != 'a':
		return badCursor()
	case q.tail:
		q.before = seq
	default:
		q.after = seq
	}
	return nil
}

// next is the cursor of what follows a page.
func (q *journalQuery) next(b journalBody) string {
	switch {
	case len(b.Entries) < q.limit:
		return ""
	case q.tail:
		return next("b" + strconv.FormatUint(b.Entries[0].Seq, 10))
	}
	return next("a" + strconv.FormatUint(b.Last, 10))
}

// journalQuery is the parsed query of GET /journal.
type journalQuery struct {
	after uint64
	// tail asks for the last entries, of those numbered below before if that is not 0.
	tail   bool
	before uint64
	limit  int
	wait   time.Duration
	filter store.EntryFilter
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
	q.filter, err = parseFilter(v)
	return q, err
}

// parseFilter reads which entries are wanted. What has no '*' is found by the journal's index.
func parseFilter(v url.Values) (f store.EntryFilter, err error) {
	if k := v.Get("kind"); k != "" {
		if f.Kind, err = store.ParseKind(k); err != nil {
			return f, err
		}
	}
	if since := v.Get("since"); since != "" {
		if f.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return f, problem.Errorf(store.ErrInvalid, "since must be a time such as 2026-01-31T00:00:00Z")
		}
	}
	f.Op = store.Op(v.Get("op"))
	return f.Named(v.Get("package"), v.Get("user")), nil
}

// number reads one parameter of at most most.
func number(v url.Values, name string, otherwise, most uint64) (uint64, error) {
	if v.Get(name) == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(v.Get(name), 10, 64)
	if err != nil || n > most {
		return 0, problem.Errorf(store.ErrInvalid, "%s must be a number of at most %d", name, most)
	}
	return n, nil
}

func (a *api) journal(w http.ResponseWriter, r *http.Request, q request) error {
	query, err := parseJournalQuery(r.URL.Query())
	if err == nil {
		err = query.cursor(r)
	}
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
	body.Next = query.next(body)
	link(w, r, body.Next)
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
func (a *api) forward(ctx context.Context, query journalQuery) (body journalBody, err error) {
	body.Entries, body.Last, err = a.store.Entries(ctx, query.filter, query.after, query.limit)
	return body, err
}

// tail collects the last limit matching entries, oldest first.
func (a *api) tail(ctx context.Context, query journalQuery) (body journalBody, err error) {
	newest, err := a.store.JournalTail(ctx, 1)
	if err != nil || len(newest) == 0 {
		return body, err
	}
	body.Last = newest[0].Seq
	body.Entries, err = a.store.EntriesBefore(ctx, query.filter, query.before, query.limit)
	slices.Reverse(body.Entries)
	return body, err
}

// archiveEnd is the last line of GET /journal/archive: the number up to which all entries were told.
type archiveEnd struct {
	Last uint64 `json:"last"`
}

// journalArchive streams the matching entries that are in archives, one a line.
func (a *api) journalArchive(w http.ResponseWriter, r *http.Request, q request) error {
	query, err := parseJournalQuery(r.URL.Query())
	if err != nil {
		return err
	}
	lines := &lines{w: w, rc: http.NewResponseController(w), r: r}
	last, err := a.store.ArchivedEntries(
		r.Context(), query.filter, query.after, func(e store.Entry) error { return lines.line(e) },
	)
	switch {
	case err != nil && !lines.begun:
		return err
	case err != nil:
		a.log.Error("archives of the journal not read", "id", wire.RequestID(r.Context()), "err", err)
		return lines.line(errorBody{Error: problem.Public(err), RequestID: wire.RequestID(r.Context())})
	}
	return lines.line(archiveEnd{last})
}
