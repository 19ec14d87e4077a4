package rubygems

// The rows that documents are made of. They are derived from records in the transaction of the change, and cost the
// same however many versions and gems there are.

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"larder/internal/ledger"
	"larder/rubygems/compactindex"
	"larder/rubygems/gemspec"
	"larder/rubygems/names"
	"larder/rubygems/version"
	"larder/store"
)

// versions is /versions, the list of every version of every gem, in the order of the changes. A change adds its line in
// its own transaction. The list is derived: compact.go writes it anew from the records.
var versions = ledger.List{Name: "versions", Preamble: func(created time.Time) []byte {
	return []byte("created_at: " + created.UTC().Format(time.RFC3339) + "\n---\n")
}}

// The tables of each gem.
const (
	infoTable  = "info"  // time and version → line; a scan yields lines in the order of publishing
	stateTable = "state" // stateKey → gemState
	quickTable = "quick" // version → gemspec.rz, unless it is large
)

// The tables of the kind, beside those of /versions.
const (
	namesTable  = "names"  // name without case → name: the spelling that came first
	fullTable   = "full"   // full name without case → place
	equalTable  = "equal"  // gem and canonical version → version: where 1.0 is, 1.0.0 is refused
	specsTable  = "specs"  // gem and version → nothing: what is not yanked
	recentTable = "recent" // 'v' or 'g', newest time first, name → gem and version: new versions, and new gems
)

var stateKey = []byte("state")

// gemState is what is known of a gem's /info without reading it.
type gemState struct {
	MD5    []byte `json:"md5"` // state of the sum over the body
	Live   int    `json:"live"`
	Latest string `json:"latest,omitempty"` // the version that represents the gem
}

// timeKey orders rows by time, then by what follows.
func timeKey(t time.Time, rest string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(t.UnixNano())), rest...)
}

func infoKey(v store.Version[Meta]) []byte { return timeKey(v.Published, v.ID) }

// pairKey is a gem's name and something within the gem.
func pairKey(name, rest string) []byte { return []byte(name + "\x00" + rest) }

// infoBody is the gem's /info.
func infoBody(tx *store.PackageTx[Meta]) []byte {
	out := bytes.NewBufferString(compactindex.InfoHead)
	for _, line := range tx.Index(infoTable).Scan(nil, nil) {
		out.Write(line)
	}
	return out.Bytes()
}

func readState(tx *store.PackageTx[Meta]) (st gemState, err error) {
	row := tx.Index(stateTable).Get(stateKey)
	if row == nil {
		return st, nil
	}
	if err := json.Unmarshal(row, &st); err != nil {
		return st, fmt.Errorf("state of %s: %w: %w", tx.Name(), store.ErrFormat, err)
	}
	return st, nil
}

// addLine adds a line to /info and returns the MD5 of the whole. It reads the other lines only if the new one is not
// the last, as when a version is restored or the clock was set back.
func addLine(tx *store.PackageTx[Meta], v store.Version[Meta]) (st gemState, sum string, err error) {
	if st, err = readState(tx); err != nil {
		return st, "", err
	}
	info, key := tx.Index(infoTable), infoKey(v)
	if err := info.Put(key, []byte(v.Meta.Line)); err != nil {
		return st, "", err
	}
	for range info.Scan(nil, key) {
		return recount(tx)
	}
	h, err := ledger.Resume(md5.New(), st.MD5)
	if err != nil {
		return recount(tx)
	}
	if st.MD5 == nil {
		h.Write([]byte(compactindex.InfoHead))
	}
	h.Write([]byte(v.Meta.Line))
	if st.MD5, err = ledger.Save(h); err != nil {
		return st, "", err
	}
	st.Live++
	if st.Latest == "" || version.Prefers(v.ID, st.Latest) {
		st.Latest = v.ID
	}
	return st, hex.EncodeToString(h.Sum(nil)), writeState(tx, st)
}

// recount computes the state from all lines of /info, and returns the MD5 of the whole.
func recount(tx *store.PackageTx[Meta]) (st gemState, sum string, err error) {
	h := md5.New()
	h.Write([]byte(compactindex.InfoHead))
	for key, line := range tx.Index(infoTable).Scan(nil, nil) {
		h.Write(line)
		st.Live++
		if id := string(key[8:]); st.Latest == "" || version.Prefers(id, st.Latest) {
			st.Latest = id
		}
	}
	if st.MD5, err = ledger.Save(h); err != nil {
		return st, "", err
	}
	return st, hex.EncodeToString(h.Sum(nil)), writeState(tx, st)
}

func writeState(tx *store.PackageTx[Meta], st gemState) error {
	row, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return tx.Index(stateTable).Put(stateKey, row)
}

// place is what a full name stands for.
type place struct {
	Full, Name, ID string
	Yanked         bool
}

func (p place) encode() []byte {
	flag := "+"
	if p.Yanked {
		flag = "-"
	}
	return []byte(flag + p.Full + "\x00" + p.Name + "\x00" + p.ID)
}

