package upstream

// This file has the upstreams of all kinds, those of one kind, and who may be asked for a name.

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"larder/internal/budget"
	"larder/store"
)

// Registry is the upstreams of every kind.
type Registry struct {
	store   *store.Store
	log     *slog.Logger
	opt     Options
	offline atomic.Bool
	sets    map[store.Kind]*Set
	claims  []rule
	blocked []rule
	allowed []rule
	shared  []rule
	uses    uses
	now     func() time.Time

	// Work that outlives the request it began for ends with the registry.
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex // guards closed, and work's growing
	closed bool
}

// New prepares the upstreams; it asks none of them.
func New(s *store.Store, log *slog.Logger, o Options) (*Registry, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Registry{store: s, log: log, opt: o, sets: map[store.Kind]*Set{}, now: o.Now}
	r.offline.Store(o.Offline)
	r.life, r.end = context.WithCancel(context.Background())
	var err error
	for _, list := range []struct {
		to   *[]rule
		from []string
	}{{&r.claims, o.Claims}, {&r.blocked, o.Blocked}, {&r.allowed, o.Allowed}, {&r.shared, o.Shared}} {
		if *list.to, err = parseRules(list.from); err != nil {
			return nil, err
		}
	}
	for _, c := range o.Upstreams {
		u, err := newUpstream(c, o)
		if err != nil {
			return nil, err
		}
		u.detach = r.detach
		u.log = log
		set := r.sets[c.Kind]
		if set == nil {
			set = newSet(r, c.Kind)
			r.sets[c.Kind] = set
		}
		for _, other := range set.list {
			if other.Name() == u.Name() {
				return nil, fmt.Errorf("two upstreams of %s are called %s", c.Kind, u.Name())
			}
		}
		set.list = append(set.list, u)
	}
	if err := r.settle(context.Background()); err != nil {
		return nil, fmt.Errorf("find whose copies are whose: %w", err)
	}
	if err := r.moveCopies(context.Background()); err != nil {
		return nil, fmt.Errorf("look for copies under old names: %w", err)
	}
	if err := r.readUnsure(context.Background()); err != nil {
		return nil, fmt.Errorf("read the names to compare with upstreams: %w", err)
	}
	return r, nil
}

// detach returns a context with ctx's values that ends with the registry, not with ctx, and that has a share of the
// memory of its own; what it is answered from is nobody's answer. done must be called.
func (r *Registry) detach(ctx context.Context) (detached context.Context, done func()) {
	detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(r.life, cancel)
	share := budget.From(ctx).Another()
	detached = context.WithValue(budget.With(detached, share), AnswerKey{}, (*Answer)(nil))
	end := func() {
		stop()
		cancel()
		share.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return detached, end // cancelled, and Close does not wait for it
	}
	r.work.Add(1)
	return detached, func() {
		end()
		r.work.Done()
	}
}

// Close ends the fetches under way, gives connections back, and writes down what Flush does.
func (r *Registry) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.work.Wait()
	for _, u := range r.Find("", "") {
		u.client.CloseIdleConnections()
	}
	if err := r.Flush(context.Background()); err != nil {
		r.log.Warn("what was used, missed and confirmed is not written down", slog.Any("error", err))
	}
}

// Protocol is what a kind's package says about itself. It must not call back into the Set.
type Protocol struct {
	// Spelling is how the kind writes names and versions.
	Spelling
	// Names are all names by which Blocked, Allowed, Include and Exclude know a package, its own among them: an image of a
	// named upstream has one without that name. nil: only its own. Claims are about the name itself.
	Names func(name string) []string
	// Files are the files that the document key of a package refers to, by FileQuery.Key, their Upstream left out: what
	// was shown once is found for ever, whatever the document says later. nil when files are asked for without a document.
	Files func(name, key string, d *Document, body []byte) map[string]Place
	// Probe is how to find out whether a name exists upstream.
	Probe func(name string) Query
	// ProbeLater are further documents that exist only where the name does, for names that are compared after they were
	// published: MayPublish is told which of them count. nil: there are none.
	ProbeLater func(name string) []Query
	// Empty reports whether the answer to Probe says that there is nothing of the name, as static mirrors answer for any.
	// nil: every answer says that it exists.
	Empty func(body []byte) bool
	// Sample is how a check tries a registry out.
	Sample Sample
	// About is what the document key of a package says of it, false when nothing. nil: documents say nothing.
	About func(name, key string, body []byte) (About, bool)
	// Release is a version of About as rules about ages know it; nil: it is written the same.
	Release func(version string) string
	// Scan is About for a document that is too large to be held in memory. nil: such documents say nothing.
	Scan func(name, key string, r io.Reader) (About, bool)
	// Newer reports whether of two versions lists show the former first, for kinds whose files are asked for without a
	// document: their versions are gathered from documents and files. nil: a document names them all.
	Newer func(a, b string) bool
	// Listing is what searches find a copy by and show of it. nil: the kind has no search by words.
	Listing func(c Copy) store.Listing
}

