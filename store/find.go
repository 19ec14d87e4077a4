package store

// This file finds the packages that a query selects, in a bounded number of steps, so that no search costs more because
// more is here.

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"larder/internal/budget"
)

const (
	// MaxMatches is the most packages a search finds.
	MaxMatches = 5000
	// maxRows is how many rows of the index a search reads, shared by its words and marks.
	maxRows = 20_000
	// maxTerms is how many words and marks of a query count; the rest is ignored.
	maxTerms = 16
	// maxWithout is how many marks count that must be absent.
	maxWithout = 4
	// maxLooks is how many packages a search looks up to see whether they have a term too common to be read in full, and
	// maxReads how many listings it reads for that. What is not looked up is not found.
	maxLooks = 10_000
	maxReads = 1000
	// checkEvery is how many steps a search takes before it looks whether somebody still waits for it.
	checkEvery = 512
)

// Search returns packages of the kind that q selects, best first, equals by name. Without words and marks all listed
// packages are selected. Of a query that selects more than MaxMatches packages, or that has a word or mark with more
// rows than one search reads, the first by word and name are found, and always the package whose name is the word; the
// answer is the same until the index changes. Few searches run at once: a *budget.Busy after some seconds in line,
// ctx's error when the client has left.
func (s *Store) Search(ctx context.Context, k Kind, q Query) (out []Match, err error) {
	err = s.Heavy(ctx, func() error {
		return s.View(ctx, func(tx *Tx) error {
			f := finder{ctx: ctx, tx: tx, kind: k}
			out, err = f.find(q)
			return err
		})
	})
	return out, err
}

// newHeavy keeps heavy work to half of the processors, so that quick requests always find one.
func newHeavy() *budget.Pool {
	const busy = "The server is busy with other searches and lists; try again in a moment."
	return budget.NewPool(int64(max(1, runtime.GOMAXPROCS(0)/2)), budget.Wait, busy)
}

// Heavy runs work that takes a processor for more than a moment: searches, lists made for one client, audits. Few run
// at once, with a pause as long as the work after each; the others wait in line. See Search for the errors. Work must
// neither wait for a client nor call Heavy.
func (s *Store) Heavy(ctx context.Context, work func() error) error {
	pool := s.heavy
	if err := pool.Acquire(ctx, 1); err != nil {
		return err
	}
	start := time.Now()
	defer func() {
		// The processor is left to quick work for three times as long: without a pause, a client that floods the line would
		// keep it busy for ever, and the collection of what it leaves costs as much again.
		time.AfterFunc(min(3*time.Since(start), maxPause), func() { pool.Release(1) })
	}()
	return work()
}

// maxPause is the longest pause after a piece of heavy work.
const maxPause = 200 * time.Millisecond

// finder is one search in its transaction.
type finder struct {
	ctx   context.Context
	tx    *Tx
	kind  Kind
	steps int // rows read and looked up
	looks int // rows looked up
	reads int // listings read
}

// step counts, and ends the search when nobody waits for it.
func (f *finder) step() error {
	if f.steps++; f.steps%checkEvery == 0 {
		return f.ctx.Err()
	}
	return nil
}

// term is a word or mark of a query with the rows that were read of it.
type term struct {
	text   string
	mark   bool
	scores map[string]int // by package; 0 for a mark
	whole  bool           // all rows were read
}

func (f *finder) find(q Query) ([]Match, error) {
	terms, err := f.read(q)
	if err != nil {
		return nil, err
	}
	scores, err := f.candidates(terms)
	if err == nil {
		err = f.drop(scores, q.Without)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Match, 0, len(scores))
	for name, score := range scores {
		out = append(out, Match{name, score})
	}
	slices.SortFunc(
		out, func(a, b Match) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Name, b.Name)) },
	)
	return out[:min(len(out), MaxMatches)], nil
}

