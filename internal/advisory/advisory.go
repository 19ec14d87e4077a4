// Package advisory keeps the security advisories that an operator loads for a kind. Audits of packages that are of this
// registry are answered from these alone, so that no name of a private package is sent to anybody.
package advisory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// Advisory is one advisory in the form of its kind. It is stored as JSON.
type Advisory interface {
	// About returns the name of the package.
	About() string
	// Fault says to the operator what is wrong with the advisory, "" if it can be used.
	Fault() string
}

// Table holds the advisories of one kind.
type Table[A Advisory] struct {
	// Changed, if set, is called for each package whose advisories differ from those before, in the transaction that
	// loads them.
	Changed func(tx *store.Tx, name string) error

	store *store.Store
	repo  *store.Repo[struct{}]
	kind  store.Kind

	mu    sync.Mutex      // guards the rest
	loads int             // how often something was loaded
	names map[string]bool // packages there is something loaded about; nil until somebody asks
}

const (
	tableName = "advisories" // package 0x00 number → advisory
	maxBody   = 64 << 20     // bytes of what is loaded
)

// OpLoad is the operation of a load in the journal.
const OpLoad store.Op = "advisories"

// NewTable returns the advisories of a kind.
func NewTable[A Advisory](s *store.Store, kind store.Kind) *Table[A] {
	return &Table[A]{store: s, repo: store.NewRepo[struct{}](s, kind), kind: kind}
}

// Set answers a PUT whose body is a JSON array of advisories. They replace all others; if one cannot
// be used, nothing is changed.
func (t *Table[A]) Set(w http.ResponseWriter, r *http.Request) error {
	raw, err := wire.ReadBody(r, maxBody)
	if err == nil {
		err = budget.Take(r.Context(), 2*int64(len(raw))) // what they are parsed to, and what the transaction holds
	}
	if err != nil {
		return err
	}
	var list []A
	if err := json.Unmarshal(raw, &list); err != nil {
		return problem.Wrap(err, problem.ErrInvalid, "The advisories are not a JSON array of objects.")
	}
	for i, a := range list {
		if fault := a.Fault(); fault != "" {
			return problem.Errorf(problem.ErrInvalid, "Advisory %d: %s", i, fault)
		}
	}
	if err := t.replace(r.Context(), list); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]int{"advisories": len(list)})
}

func (t *Table[A]) replace(ctx context.Context, list []A) error {
	// After the commit: a set that was read before it must not stay in memory.
	defer t.forget()
	return t.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.NeedRoom(); err != nil {
			return err
		}
		table := t.repo.KindIndex(tx, tableName)
		// The advisories of a package, joined.
		was, now := map[string]string{}, map[string]string{}
		for k, v := range table.Scan(nil, nil) {
			name, _, _ := strings.Cut(string(k), "\x00")
			was[name] += string(v)
			if err := table.Delete(bytes.Clone(k)); err != nil {
				return err
			}
		}
		for i, a := range list {
			b, err := json.Marshal(a)
			if err != nil {
				return err
			}
			now[a.About()] += string(b)
			if err := table.Put(fmt.Appendf(nil, "%s\x00%08d", a.About(), i), b); err != nil {
				return err
			}
		}
		tx.Log(store.Entry{Kind: t.kind, Op: OpLoad, Note: strconv.Itoa(len(list)) + " advisories loaded"})
		return t.tell(tx, was, now)
	})
}

func (t *Table[A]) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.loads++
	t.names = nil
}

// tell runs Changed for the packages that differ.
func (t *Table[A]) tell(tx *store.Tx, was, now map[string]string) error {
	if t.Changed == nil {
		return nil
	}
	for name := range was {
		if _, ok := now[name]; !ok {
			now[name] = ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was[name] != now[name] {
			if err := t.Changed(tx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Get answers a GET with all advisories, as the JSON array that was loaded.
func (t *Table[A]) Get(w http.ResponseWriter, r *http.Request) error {
	list, err := t.All(r.Context())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, list)
}

// Of returns the advisories of packages, in the order of the names.
func (t *Table[A]) Of(ctx context.Context, names []string) ([]A, error) {
	prefixes := make([]string, 0, len(names))
	for _, n := range names {
		if n != "" {
			prefixes = append(prefixes, n+"\x00")
		}
	}
	return t.scan(ctx, prefixes)
}

// About returns the set of packages that have advisories. An audit asks for thousands of packages that have none. The
// set is shared: callers must not change it.
func (t *Table[A]) About(ctx context.Context) (map[string]bool, error) {
	t.mu.Lock()
	names, loads := t.names, t.loads
	t.mu.Unlock()
	if names != nil {
		return names, nil
	}
	names = map[string]bool{}
	err := t.store.View(ctx, func(tx *store.Tx) error {
		for k := range t.repo.KindIndex(tx, tableName).Scan(nil, nil) {
			if name, _, ok := bytes.Cut(k, []byte{0}); ok && !names[string(name)] {
				names[string(name)] = true
			}
		}
		return nil
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && loads == t.loads {
		t.names = names
	}
	return names, err
}

func (t *Table[A]) scan(ctx context.Context, prefixes []string) (list []A, err error) {
	err = t.store.View(ctx, func(tx *store.Tx) error {
		list, err = t.rows(tx, prefixes)
		return err
	})
	return list, err
}

// In returns the advisories of a package as a transaction sees them.
func (t *Table[A]) In(tx *store.Tx, name string) ([]A, error) {
	return t.rows(tx, []string{name + "\x00"})
}

// All returns every advisory, by package.
func (t *Table[A]) All(ctx context.Context) ([]A, error) { return t.scan(ctx, []string{""}) }

func (t *Table[A]) rows(tx *store.Tx, prefixes []string) ([]A, error) {
	list := []A{}
	for _, p := range prefixes {
		for k, b := range t.repo.KindIndex(tx, tableName).Scan([]byte(p), nil) {
			var a A
			if err := json.Unmarshal(b, &a); err != nil {
				return nil, fmt.Errorf("%s advisory %q: %w", t.kind, k, err)
			}
			list = append(list, a)
		}
	}
	return list, nil
}
