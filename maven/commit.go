package maven

// From an open version to one that metadata names, and everything that follows from it: the rows metadata is rendered
// from, what a package is found by, retention of snapshots. Each step is a part of one transaction, and none of them
// costs more the more versions there are.

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"larder/internal/problem"
	"larder/maven/metadata"
	"larder/maven/names"
	"larder/store"
)

// What can be due.
const (
	dueSettle  = "settle"  // an open version is quiet: announce it, or give it up
	duePrune   = "prune"   // builds of a snapshot become old
	dueRelease = "release" // a snapshot's release has been there for long enough
)

func dueKey(at time.Time, what, name, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(max(at.Unix(), 0))), "\x00"+what+"\x00"+name+"\x00"+id...)
}

// quietTime is how long the client of a version that looks finished must be silent before it counts as announced;
// quietAnnounced is the same for clients that end with metadata, where silence means that something broke.
const (
	quietTime      = 30 * time.Second
	quietAnnounced = time.Hour
)

// await notes when an open version will be quiet for long enough.
func (s *server) await(p *store.PackageTx[Meta], v store.Version[Meta]) error {
	quiet := quietTime
	if v.Meta.Waits {
		quiet = quietAnnounced
	}
	return reschedule(p, v.ID, p.Tx().Now().Add(quiet))
}

// noTime removes a row from the table of what is due.
var noTime time.Time

// reschedule replaces an open version's row in the table of what is due.
func reschedule(p *store.PackageTx[Meta], id string, at time.Time) error {
	open, due := p.Index(indexOpen), p.KindIndex(kindDue)
	if old := open.Get([]byte(id)); len(old) == 8 {
		key := dueKey(time.Unix(int64(binary.BigEndian.Uint64(old)), 0), dueSettle, p.Name(), id)
		if err := due.Delete(key); err != nil {
			return err
		}
	}
	if at.IsZero() {
		return open.Delete([]byte(id))
	}
	key := dueKey(at, dueSettle, p.Name(), id)
	if err := due.Put(key, nil); err != nil {
		return err
	}
	return open.Put([]byte(id), bytes.Clone(key[:8]))
}

// announce lists the open versions that a client's metadata names. What it names beside them is ours to know.
func (s *server) announce(ctx context.Context, name string, announced map[string]bool) error {
	var open []string
	err := s.Repo.View(ctx, name, func(p *store.PackageTx[Meta]) error {
		open = nil
		for id := range p.Index(indexOpen).Scan(nil, nil) {
			if announced[string(id)] {
				open = append(open, string(id))
			}
		}
		return nil
	})
	if err != nil || len(open) == 0 {
		return err
	}
	return s.Repo.Update(ctx, name, func(p *store.PackageTx[Meta]) error {
		for _, id := range open {
			v, err := p.Version(id)
			if err != nil || !v.Meta.Open {
				if err = ignoreMissing(err); err != nil {
					return err
				}
				continue
			}
			for file, reason := range v.Meta.Broken {
				return problem.Errorf(
					store.ErrDigest, "%s cannot be announced: deploy %s again. %s", names.Coordinates(name, id), file, reason,
				)
			}
			if err := s.list(p, v); err != nil {
				return err
			}
		}
		return nil
	})
}

// list makes an open version one that metadata names.
func (s *server) list(p *store.PackageTx[Meta], v store.Version[Meta]) error {
	if err := reschedule(p, v.ID, noTime); err != nil {
		return err
	}
	if err := dropStale(p, &v); err != nil {
		return err
	}
	v.Meta.Open, v.Meta.Waits, v.Meta.Last = false, false, time.Time{}
	if odd := v.Meta.Module.Odd(v.Files); len(odd) > 0 {
		v.Meta.Warnings = with(v.Meta.Warnings, "module", odd)
	}
	if err := p.Replace(v, opList); err != nil {
		return err
	}
	if timestamp, number, ok := names.SplitBuild(v.Meta.Base, v.ID); ok {
		if err := s.listBuild(p, v, timestamp, number); err != nil {
			return err
		}
	}
	if err := listVersion(p, v.Meta.Base); err != nil {
		return err
	}
	if err := s.describe(p, v); err != nil {
		return err
	}
	if names.IsSnapshot(v.Meta.Base) {
		return s.prune(p, v.Meta.Base)
	}
	return s.outlive(p, v.ID)
}