// read looks up the terms of q, those with the fewest rows first.
func (f *finder) read(q Query) ([]term, error) {
	terms := make([]term, 0, maxTerms)
	for _, w := range q.Words {
		terms = append(terms, term{text: w})
	}
	for _, m := range q.Marks {
		terms = append(terms, term{text: m, mark: true})
	}
	terms = terms[:min(len(terms), maxTerms)]
	for i := range terms {
		// What one does not use is left to the others.
		if err := f.scan(&terms[i], (maxRows-f.steps)/(len(terms)-i)); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(terms, func(a, b term) int {
		if a.whole != b.whole {
			if a.whole {
				return -1
			}
			return 1
		}
		return cmp.Compare(len(a.scores), len(b.scores))
	})
	return terms, nil
}

// scan reads up to limit rows of a term.
func (f *finder) scan(t *term, limit int) error {
	t.scores, t.whole = map[string]int{}, true
	table, from := f.tx.kindIndex(f.kind, searchWords), []byte(t.text)
	if t.mark {
		table, from = f.tx.kindIndex(f.kind, searchMarks), key(t.text, "")
	}
	for k, v := range table.Scan(from, nil) {
		if limit--; limit < 0 || len(t.scores) == MaxMatches {
			t.whole = false
			break
		}
		if err := f.step(); err != nil {
			return err
		}
		if word, name, ok := bytes.Cut(k, []byte{0}); ok {
			t.add(string(name), word, v)
		}
	}
	if !t.whole && !t.mark {
		t.add(t.text, []byte(t.text), table.Get(key(t.text, t.text)))
	}
	return nil
}

// add counts a row: whole words count four times, beginnings once to three times. The best word of a package counts.
func (t *term) add(name string, word, weight []byte) {
	if len(weight) != 1 {
		return
	}
	if t.mark {
		t.scores[name] = 0
		return
	}
	t.scores[name] = max(t.scores[name], t.score(len(word), int(weight[0])))
}

func (t *term) score(wordLen, weight int) int {
	if wordLen == len(t.text) {
		return 4 * weight
	}
	return max(weight*3*len(t.text)/wordLen, 1)
}

// candidates are the packages that have all terms. The first term has the fewest rows; whether its packages have the
// others is known from their rows, or looked up.
func (f *finder) candidates(terms []term) (map[string]int, error) {
	if len(terms) == 0 {
		return f.all()
	}
	scores := terms[0].scores
	for i := range terms[1:] {
		if err := f.keep(scores, &terms[i+1]); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// keep removes the packages that do not have a term.
func (f *finder) keep(scores map[string]int, t *term) error {
	names := make([]string, 0, len(scores))
	for name := range scores {
		names = append(names, name)
	}
	if !t.whole {
		slices.Sort(names) // which ones are looked up must not be left to chance
	}
	for _, name := range names {
		more, ok := t.scores[name]
		if !ok && !t.whole {
			var err error
			if more, ok, err = f.has(name, t); err != nil {
				return err
			}
		}
		if ok {
			scores[name] += more
		} else {
			delete(scores, name)
		}
	}
	return nil
}

// has looks up whether a package has a term.
func (f *finder) has(name string, t *term) (score int, ok bool, err error) {
	if f.looks++; f.looks > maxLooks {
		return 0, false, nil
	}
	if err := f.step(); err != nil {
		return 0, false, err
	}
	if t.mark {
		return 0, f.tx.kindIndex(f.kind, searchMarks).Get(key(t.text, name)) != nil, nil
	}
	if v := f.tx.kindIndex(f.kind, searchWords).Get(key(t.text, name)); len(v) == 1 {
		return t.score(len(t.text), int(v[0])), true, nil
	}
	if f.reads == maxReads {
		return 0, false, nil
	}
	f.reads++
	var l Listing
	if b := f.tx.kindIndex(f.kind, searchListings).Get([]byte(name)); b != nil {
		if err := decode(b, &l); err != nil {
			return 0, false, errors.Join(errListing, err)
		}
	}
	for w, weight := range l.Words {
		if strings.HasPrefix(w, t.text) {
			score, ok = max(score, t.score(len(w), weight)), true
		}
	}
	return score, ok, nil
}

var errListing = errors.New("a package's listing cannot be read")

// all are the first packages by name.
func (f *finder) all() (map[string]int, error) {
	scores := map[string]int{}
	for name := range f.tx.kindIndex(f.kind, searchListings).Scan(nil, nil) {
		if len(scores) == MaxMatches {
			break
		}
		if err := f.step(); err != nil {
			return nil, err
		}
		scores[string(name)] = 0
	}
	return scores, nil
}

// drop removes the packages that have one of the marks.
func (f *finder) drop(scores map[string]int, marks []string) error {
	for _, m := range marks[:min(len(marks), maxWithout)] {
		t := term{text: m, mark: true}
		if err := f.scan(&t, len(scores)); err != nil {
			return err
		}
		for name := range scores {
			_, has := t.scores[name]
			if !has && !t.whole {
				// One that can no longer be looked up may have the mark.
				if _, known, err := f.has(name, &t); err != nil {
					return err
				} else if has = known; f.looks > maxLooks {
					has = true
				}
			}
			if has {
				delete(scores, name)
			}
		}
	}
	return nil
}

// Listed are up to limit names of packages that searches find, in their order after after, whose names begin with
// prefix.
func (s *Store) Listed(ctx context.Context, k Kind, prefix, after string, limit int) (names []string, err error) {
	var from []byte
	if after != "" {
		from = []byte(after)
	}
	err = s.View(ctx, func(tx *Tx) error {
		names = nil
		for name := range tx.kindIndex(k, searchListings).Scan([]byte(prefix), from) {
			if len(names) == limit {
				break
			}
			names = append(names, string(name))
		}
		return nil
	})
	return names, err
}
