package store

// This file has the tags of a package and their history.

import (
	"fmt"
	"iter"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// Tag is a movable name for a version.
type Tag struct {
	Name    string    `json:"-"`
	Version string    `json:"version"`
	Updated time.Time `json:"updated"`
	By      string    `json:"by,omitempty"`
}

// TagCond is what must hold for SetTag to move a tag; the zero value asks for nothing.
type TagCond struct {
	IfMatch     string // the tag must point at this version; "*": it must exist. ErrConflict otherwise
	IfNoneMatch string // the tag must not point at this version; "*": it must not exist. ErrConflict otherwise
	Create      bool   // the caller may make new tags only: ErrDenied when the tag points at another version
}

// The events of a tag's history. Moving a tag is a creation that supersedes the one before.
const (
	TagCreated = "created"
	TagDeleted = "deleted"
)

// TagEvent is one line of a tag's history. It describes the version's first file, since the version may be gone.
type TagEvent struct {
	Seq     uint64        `json:"-"` // grows along the history
	Time    time.Time     `json:"time"`
	Event   string        `json:"event"`   // TagCreated or TagDeleted
	Version string        `json:"version"` // that the tag points at since, or pointed at until then
	By      string        `json:"by,omitempty"`
	Digest  digest.Digest `json:"digest,omitempty"`
	Size    int64         `json:"size,omitempty"`
	Type    string        `json:"type,omitempty"`
}

// Tag returns the tag called name; ErrNotFound.
func (p *pkg) Tag(name string) (Tag, error) {
	t := Tag{Name: name}
	ok, err := p.tx.row(bucketTag, p.key(name), &t)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return Tag{}, fmt.Errorf("%s %s: tag %.200q: %w", p.kind, p.name, name, err)
	}
	return t, nil
}

// Tags yields the tags whose name is bytewise greater than after, in that order.
func (p *pkg) Tags(after string) iter.Seq2[Tag, error] {
	return func(yield func(Tag, error) bool) {
		for k, v := range p.tx.scan(bucketTag, p.prefix(), p.key(after)) {
			t := Tag{Name: lastPart(k)}
			err := decode(v, &t)
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// TagsOf yields the names of the tags that point at a version, in bytewise order.
func (p *pkg) TagsOf(version string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range p.tx.scan(bucketTagged, p.prefix(version), nil) {
			if !yield(lastPart(k)) {
				return
			}
		}
	}
}

// TagHistory yields what happened to a tag, newest first. It outlives the tag, the version and the package.
func (p *pkg) TagHistory(name string) iter.Seq2[TagEvent, error] {
	return func(yield func(TagEvent, error) bool) {
		b := p.tx.bucket(bucketTagHistory)
		from := p.prefix(name)
		c := b.Cursor()
		c.Seek(append(p.key(name), 1))
		k, v := c.Prev()
		if k == nil {
			k, v = c.Last()
		}
		for ; hasPrefixLen(k, from, 8); k, v = c.Prev() {
			e := TagEvent{Seq: seqOf(k)}
			err := decode(v, &e)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// SetTag makes name point at an existing version; setting what is set already changes nothing. ErrNotFound for an
// unknown version, ErrConflict and ErrDenied as TagCond says, ErrImmutable, ErrProtected and ErrQuota from policies.
func (p *pkg) SetTag(name, version string, cond TagCond) error {
	if err := checkName("tag", name); err != nil {
		return err
	}
	head, err := p.head(version)
	if err != nil {
		return err
	}
	var old Tag
	exists, err := p.tx.row(bucketTag, p.key(name), &old)
	if err != nil {
		return err
	}
	if err := cond.check(name, old.Version, version, exists); err != nil {
		return err
	}
	if exists && old.Version == version {
		return nil
	}
	if err := p.ask(Change{Op: OpTag, Version: version, Tag: name, Replaces: old.Version}); err != nil {
		return err
	}
	if exists {
		if err := p.tx.del(bucketTagged, p.key(old.Version, name)); err != nil {
			return err
		}
	} else {
		p.row.Tags++
	}
	return p.writeTag(Tag{Name: name, Version: version, Updated: p.tx.now, By: p.tx.actor.User}, head)
}

func (c TagCond) check(name, old, version string, exists bool) error {
	switch {
	case c.IfMatch == "*" && !exists, c.IfMatch != "" && c.IfMatch != "*" && (!exists || old != c.IfMatch):
		return problem.Errorf(ErrConflict, "tag %q does not point at what was expected", name)
	case c.IfNoneMatch == "*" && exists, c.IfNoneMatch != "" && exists && old == c.IfNoneMatch:
		return problem.Errorf(ErrConflict, "tag %q exists already", name)
	case c.Create && exists && old != version:
		return problem.Errorf(ErrDenied, "tag %q exists and may not be moved", name)
	}
	return nil
}

// writeTag writes the tag, its reverse row, its history and the journal.
func (p *pkg) writeTag(t Tag, head File) error {
	p.change()
	if err := p.tx.putRow(bucketTag, p.key(t.Name), t); err != nil {
		return err
	}
	if err := p.tx.put(bucketTagged, p.key(t.Version, t.Name), []byte{}); err != nil {
		return err
	}
	p.tx.Log(Entry{Kind: p.kind, Package: p.name, Version: t.Version, Tag: t.Name, Op: OpTag})
	return p.tagEvent(t.Name, t.Version, TagCreated, head)
}

// DeleteTag removes a tag and nothing else. ErrNotFound; ErrImmutable and ErrProtected from policies.
func (p *pkg) DeleteTag(name string) error {
	t, err := p.Tag(name)
	if err != nil {
		return err
	}
	if err := p.ask(Change{Op: OpUntag, Version: t.Version, Tag: name, Replaces: t.Version}); err != nil {
		return err
	}
	head, err := p.head(t.Version)
	if err != nil {
		return err
	}
	return p.untag(t, head)
}

func (p *pkg) untag(t Tag, head File) error {
	p.change()
	p.row.Tags--
	if err := p.tx.del(bucketTag, p.key(t.Name)); err != nil {
		return err
	}
	if err := p.tx.del(bucketTagged, p.key(t.Version, t.Name)); err != nil {
		return err
	}
	p.tx.Log(Entry{Kind: p.kind, Package: p.name, Version: t.Version, Tag: t.Name, Op: OpUntag})
	return p.tagEvent(t.Name, t.Version, TagDeleted, head)
}

func (p *pkg) tagEvent(name, version, event string, head File) error {
	p.tx.writes++
	seq, err := p.tx.bucket(bucketTagHistory).NextSequence()
	if err != nil {
		return fmt.Errorf("tag history sequence: %w", err)
	}
	return p.tx.putRow(bucketTagHistory, append(p.prefix(name), be64(seq)...), TagEvent{
		Time: p.tx.now, Event: event, Version: version, By: p.tx.actor.User,
		Digest: head.Digest, Size: head.Size, Type: head.Type,
	})
}
