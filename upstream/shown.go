package upstream

// This file remembers where files are that a document has referred to and refers to no more: a lock file that was made
// with the document names them still.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"larder/store"
)

// tableShown has a row for each file that a document does not name any more: kind, package, file to reference. It is
// of no package, and stays when copies are dropped.
const tableShown = "upstream.shown"

// reference is where a file is.
type reference struct {
	Upstream string            `json:"upstream"` // the key of its source
	Ref      string            `json:"ref"`
	Sums     map[string]string `json:"sums,omitempty"`
	Size     int64             `json:"size,omitempty"`
	Type     string            `json:"type,omitempty"`
	Accept   string            `json:"accept,omitempty"`
	Keep     []string          `json:"keep,omitempty"`
}

func (p Place) reference() reference {
	return reference{p.Upstream.key, p.Ref, p.Sums, p.Size, p.Type, p.Accept, p.Keep}
}

// filesOf are the files that a document refers to, by their keys; nil when the protocol does not say.
func (s *Set) filesOf(ctx context.Context, pkg, id string, k *kept) (map[string]Place, error) {
	u := s.source(k.Upstream)
	if s.protocol.Files == nil || u == nil || s.sound(k) == nil {
		return nil, nil
	}
	d := s.document(u, k, k.Fetched, "")
	body, err := d.Bytes(ctx)
	if err != nil {
		return nil, err
	}
	_, key, _ := strings.Cut(id, " ")
	files := s.protocol.Files(s.named(pkg), key, d, body)
	for name, p := range files {
		p.Upstream = u
		files[name] = p
	}
	return files, nil
}

// vanishing are the rows to write when now takes the place of the document that is kept; nil for
// now: when nothing does.
func (s *Set) vanishing(ctx context.Context, id docID, now *kept) (map[string][]byte, error) {
	if s.protocol.Files == nil {
		return nil, nil
	}
	was, err := load(ctx, s.known, s.docs, id.pkg, id.id)
	if err != nil || was == nil || now != nil && was.blob == now.blob {
		return nil, err
	}
	gone, err := s.filesOf(ctx, id.pkg, id.id, was)
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	if now != nil {
		stay, err := s.filesOf(ctx, id.pkg, id.id, now)
		if err != nil {
			return nil, err
		}
		for key := range stay {
			delete(gone, key)
		}
	}
	rows := map[string][]byte{}
	for key, p := range gone {
		raw, err := json.Marshal(p.reference())
		if err != nil {
			return nil, err
		}
		rows[string(useKey{s.kind, id.pkg, key}.row())] = raw
	}
	return rows, nil
}

// remember writes what vanishing returned.
func remember(tx *store.Tx, rows map[string][]byte) error {
	for key, row := range rows {
		if err := tx.Table(tableShown).Put([]byte(key), row); err != nil {
			return err
		}
	}
	return nil
}

// rememberAll notes the files of the documents of a package, which are about to be dropped. What cannot be read is
// logged: it is dropped all the same.
func (s *Set) rememberAll(ctx context.Context, pkg string) error {
	if s == nil || s.protocol.Files == nil {
		return nil
	}
	s.settle(func(each string) bool { return each == pkg })
	ids, err := s.docs.VersionIDs(ctx, pkg)
	if err != nil {
		return err
	}
	for _, id := range ids {
		rows, err := s.vanishing(ctx, docID{pkg, id}, nil)
		if err != nil {
			s.r.log.LogAttrs(ctx, slog.LevelWarn, "what a dropped document referred to is not remembered",
				slog.String("package", pkg), slog.Any("error", err))
			continue
		}
		if len(rows) == 0 {
			continue
		}
		if err := s.r.store.Update(ctx, func(tx *store.Tx) error { return remember(tx, rows) }); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until what was answered of documents is stored, of those packages that of wants.
func (s *Set) settle(of func(pkg string) bool) {
	if s == nil {
		return
	}
	var coming []chan struct{}
	s.mu.Lock()
	for id, st := range s.states {
		if st.coming != nil && of(id.pkg) {
			coming = append(coming, st.coming.done)
		}
	}
	s.mu.Unlock()
	for _, done := range coming {
		<-done
	}
}

// find says where a file is: as the documents have it now, or as one had it once.
func (s *Set) find(ctx context.Context, q FileQuery) (Place, error) {
	p, err := q.Find(ctx)
	unknown := errors.Is(err, store.ErrNotFound) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused)
	if !unknown || s.protocol.Files == nil {
		return p, err
	}
	switch known, rerr := s.Shown(ctx, q.Package, q.Key); {
	case rerr != nil:
		return p, rerr
	case known != nil && q.Complete != nil:
		return q.Complete(ctx, *known)
	case known != nil:
		return *known, nil
	}
	return p, err
}

// Shown is the place of a file that a document of the package names or has named once, as Protocol.Files says it; nil
// when none ever did, or who has it may not be asked for the name. ErrNotFound for a name that is ours.
func (s *Set) Shown(ctx context.Context, name, key string) (*Place, error) {
	chain, err := s.chain(ctx, name)
	if err != nil {
		return nil, err
	}
	pkg := s.homeOf(name)
	s.settle(func(each string) bool { return each == pkg }) // what was answered a moment ago was shown, too
	var raw []byte
	err = s.r.store.View(ctx, func(tx *store.Tx) error {
		raw = bytes.Clone(tx.Table(tableShown).Get(useKey{s.kind, pkg, key}.row()))
		return nil
	})
	if err != nil {
		return nil, err
	}
	var p *Place
	if raw != nil {
		var r reference
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, fmt.Errorf("where %s %s %s was: %w", s.kind, pkg, key, err)
		}
		p = &Place{
			Upstream: s.source(r.Upstream), Ref: r.Ref, Sums: r.Sums, Size: r.Size, Type: r.Type, Accept: r.Accept,
			Keep: r.Keep,
		}
	} else if p, err = s.inKept(ctx, pkg, key); err != nil {
		return nil, err
	}
	for _, u := range chain {
		if p != nil && p.Upstream == u {
			return p, nil
		}
	}
	return nil, nil
}

// inKept looks into the documents that are kept, also those that their upstream does not have any more.
func (s *Set) inKept(ctx context.Context, pkg, key string) (*Place, error) {
	ids, err := s.docs.VersionIDs(ctx, pkg)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		k, err := load(ctx, s.known, s.docs, pkg, id)
		if err != nil || k == nil {
			return nil, err
		}
		files, err := s.filesOf(ctx, pkg, id, k)
		if err != nil {
			return nil, err
		}
		if p, ok := files[key]; ok {
			return &p, nil
		}
	}
	return nil, nil
}