// dropStale removes what was left of an earlier attempt and did not come again.
func dropStale(p *store.PackageTx[Meta], v *store.Version[Meta]) error {
	if len(v.Meta.Stale) == 0 {
		return nil
	}
	kept := []store.File{}
	for _, f := range v.Files {
		if !slices.Contains(v.Meta.Stale, f.Name) {
			kept = append(kept, f)
		} else if err := indexSHA1(p, f, f.Name, false); err != nil {
			return err
		}
	}
	v.Files, v.Meta.Stale = kept, nil
	return nil
}

// listBuild adds a build to its snapshot.
func (s *server) listBuild(p *store.PackageTx[Meta], v store.Version[Meta], timestamp, number string) error {
	snapshot := v.Meta.Base
	row := []byte(snapshot + "\x00" + names.BuildKey(timestamp, number))
	if err := p.Index(indexBuilds).Put(row, []byte(v.ID)); err != nil {
		return err
	}
	for _, f := range v.Files {
		if err := listFile(p, v, f); err != nil {
			return err
		}
	}
	return changeBase(p, snapshot, func(b *metadata.Base) {
		b.Count++
		if names.Newer(snapshot, v.ID, b.Build) {
			b.Build = v.ID
		}
	})
}

// changeBase changes a snapshot's row and moves its time forward.
func changeBase(p *store.PackageTx[Meta], snapshot string, change func(*metadata.Base)) error {
	var b metadata.Base
	if _, err := getRow(p.Index(indexBases), snapshot, &b); err != nil {
		return err
	}
	change(&b)
	if b.Count <= 0 {
		return p.Index(indexBases).Delete([]byte(snapshot))
	}
	b.Updated = max(p.Tx().Now().Unix(), b.Updated+1)
	return putRow(p.Index(indexBases), snapshot, b)
}

func newestKey(snapshot, classifier, ext string) string {
	return snapshot + "\x00" + classifier + "\x00" + ext
}

// listFile makes a file of a build the newest of its kind, unless a newer build has one.
func listFile(p *store.PackageTx[Meta], v store.Version[Meta], f store.File) error {
	_, artifact := names.SplitName(p.Name())
	n := names.SplitFile(artifact, v.Meta.Base, names.FileOf(f.Name))
	if n.Version != v.ID {
		return nil
	}
	key := newestKey(v.Meta.Base, n.Classifier, n.Extension())
	var old metadata.Newest
	if there, err := getRow(p.Index(indexNewest), key, &old); err != nil ||
		there && !names.Newer(v.Meta.Base, v.ID, old.ID) {
		return err
	}
	timestamp, _, _ := names.SplitBuild(v.Meta.Base, v.ID)
	at, err := time.Parse(names.Stamp, timestamp)
	if err != nil {
		at = v.Published
	}
	return putRow(p.Index(indexNewest), key, metadata.Newest{ID: v.ID, File: f.Name, Time: at.Unix()})
}

// listVersion adds a version to those the artifact's metadata lists, or only moves the document's time for one that is.
func listVersion(p *store.PackageTx[Meta], version string) error {
	versions := p.Index(indexVersions)
	isNew := versions.Get([]byte(version)) == nil
	if isNew {
		if err := versions.Put([]byte(version), strconv.AppendInt(nil, p.Tx().Now().Unix(), 10)); err != nil {
			return err
		}
	}
	return changeState(p, func(st *metadata.State) error {
		if isNew {
			st.Count++
		}
		st.Take(version)
		return nil
	})
}

// changeState changes the artifact's row and moves its time forward: clients take RELEASE and LATEST from the
// repository whose time is greatest.
func changeState(p *store.PackageTx[Meta], change func(*metadata.State) error) error {
	var st metadata.State
	if _, err := getRow(p.Index(indexState), "", &st); err != nil {
		return err
	}
	if err := change(&st); err != nil {
		return err
	}
	st.Updated = max(p.Tx().Now().Unix(), st.Updated+1)
	return putRow(p.Index(indexState), "", st)
}