func decodePlace(row []byte) (p place, err error) {
	parts := strings.Split(string(row), "\x00")
	if len(parts) != 3 || parts[0] == "" {
		return p, fmt.Errorf("place of a file: %w", store.ErrFormat)
	}
	return place{Full: parts[0][1:], Name: parts[1], ID: parts[2], Yanked: parts[0][0] == '-'}, nil
}

// fullNames are the names of a version's files: as the gem spells its platform, and as RubyGems does.
func fullNames(name, number, platform string) []string {
	full := version.IDs(number, platform)
	for i, id := range full {
		full[i] = names.FullName(name, id)
	}
	return full
}

func fullKey(full string) []byte { return []byte(strings.ToLower(full)) }

// enlist adds a version to every index, when it is published or restored.
func enlist(tx *store.PackageTx[Meta], v store.Version[Meta]) error {
	before, err := readState(tx)
	if err != nil {
		return err
	}
	st, sum, err := addLine(tx, v)
	if err != nil {
		return err
	}
	if err := setRows(tx, v, false); err != nil {
		return err
	}
	if st.Latest != before.Latest {
		if err := setListing(tx, v); err != nil {
			return err
		}
	}
	return versions.Append(tx.KindIndex, tx.Tx().Now(), compactindex.VersionsLine(tx.Name(), v.ID, sum))
}

// delist removes a version from every index. Its number and its full names stay taken.
func delist(tx *store.PackageTx[Meta], v store.Version[Meta]) error {
	before, err := readState(tx)
	if err != nil {
		return err
	}
	if err := tx.Index(infoTable).Delete(infoKey(v)); err != nil {
		return err
	}
	st, sum, err := recount(tx)
	if err != nil {
		return err
	}
	if err := setRows(tx, v, true); err != nil {
		return err
	}
	if st.Latest != before.Latest {
		if err := relist(tx, st.Latest); err != nil {
			return err
		}
	}
	return versions.Append(tx.KindIndex, tx.Tx().Now(), compactindex.VersionsLine(tx.Name(), "-"+v.ID, sum))
}

// setRows writes or removes a version's rows in the tables of the kind.
func setRows(tx *store.PackageTx[Meta], v store.Version[Meta], yanked bool) error {
	full := tx.KindIndex(fullTable)
	for _, f := range fullNames(tx.Name(), v.Meta.Number, v.Meta.Platform) {
		if err := full.Put(fullKey(f), place{f, tx.Name(), v.ID, yanked}.encode()); err != nil {
			return err
		}
	}
	specs, recent := tx.KindIndex(specsTable), tx.KindIndex(recentTable)
	pair := pairKey(tx.Name(), v.ID)
	news := recentKey('v', v.Published, names.FullName(tx.Name(), v.ID))
	if yanked {
		return cmp.Or(specs.Delete(pair), recent.Delete(news))
	}
	return cmp.Or(specs.Put(pair, []byte{1}), recent.Put(news, pair))
}

// recentKey orders rows by time, newest first.
func recentKey(what byte, t time.Time, name string) []byte {
	key := binary.BigEndian.AppendUint64([]byte{what}, ^uint64(t.UnixNano()))
	return append(key, name...)
}

// timeOf is the time in a key of recentKey.
func timeOf(key []byte) time.Time {
	return time.Unix(0, int64(^binary.BigEndian.Uint64(key[1:9]))).UTC()
}

// live yields every version that is not yanked, of the gems that sees accepts: gem by gem, the newest version first.
func live(t ledger.Tables, sees func(name string) (bool, error), yield func(gemspec.Tuple)) error {
	var name string
	var ids []string
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		ok, err := sees(name)
		if err != nil || !ok {
			return err
		}
		slices.SortFunc(ids, version.NewerFirst)
		for _, id := range ids {
			number, platform := version.Split(id)
			yield(gemspec.Tuple{Name: name, Number: number, Platform: platform})
		}
		return nil
	}
	for key := range t(specsTable).Scan(nil, nil) {
		n, id, _ := strings.Cut(string(key), "\x00")
		if n != name {
			if err := flush(); err != nil {
				return err
			}
			name, ids = n, ids[:0]
		}
		ids = append(ids, id)
	}
	return flush()
}

// choose returns a function that reports whether a row is in an index. It must be called in the order of live.
func choose(index string) func(gemspec.Tuple) bool {
	seen, of := map[string]bool{}, ""
	return func(t gemspec.Tuple) bool {
		if version.IsPrerelease(t.Number) || index == indexPrereleases {
			return version.IsPrerelease(t.Number) && index == indexPrereleases
		}
		if index == indexReleases {
			return true
		}
		if t.Name != of {
			of = t.Name
			clear(seen)
		}
		first := !seen[t.Platform]
		seen[t.Platform] = true
		return first
	}
}
