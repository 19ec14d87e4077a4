package rubygems

// Compaction: a new /versions with one line for each gem, made of the records, under a new epoch. Nothing else here
// reads all gems, so it reads them in slices, while the old list still grows and is read.

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"larder/internal/ledger"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/rubygems/compactindex"
	"larder/rubygems/version"
	"larder/store"
)

const (
	sliceGems = 500 // gems written in one transaction
	// A list is compacted when it is older than dueAge and has dueFactor times the lines that it needs.
	dueAge    = 30 * 24 * time.Hour
	dueFactor = 2
)

// compact makes a short list now, for operators.
func (s *server) compact(w http.ResponseWriter, r *http.Request, _ Request) error {
	h, err := compactList(r.Context(), s.Store)
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{"size": h.Size, "lines": h.Lines})
}

// compactEvery is how often the job compactDue runs.
const compactEvery = 24 * time.Hour

// compactDue compacts the list if it is old, and most of its lines are superseded by later ones.
func (s *server) compactDue(ctx context.Context) error {
	stats, err := s.Store.Stats(ctx)
	if err != nil {
		return err
	}
	due := false
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		h, ok, err := versions.Head(kindTables(s.Repo, tx))
		due = ok && tx.Now().Sub(h.Created) > dueAge && h.Lines > dueFactor*int64(stats.Kinds[store.RubyGems].Packages)
		return err
	})
	if err != nil || !due {
		return err
	}
	_, err = compactList(ctx, s.Store)
	return err
}

func kindTables(repo *store.Repo[Meta], tx *store.Tx) ledger.Tables {
	return func(name string) store.Table { return repo.KindIndex(tx, name) }
}

// compactList writes the new list beside the old one: first the lines of all gems, then the lines that were appended to
// the old list meanwhile, in the transaction that replaces it. Readers of the old list can finish: its bytes stay until
// the next compaction.
func compactList(ctx context.Context, st *store.Store) (ledger.Head, error) {
	c := &compaction{repo: store.NewRepo[Meta](st, store.RubyGems), store: st}
	if err := c.begin(ctx); err != nil || c.old.Epoch == 0 {
		return c.old, err
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return c.old, err
		}
		var err error
		if more, err = c.slice(ctx); err != nil {
			return c.old, err
		}
	}
	err := c.finish(ctx)
	return c.head, err
}

type compaction struct {
	repo  *store.Repo[Meta]
	store *store.Store
	old   ledger.Head // as it was at the beginning
	head  ledger.Head // of the new list
	after []byte      // last row of the specs that is in the new list
}

// begin drops all epochs but the present one: those before it, and that of a compaction that did not finish.
func (c *compaction) begin(ctx context.Context) error {
	err := c.store.View(ctx, func(tx *store.Tx) (err error) {
		c.old, _, err = versions.Head(kindTables(c.repo, tx))
		return err
	})
	if err != nil || c.old.Epoch == 0 {
		return err
	}
	for more := true; more; {
		err := c.store.Update(ctx, func(tx *store.Tx) (err error) {
			more, err = versions.DropOthers(kindTables(c.repo, tx), c.old.Epoch, 10*sliceGems)
			return err
		})
		if err != nil {
			return err
		}
	}
	return c.store.Update(ctx, func(tx *store.Tx) (err error) {
		c.head, err = versions.Start(kindTables(c.repo, tx), c.old.Epoch+1, tx.Now())
		return err
	})
}

// slice adds the lines of the next gems, and reports whether there are more.
func (c *compaction) slice(ctx context.Context) (more bool, err error) {
	var head ledger.Head
	var after []byte
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		t := kindTables(c.repo, tx)
		names, ids, last := nextGems(t, c.after)
		head, after, more = c.head, last, last != nil
		var lines []byte
		for i, name := range names {
			line, err := c.line(tx, name, ids[i])
			if err != nil {
				return err
			}
			lines = append(lines, line...)
		}
		return versions.Extend(t, &head, lines)
	})
	if err == nil {
		c.head, c.after = head, after
	}
	return more, err
}

// nextGems reads sliceGems gems and their versions; last is nil when there are no more.
func nextGems(t ledger.Tables, after []byte) (names []string, ids [][]string, last []byte) {
	for key := range t(specsTable).Scan(nil, after) {
		name, id, _ := strings.Cut(string(key), "\x00")
		n := len(names)
		if n == 0 || names[n-1] != name {
			if n == sliceGems {
				return names, ids, last
			}
			names, ids = append(names, name), append(ids, nil)
			n++
		}
		ids[n-1] = append(ids[n-1], id)
		last = slices.Clone(key)
	}
	return names, ids, nil
}

func (c *compaction) line(tx *store.Tx, name string, ids []string) (line []byte, err error) {
	err = c.repo.In(tx, name, func(tx *store.PackageTx[Meta]) error {
		sum := md5.Sum(infoBody(tx))
		slices.SortFunc(ids, func(a, b string) int { return version.NewerFirst(b, a) })
		line = compactindex.VersionsLine(name, strings.Join(ids, ","), hex.EncodeToString(sum[:]))
		return nil
	})
	return line, err
}

// finish adds the lines that were appended to the old list meanwhile, and replaces it. Some of their versions may be in
// a line of their gem already, which does readers no harm.
func (c *compaction) finish(ctx context.Context) error {
	return c.store.Update(ctx, func(tx *store.Tx) error {
		t := kindTables(c.repo, tx)
		now, _, err := versions.Head(t)
		if err != nil {
			return err
		}
		if now.Epoch != c.old.Epoch {
			return problem.Errorf(store.ErrConflict, "Another compaction came first.")
		}
		tail, err := versions.Read(t, now.Epoch, c.old.Size, now.Size)
		if err != nil {
			return err
		}
		head := c.head
		if err := versions.Extend(t, &head, tail); err != nil {
			return err
		}
		head.Changed = now.Changed
		c.head = head
		return versions.Write(t, head)
	})
}