// extend is what follows when a file is added to a version that is listed already.
func (s *server) extend(p *store.PackageTx[Meta], v store.Version[Meta], key string) error {
	if v.ID != v.Meta.Base {
		i := slices.IndexFunc(v.Files, func(f store.File) bool { return f.Name == key })
		if err := listFile(p, v, v.Files[i]); err != nil {
			return err
		}
		if err := changeBase(p, v.Meta.Base, func(*metadata.Base) {}); err != nil {
			return err
		}
	}
	return s.describe(p, v)
}

// describe brings along what is known from a version's files: the group's plugins, archetypes, and the search.
func (s *server) describe(p *store.PackageTx[Meta], v store.Version[Meta]) error {
	if j := v.Meta.Jar; j != nil && j.Prefix != "" {
		group, artifact := names.SplitName(p.Name())
		err := s.Repo.In(p.Tx(), names.GroupOf(group), func(g *store.PackageTx[Meta]) error {
			return setPlugin(g, artifact, metadata.Plugin{Name: j.PluginName, Prefix: j.Prefix})
		})
		if err != nil {
			return err
		}
	}
	if isArchetype(v.Meta) && !names.IsSnapshot(v.Meta.Base) {
		text := ""
		if v.Meta.POM != nil {
			text = v.Meta.POM.Description
		}
		if err := p.KindIndex(kindArchetypes).Put([]byte(p.Name()+"\x00"+v.ID), []byte(text)); err != nil {
			return err
		}
	}
	return setListing(p)
}

func setPlugin(g *store.PackageTx[Meta], artifact string, want metadata.Plugin) error {
	var have metadata.Plugin
	if there, err := getRow(g.Index(indexPlugins), artifact, &have); err != nil || there && have == want {
		return err
	}
	return putRow(g.Index(indexPlugins), artifact, want)
}

func isArchetype(m Meta) bool {
	return m.Jar != nil && m.Jar.Archetype || m.POM != nil && m.POM.Packaging == "maven-archetype"
}

// maxPruned is how many builds one transaction removes; the rest waits for the next.
const maxPruned = 50

// prune removes builds that are neither among the newest nor young. What the metadata names always stays: a client may
// have read it a moment ago.
func (s *server) prune(p *store.PackageTx[Meta], snapshot string) error {
	if s.opt.SnapshotBuilds <= 0 {
		return nil
	}
	var b metadata.Base
	if there, err := getRow(p.Index(indexBases), snapshot, &b); err != nil || !there {
		return err
	}
	named := map[string]bool{}
	for key, row := range p.Index(indexNewest).Scan([]byte(snapshot+"\x00"), nil) {
		var n metadata.Newest
		if err := json.Unmarshal(row, &n); err != nil {
			return fmt.Errorf("row %q: %w", key, store.ErrFormat)
		}
		named[n.ID] = true
	}
	var gone []string
	var next time.Time
	surplus := b.Count - s.opt.SnapshotBuilds
	for _, id := range p.Index(indexBuilds).Scan([]byte(snapshot+"\x00"), nil) {
		if surplus--; surplus < 0 || len(gone) == maxPruned {
			break
		}
		if named[string(id)] {
			continue
		}
		v, err := p.Version(string(id))
		if err != nil {
			return err
		}
		if old := v.Published.Add(s.opt.SnapshotAge); old.After(p.Tx().Now()) {
			next = old
			break
		}
		gone = append(gone, string(id))
	}
	for _, id := range gone {
		if err := s.remove(p, id); err != nil {
			return err
		}
	}
	if next.IsZero() || b.Prune > p.Tx().Now().Unix() {
		return nil
	}
	if err := p.KindIndex(kindDue).Put(dueKey(next, duePrune, p.Name(), snapshot), nil); err != nil {
		return err
	}
	return changeBase(p, snapshot, func(b *metadata.Base) { b.Prune = next.Unix() })
}

