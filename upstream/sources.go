package upstream

// Whose copies are whose. A copy belongs to the registry it came from, which is its URL and not what its operator calls
// it: each URL has a key, which is in the records and never changes, whatever the upstream is called today. Sources
// that are not configured any more are kept as upstreams that nobody can ask.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"larder/store"
)

// tableSources has kind key → source, and a row without a kind once what older versions kept was looked through.
const tableSources = "upstream.sources"

var rowLearnt = []byte("learnt")

// source is where copies come from. Its key is the name under which its URL was configured first.
type source struct {
	// URL is in the form of sameURL, "" when nobody knows it any more.
	URL string `json:"url"`
	// Name is what it was called last.
	Name string `json:"name"`
}

// sources are those of one kind by key.
type sources map[string]source

// sameURL spells a registry's address so that two spellings of one registry are equal. The scheme is left out where the
// port is the usual one: a registry that is asked over TLS from now on has the same packages as before.
func sameURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		host = u.Scheme + "://" + host + ":" + port
	}
	p := strings.TrimRight(path.Clean("/"+u.Path), "/")
	return host + (&url.URL{Path: p}).EscapedPath()
}

// settle gives every configured upstream the key of its URL, and makes upstreams of the sources that are left. It
// writes what has changed, unless the store takes nothing now: the next start finds the same.
func (r *Registry) settle(ctx context.Context) error {
	known, learnt, err := r.readSources(ctx)
	if err != nil {
		return err
	}
	changed := map[store.Kind]sources{}
	for _, k := range store.Kinds() {
		of := maps.Clone(known[k])
		if of == nil {
			of = sources{}
		}
		if !learnt {
			if err := r.learn(ctx, k, of); err != nil {
				return err
			}
		}
		if empty, err := r.nothingKept(ctx, k, of); err != nil {
			return err
		} else if empty {
			of = sources{}
		}
		r.assign(k, of)
		if len(of) > 0 || len(known[k]) > 0 {
			changed[k] = of
		}
	}
	err = r.writeSources(ctx, known, changed, learnt)
	if errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrFull) {
		r.log.LogAttrs(ctx, slog.LevelWarn, "whose copies are whose is not written down", slog.Any("error", err))
		return nil
	}
	return err
}

func sourceRow(k store.Kind, key string) []byte { return []byte(string(k) + "\x00" + key) }

func (r *Registry) readSources(ctx context.Context) (known map[store.Kind]sources, learnt bool, err error) {
	err = r.store.View(ctx, func(tx *store.Tx) error {
		known = map[store.Kind]sources{}
		table := tx.Table(tableSources)
		learnt = table.Get(rowLearnt) != nil
		for row, raw := range table.Scan(nil, nil) {
			kind, key, ok := strings.Cut(string(row), "\x00")
			if !ok {
				continue
			}
			var src source
			if err := json.Unmarshal(raw, &src); err != nil {
				return fmt.Errorf("upstream source %s %s: %w: %w", kind, key, store.ErrFormat, err)
			}
			k := store.Kind(kind)
			if known[k] == nil {
				known[k] = sources{}
			}
			known[k][key] = src
		}
		return nil
	})
	return known, learnt, err
}

// writeSources brings the table from what was known to what is; nothing is written when nothing differs.
func (r *Registry) writeSources(ctx context.Context, before, now map[store.Kind]sources, learnt bool) error {
	puts, gone := map[string]source{}, []string{}
	for k, of := range now {
		for key, src := range of {
			if before[k][key] != src {
				puts[string(sourceRow(k, key))] = src
			}
		}
		for key := range before[k] {
			if _, ok := of[key]; !ok {
				gone = append(gone, string(sourceRow(k, key)))
			}
		}
	}
	if len(puts)+len(gone) == 0 {
		return nil
	}
	return r.store.Update(ctx, func(tx *store.Tx) error {
		table := tx.Table(tableSources)
		for row, src := range puts {
			raw, err := json.Marshal(src)
			if err != nil {
				return err
			}
			if err := table.Put([]byte(row), raw); err != nil {
				return err
			}
		}
		for _, row := range gone {
			if err := table.Delete([]byte(row)); err != nil {
				return err
			}
		}
		if learnt {
			return nil
		}
		return table.Put(rowLearnt, []byte{1})
	})
}