// Set returns the upstreams of a kind, nil when it has none; every method of a nil Set says that nothing exists.
func (r *Registry) Set(k store.Kind, p Protocol) *Set {
	if r == nil || r.sets[k] == nil {
		return nil
	}
	s := r.sets[k]
	s.protocol, s.spelling = p, p.Spelling
	if p.Probe != nil {
		s.mu.Lock()
		s.beginComparing() // what was left when the program ended
		s.mu.Unlock()
	}
	return s
}

// Set is the upstreams of one kind in the operator's order.
type Set struct {
	r        *Registry
	kind     store.Kind
	list     []*Upstream
	gone     []*Upstream          // copies of them are kept, and they are not configured
	everyone []*Upstream          // both
	sources  map[string]*Upstream // both, by key
	protocol Protocol
	spelling Spelling

	docs  *store.Repo[entry]
	files *store.Repo[entry]
	known *store.Memo[string, *kept] // documents by id
	bytes *store.Memo[string, *kept] // files by key
	seen  *store.Memo[string, sight] // when versions were first seen
	group singleflight.Group         // refreshes under way
	// Whether anything is kept of a package, by a source's key.
	heldDocs, heldFiles *store.Memo[string, bool]
	names               *store.Memo[struct{}, bool]   // whether names are ours
	withBytes           *store.Memo[string, []string] // keys of documents by a source's key and the digest of their bytes

	renewed atomic.Int64 // names claimed or released since the start

	unstored atomic.Int64 // bytes of documents that were answered before they are stored

	mu        sync.Mutex // guards what follows
	states    map[docID]*state
	flights   map[fileID]*flight
	unsure    map[string]unsure // names that could not be compared
	comparing bool              // the job that compares them is under way
	unwritten bool              // the table does not have those of them that are compared later
}

func newSet(r *Registry, k store.Kind) *Set {
	d, f := k.Documents(), k.CachedFiles()
	return &Set{
		r: r, kind: k, spelling: r.opt.Spellings[k], names: store.NewMemo[struct{}, bool](r.store, k),
		docs: store.NewRepo[entry](r.store, d), files: store.NewRepo[entry](r.store, f),
		known: store.NewMemo[string, *kept](r.store, d), bytes: store.NewMemo[string, *kept](r.store, f),
		heldDocs: store.NewMemo[string, bool](r.store, d), heldFiles: store.NewMemo[string, bool](r.store, f),
		seen: store.NewMemo[string, sight](
			r.store, d,
		), sources: map[string]*Upstream{}, states: map[docID]*state{}, flights: map[fileID]*flight{},
		unsure: map[string]unsure{}, withBytes: store.NewMemo[string, []string](r.store, d),
	}
}

// Kind returns the set's kind.
func (s *Set) Kind() store.Kind { return s.kind }

// Upstreams returns the registries in order; when none of them may be asked, those behind them of which copies are kept
// although they are not configured.
func (s *Set) Upstreams() []*Upstream {
	if s == nil {
		return nil
	}
	if len(s.gone) > 0 && s.Offline() {
		return s.everyone
	}
	return s.list
}

// configured are the registries that the operator's configuration has.
func (s *Set) configured() []*Upstream {
	if s == nil {
		return nil
	}
	return s.list
}

// Upstream finds a configured registry by its name; nil when there is none.
func (s *Set) Upstream(name string) *Upstream {
	for _, u := range s.configured() {
		if u.Name() == name {
			return u
		}
	}
	return nil
}

// off reports whether u may not be asked.
func (s *Set) off(u *Upstream) bool { return u.gone || s.r.offline.Load() || u.offline.Load() }

// Offline reports whether no registry of the set may be asked.
func (s *Set) Offline() bool {
	for _, u := range s.configured() {
		if !s.off(u) {
			return false
		}
	}
	return true
}

// MaySearch reports whether upstreams may be asked for a text: none of its words is a name that is ours.
func (s *Set) MaySearch(ctx context.Context, text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"',;", r) })
	for _, word := range words {
		// Before a colon stands a qualifier, or half of a name that has two.
		words = append(words, strings.FieldsFunc(word, func(r rune) bool { return r == ':' })...)
	}
	return s != nil && !slices.ContainsFunc(words, func(word string) bool {
		ours, err := s.ours(ctx, word)
		return ours || err != nil || s.Claimed(word)
	})
}