// outlive notes that the snapshots of a release have served their time, where the operator wants them gone.
func (s *server) outlive(p *store.PackageTx[Meta], version string) error {
	snapshot := version + "-" + names.Snapshot
	if s.opt.DropReleased <= 0 || p.Index(indexVersions).Get([]byte(snapshot)) == nil {
		return nil
	}
	return p.KindIndex(kindDue).Put(dueKey(p.Tx().Now().Add(s.opt.DropReleased), dueRelease, p.Name(), snapshot), nil)
}

// settleBatch is how many rows one look at the table takes.
const settleBatch = 100

// dueRow is something that is due.
type dueRow struct {
	key            []byte
	what, name, id string
}

// settleEvery is how soon what is due is done.
const settleEvery = 5 * time.Second

// settleDue does what is due: announces versions whose client says nothing at its end (Ivy, sbt, curl), gives up those
// that were never finished, and removes old snapshots.
func (s *server) settleDue(ctx context.Context) error {
	for {
		rows, err := s.dueRows(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.settle(ctx, row); err != nil {
				return err
			}
		}
	}
}

func (s *server) dueRows(ctx context.Context) (rows []dueRow, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		now := dueKey(tx.Now().Add(time.Second), "", "", "")
		for key := range s.Repo.KindIndex(tx, kindDue).Scan(nil, nil) {
			if bytes.Compare(key, now) >= 0 || len(rows) == settleBatch {
				return nil
			}
			parts := strings.SplitN(string(key[min(len(key), 9):]), "\x00", 3)
			if len(parts) != 3 {
				return fmt.Errorf("row %q: %w", key, store.ErrFormat)
			}
			rows = append(rows, dueRow{bytes.Clone(key), parts[0], parts[1], parts[2]})
		}
		return nil
	})
	return rows, err
}

// retryTime is when a row is tried again that could not be done, such as what a policy forbids.
const retryTime = time.Hour

// settle does one row. A failure must not stand in the way of all others.
func (s *server) settle(ctx context.Context, row dueRow) error {
	err := s.Repo.Update(ctx, row.name, func(p *store.PackageTx[Meta]) error {
		if err := p.KindIndex(kindDue).Delete(row.key); err != nil {
			return err
		}
		switch row.what {
		case dueSettle:
			return s.settleVersion(p, row.id)
		case duePrune:
			return s.prune(p, row.id)
		case dueRelease:
			return s.dropReleased(p, row.id)
		}
		return nil
	})
	if err == nil || errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrFull) || ctx.Err() != nil {
		return err
	}
	s.Log.LogAttrs(
		ctx, slog.LevelWarn, "cannot do what is due", slog.String("what", row.what), slog.String("artifact", row.name),
		slog.String("version", row.id), slog.Any("error", err),
	)
	return s.Repo.Update(ctx, row.name, func(p *store.PackageTx[Meta]) error {
		at := p.Tx().Now().Add(retryTime)
		if row.what == dueSettle {
			return reschedule(p, row.id, at)
		}
		if err := p.KindIndex(kindDue).Delete(row.key); err != nil {
			return err
		}
		return p.KindIndex(kindDue).Put(dueKey(at, row.what, row.name, row.id), nil)
	})
}

// settleVersion announces an open version that looks finished, and removes one that has not been for a long time.
func (s *server) settleVersion(p *store.PackageTx[Meta], id string) error {
	v, err := p.Version(id)
	if err != nil || !v.Meta.Open {
		return ignoreMissing(err)
	}
	_, artifact := names.SplitName(p.Name())
	if ok, _ := complete(artifact, v); ok {
		return s.list(p, v)
	}
	end := v.Meta.Last.Add(s.opt.KeepIncomplete)
	if end.After(p.Tx().Now()) {
		return reschedule(p, id, end)
	}
	return s.remove(p, id)
}

// dropReleased removes a snapshot whose release is still there.
func (s *server) dropReleased(p *store.PackageTx[Meta], snapshot string) error {
	if p.Index(indexVersions).Get([]byte(strings.TrimSuffix(snapshot, "-"+names.Snapshot))) == nil {
		return nil
	}
	return s.removeVersion(p, snapshot)
}