// learn finds the sources of records from before there was a table: they are keyed by the name of that time. One that
// is configured has that upstream's URL; of another the addresses its documents came from may tell.
func (r *Registry) learn(ctx context.Context, k store.Kind, of sources) error {
	set := r.sets[k]
	return r.eachCopy(ctx, k, func(v *store.Version[entry]) error {
		name := v.Meta.Upstream
		src, seen := of[name]
		if name == "" || seen && src.URL != "" {
			return nil
		}
		src.Name = name
		if set != nil {
			if u := set.Upstream(name); u != nil {
				src.URL = sameURL(u.URL())
			}
			for _, u := range set.list {
				if base := sameURL(u.URL()); src.URL == "" && strings.HasPrefix(sameURL(v.Meta.URL), base+"/") {
					src.URL = base
				}
			}
		}
		of[name] = src
		return nil
	})
}

// eachCopy calls fn with every record of a kind, documents and files, in short transactions. v is fn's for the call
// only.
func (r *Registry) eachCopy(ctx context.Context, k store.Kind, fn func(v *store.Version[entry]) error) error {
	const some = 200 // packages read in one transaction
	for _, kind := range []store.Kind{k.Documents(), k.CachedFiles()} {
		repo := store.NewRepo[entry](r.store, kind)
		for after := ""; ; {
			list, err := repo.Packages(ctx, after, some)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			after = list[len(list)-1].Name
			err = r.store.View(ctx, func(tx *store.Tx) error {
				for _, p := range list {
					if err := eachOf(tx, repo, p.Name, fn); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func eachOf(tx *store.Tx, repo *store.Repo[entry], name string, fn func(v *store.Version[entry]) error) error {
	return repo.In(tx, name, func(tx *store.PackageTx[entry]) error {
		for v, err := range tx.Versions("") {
			if err != nil {
				return err
			}
			if err := fn(&v); err != nil {
				return err
			}
		}
		return nil
	})
}

// nothingKept reports whether a kind has neither upstreams nor copies: its sources can be forgotten.
func (r *Registry) nothingKept(ctx context.Context, k store.Kind, of sources) (bool, error) {
	if r.sets[k] != nil || len(of) == 0 {
		return false, nil
	}
	for _, kind := range []store.Kind{k.Documents(), k.CachedFiles()} {
		repo := store.NewRepo[entry](r.store, kind)
		for after := ""; ; {
			list, err := repo.Packages(ctx, after, 500)
			if err != nil || slices.ContainsFunc(list, func(p store.Package) bool { return p.Versions > 0 }) {
				return false, err
			}
			if len(list) == 0 {
				break
			}
			after = list[len(list)-1].Name
		}
	}
	return true, nil
}

// assign gives the upstreams of a kind their keys, and changes of accordingly. Two upstreams never share one: what was
// fetched with the credentials of one is not the other's to give.
func (r *Registry) assign(k store.Kind, of sources) {
	set := r.sets[k]
	if set == nil && len(of) > 0 {
		set = newSet(r, k)
		r.sets[k] = set
	}
	if set == nil {
		return
	}
	taken := set.take(of)
	for _, key := range slices.Sorted(maps.Keys(of)) {
		if !taken[key] {
			set.gone = append(set.gone, goneUpstream(k, key, of[key]))
		}
	}
	set.everyone = append(slices.Clone(set.list), set.gone...)
	for _, u := range set.everyone {
		set.sources[u.key], u.meter = u, r.store.Meter(k, u.key)
	}
}

// take finds the key of each upstream: that of its URL, first under its own name; that of an earlier URL; that of
// records which nothing is known of but the name; else a new one.
func (s *Set) take(of sources) (taken map[string]bool) {
	taken = map[string]bool{}
	keys := slices.Sorted(maps.Keys(of))
	for _, fits := range []func(u *Upstream, key string) bool{
		func(u *Upstream, key string) bool { return of[key].URL == sameURL(u.URL()) && of[key].Name == u.Name() },
		func(u *Upstream, key string) bool { return of[key].URL == sameURL(u.URL()) },
		func(u *Upstream, key string) bool {
			return slices.ContainsFunc(u.conf.Was, func(old string) bool { return of[key].URL == sameURL(old) })
		},
		func(u *Upstream, key string) bool { return of[key].URL == "" && key == u.Name() },
	} {
		for _, u := range s.list {
			for _, key := range keys {
				if u.key == "" && !taken[key] && fits(u, key) {
					u.key, taken[key] = key, true
				}
			}
		}
	}
	for _, u := range s.list {
		for n := 2; u.key == ""; n++ {
			key := u.Name()
			if n > 2 {
				key = fmt.Sprintf("%s~%d", u.Name(), n-1)
			}
			if _, used := of[key]; !used {
				u.key, taken[key] = key, true
			}
		}
		of[u.key] = source{sameURL(u.URL()), u.Name()}
	}
	return taken
}

// goneUpstream is a source that is not configured: what is kept of it can be answered, and nobody asks it.
func goneUpstream(k store.Kind, key string, src source) *Upstream {
	at := src.URL
	if at != "" && !strings.Contains(at, "://") {
		at = "https://" + at
	}
	base, err := url.Parse(at)
	if err != nil {
		base = &url.URL{}
	}
	u := &Upstream{
		conf: Config{Kind: k, Name: src.Name, URL: at}, base: base, key: key, gone: true, breaker: &breaker{},
		client: &http.Client{Transport: nobody{}}, docs: newLane(1), files: newLane(1),
	}
	u.offline.Store(true)
	return u
}

// source finds the upstream that copies with a key are of; nil when nobody knows it.
func (s *Set) source(key string) *Upstream {
	if s == nil {
		return nil
	}
	return s.sources[key]
}

// nobody is the transport of an upstream that cannot be asked.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, ErrOffline }

// Configured reports whether the operator's configuration has the registry; one that it has not is only there for the
// copies that are kept of it.
func (u *Upstream) Configured() bool { return !u.gone }

// home is the package under which what u has of a name is kept. It is the name, but for container registries: their
// names begin with what the upstream is called, and records with its key.
func (s *Set) home(name string, u *Upstream) string {
	if s.kind != store.OCI {
		return packageOf(name)
	}
	first, rest, cut := strings.Cut(name, "/")
	switch {
	case !cut:
		return packageOf(name)
	case u != nil && first == u.Name():
		if u.key == first {
			return name
		}
		return u.key + "/" + rest
	case s.sources[first] != nil:
		// The upstream of that key is called otherwise, so this is a repository of another one.
		return "~/" + name
	}
	return name
}

// homeOf is home where only the name says whose it is.
func (s *Set) homeOf(name string) string {
	if s.kind != store.OCI {
		return packageOf(name)
	}
	first, _, _ := strings.Cut(name, "/")
	return s.home(name, s.Upstream(first))
}

// named is the name by which a package of records is asked for.
func (s *Set) named(pkg string) string {
	if s == nil || s.kind != store.OCI {
		return pkg
	}
	first, rest, cut := strings.Cut(pkg, "/")
	switch u := s.sources[first]; {
	case !cut:
		return pkg
	case first == "~":
		return rest
	case u != nil:
		return u.Name() + "/" + rest
	}
	return pkg
}

// strays are the sources that are not configured and may answer for a name: all of them when nobody can be asked. A
// container registry's name says which one of those is meant.
func (s *Set) strays(name string, u *Upstream) []*Upstream {
	if s == nil || len(s.gone) == 0 || !s.Offline() {
		return nil
	}
	first, _, cut := strings.Cut(name, "/")
	if s.kind != store.OCI || !cut || u != nil && first != u.Name() {
		return s.gone
	}
	var list []*Upstream
	for _, g := range s.gone {
		if g.Name() == first {
			list = append(list, g)
		}
	}
	return list
}

// unasked is why nobody was asked for what is not kept: with no upstream configured nothing will ever come of it.
func (s *Set) unasked() error {
	if len(s.list) == 0 {
		return store.ErrNotFound
	}
	return ErrOffline
}

// Holds reports whether anything is kept of what u has of a name.
func (s *Set) Holds(ctx context.Context, u *Upstream, name string) (bool, error) {
	return s.holds(ctx, u, name)
}

// holds reports whether anything is kept of what u has of a name: then the name is u's, and no other one answers for
// it. It is remembered until something of the name changes.
func (s *Set) holds(ctx context.Context, u *Upstream, name string) (bool, error) {
	pkg := s.home(name, u)
	for _, kept := range []struct {
		memo *store.Memo[string, bool]
		repo *store.Repo[entry]
	}{{s.heldDocs, s.docs}, {s.heldFiles, s.files}} {
		found, err := kept.memo.Get(pkg, u.key, func() (bool, error) { return s.has(ctx, kept.repo, pkg, u.key) })
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// has reports whether a record of a package has the key.
func (s *Set) has(ctx context.Context, repo *store.Repo[entry], pkg, key string) (bool, error) {
	err := s.r.store.View(ctx, func(tx *store.Tx) error {
		return eachOf(tx, repo, pkg, func(v *store.Version[entry]) error {
			if v.Meta.Upstream == key {
				return errFound
			}
			return nil
		})
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// errFound ends a loop over records.
var errFound = errors.New("found")

// owned reports whether one of the configured upstreams holds something of a name.
func (s *Set) owned(ctx context.Context, name string) (bool, error) {
	for _, u := range s.list {
		if held, err := s.holds(ctx, u, name); held || err != nil {
			return held, err
		}
	}
	return false, nil
}

// serves reports whether a file that is kept may be answered now: it is of an upstream that is configured for the name
// and has it, or of one that is not configured, nobody can be asked, and the name is not known to be another one's.
func (s *Set) serves(ctx context.Context, name string, k *kept) (bool, error) {
	u := s.sources[k.Upstream]
	if u != nil && !u.gone {
		if !s.takes(u, name) {
			return false, nil
		}
		return s.whole(ctx, u, name)
	}
	if !s.Offline() {
		return false, nil
	}
	owned, err := s.owned(ctx, name)
	return !owned, err
}

// takes reports whether the operator lets u be asked for a name.
func (s *Set) takes(u *Upstream, name string) bool {
	return len(u.conf.Include)+len(u.conf.Exclude) == 0 || u.has(s.spelling.fold, s.spellings(name)...)
}

// whole reports whether no upstream before u holds anything of the name, which would have all of it. Repositories of
// Maven have their parts of a name side by side, and what container registries keep is called by its digest.
func (s *Set) whole(ctx context.Context, u *Upstream, name string) (bool, error) {
	if s.kind == store.Maven || s.kind == store.OCI {
		return true, nil
	}
	for _, before := range s.list {
		if before == u {
			break
		}
		if !s.takes(before, name) {
			continue
		}
		if held, err := s.holds(ctx, before, name); held || err != nil {
			return false, err
		}
	}
	return true, nil
}

// keptFile finds a file that may be answered; nil when there is none.
func (s *Set) keptFile(ctx context.Context, name, key string) (pkg string, k *kept, err error) {
	pkg = s.homeOf(name)
	for i := -1; ; i++ {
		if i >= 0 {
			strays := s.strays(name, nil)
			if s.kind != store.OCI || i >= len(strays) {
				return "", nil, nil
			}
			pkg = s.home(name, strays[i])
		}
		k, err = load(ctx, s.bytes, s.files, pkg, key)
		if err != nil {
			return "", nil, err
		}
		if k == nil {
			continue
		}
		if ok, err := s.serves(ctx, name, k); ok || err != nil {
			return pkg, k, err
		}
	}
}

// adopt makes a file that is kept of another registry, and is not answered therefore, the file of the one it was found
// at now, when that one announces the same sums: it need not be fetched again.
func (f *flight) adopt(ctx context.Context, version string) (bool, error) {
	s, p := f.s, f.place
	k, err := load(ctx, s.bytes, s.files, f.id.pkg, f.id.key)
	if err != nil || s.sound(k) == nil || k.Upstream == p.Upstream.key || len(p.Sums) == 0 || p.Make != nil {
		return false, err
	}
	if verify(p.Sums, k.sum, p.Size, k.blob.Size) != nil {
		return false, nil
	}
	e := k.entry
	e.Upstream, e.URL, e.Ref, e.Accept, e.Scope = p.Upstream.key, "", p.Ref, p.Accept, p.Scope
	err = s.r.store.Update(ctx, func(tx *store.Tx) error {
		return s.putFile(tx, p.Upstream, f.id, version, e, k.blob, k.sums)
	})
	if err != nil {
		return false, err
	}
	f.signal(func() { f.blob, f.sums, f.kind, f.mod = k.blob, k.sums, e.Type, k.entry.Modified })
	return true, nil
}

// sum is what is recorded, "" where nothing is.
func (k *kept) sum(alg string) string {
	if alg == "sha256" {
		return k.blob.Digest.Encoded()
	}
	return k.sums[alg]
}

// Orphans lists the sources that are not configured and what is kept of each. It reads every record of their kinds.
func (r *Registry) Orphans(ctx context.Context) (list []Status, err error) {
	for _, k := range store.Kinds() {
		set := r.sets[k]
		if set == nil || len(set.gone) == 0 {
			continue
		}
		copies, size := map[string]int64{}, map[string]int64{}
		err := r.eachCopy(ctx, k, func(v *store.Version[entry]) error {
			copies[v.Meta.Upstream]++
			for _, f := range v.Files {
				size[v.Meta.Upstream] += f.Size
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, u := range set.gone {
			if copies[u.key] > 0 {
				st := Status{
					Kind: k, Name: u.Name(), URL: u.URL(), Offline: true, NoUpstream: true, Copies: copies[u.key], Kept: size[u.key],
				}
				st.count(u)
				list = append(list, st)
			}
		}
	}
	return list, nil
}

// Empty reports whether there is neither an upstream nor a copy of one.
func (r *Registry) Empty() bool { return len(r.sets) == 0 }