// chain is who may be asked for a name, in order. ErrNotFound when nobody: the name is ours. It is asked before
// anything that is kept is looked at, so that a claim also hides what was cached before it. name "" is a listing. An
// upstream is for the name when it is for one of also.
func (s *Set) chain(ctx context.Context, name string, also ...string) ([]*Upstream, error) {
	if s == nil {
		return nil, store.ErrNotFound
	}
	if name == "" {
		return s.Upstreams(), nil
	}
	shared := s.Shared(name)
	if !shared && s.Claimed(name) {
		return nil, fmt.Errorf("%s %s is claimed: %w", s.kind, name, store.ErrNotFound)
	}
	ours, err := s.ours(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.chainOf(name, ours && !shared, also...)
}

// chainOf is chain for a name that nothing claims.
func (s *Set) chainOf(name string, ours bool, also ...string) ([]*Upstream, error) {
	if ours {
		return nil, fmt.Errorf("%s %s is ours: %w", s.kind, name, store.ErrNotFound)
	}
	if s.covers(s.r.blocked, name) {
		return nil, Withhold(name, "", "%s is blocked by this registry's rules.", name)
	}
	list := s.takers(name, also...)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s %s: no upstream is for this name: %w", s.kind, name, store.ErrNotFound)
	}
	return list, nil
}

// takers are the upstreams that the operator lets be asked for a name, in order.
func (s *Set) takers(name string, also ...string) (list []*Upstream) {
	names := s.spellings(name)
	if len(also) > 0 {
		names = append(slices.Clone(names), also...)
	}
	for _, u := range s.Upstreams() {
		if u.has(s.spelling.fold, names...) {
			list = append(list, u)
		}
	}
	return list
}

// spellings are the names by which rules know a name.
func (s *Set) spellings(name string) []string {
	if s.protocol.Names == nil {
		return []string{name}
	}
	return s.protocol.Names(name)
}

// Ours reports whether a name was published here, or nobody can say: looking for it here may find something. It costs
// no transaction, which looking for what is not here does.
func (s *Set) Ours(ctx context.Context, name string) bool {
	if s == nil {
		return true
	}
	ours, err := s.ours(ctx, name)
	return ours || err != nil
}

// Theirs reports whether a name that an upstream mentions may be shown: it is neither ours nor blocked.
func (s *Set) Theirs(ctx context.Context, name string) bool {
	_, err := s.chain(ctx, name)
	return err == nil && name != ""
}

// Strangers is Theirs for lists of very many names: what is ours now is read once, so that nothing is read for a name.
func (s *Set) Strangers(ctx context.Context) (theirs func(name string) bool, err error) {
	ours := map[string]bool{}
	list, err := s.r.store.Names(ctx, store.NamesQuery{Kind: s.kind, Hosted: true})
	for _, n := range list {
		ours[n.Name] = true
	}
	return func(name string) bool {
		shared := s.Shared(name)
		if name == "" || !shared && s.Claimed(name) {
			return false
		}
		_, err := s.chainOf(name, ours[name] && !shared)
		return err == nil
	}, err
}

// state is what is known of one document at one upstream without asking the store. The set's mu guards it.
type state struct {
	checked time.Time // last time the upstream confirmed what is kept
	absent  time.Time // until then it is known not to exist
	trouble time.Time // until then what is kept is answered: asking has just failed,
	why     error     // in this way
	coming  *kept     // what was fetched and is not stored yet
}

type docID struct{ pkg, id string }

// maxStates bounds the memory of a Set, some 300 bytes for each: strangers can ask for any number of names. What is
// forgotten is asked again.
const maxStates = 32_768

// with calls fn with the state of id under the lock.
func (s *Set) with(id docID, fn func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.states[id]
	if st == nil {
		if len(s.states) >= maxStates {
			s.forgetSome()
		}
		st = &state{}
		s.states[id] = st
	}
	fn(st)
}

// forgetSome makes room, in the order of a map, which is none: what is under way stays.
func (s *Set) forgetSome() {
	for id, st := range s.states {
		if st.coming == nil {
			delete(s.states, id)
		}
		if len(s.states) <= maxStates*7/8 {
			return
		}
	}
}

// Forget drops what is remembered of a name, so that upstreams are asked again: it was published, imported or claimed.
func (s *Set) Forget(name string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, st := range s.states {
		switch {
		case id.pkg != name && s.named(id.pkg) != name:
		case st.coming != nil:
			*st = state{coming: st.coming} // what is written after it must wait for it
		default:
			delete(s.states, id)
		}
	}
}
