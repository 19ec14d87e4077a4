package store

// This file lists the packages of which copies are kept, so that searches find them and counters count them. A copied
// package is one of kind Copies without versions: a row, counters and a listing. What is kept of it are records of
// Documents and CachedFiles.

import (
	"context"
	"time"
)

// SetCopied lists a package of kind k as one of which copies are kept, found by l; nil takes it off the list. It costs
// nothing when nothing changes.
func (tx *Tx) SetCopied(k Kind, name string, l *Listing) error {
	if err := checkName("package name", name); err != nil {
		return err
	}
	tx.s.touch(k.Copies(), name)
	p, err := openPackage(tx, k.Copies(), name)
	if err != nil {
		return err
	}
	if l == nil && !p.row.Listed {
		return nil
	}
	if err := p.SetListing(l); err != nil {
		return err
	}
	p.row.Listed = l != nil
	p.change()
	return p.flush()
}

// Copied is what a package of kind k of which copies are kept is found by; false when it is not listed.
func (tx *Tx) Copied(k Kind, name string) (l Listing, ok bool, err error) {
	p := &pkg{tx: tx, kind: k.Copies(), name: name}
	l, err = p.Listing()
	return l, l.Data != nil, err
}

// CopiedPackage is a listed package of which copies are kept.
type CopiedPackage struct {
	Name  string
	Since time.Time // when something of it was kept first
	Files int       // that are kept
	Bytes int64     // of them
	Listing
}

// CopiedPackages returns those of the names that are listed, in their order.
func (s *Store) CopiedPackages(ctx context.Context, k Kind, names []string) (out []CopiedPackage, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		out = nil
		for _, name := range names {
			p := &pkg{tx: tx, kind: k.Copies(), name: name}
			l, err := p.Listing()
			if err != nil {
				return err
			}
			if l.Data == nil {
				continue
			}
			if err := p.load(); err != nil {
				return err
			}
			files, err := openPackage(tx, k.CachedFiles(), name)
			if err != nil {
				return err
			}
			out = append(out, CopiedPackage{
				Name: name, Since: p.row.Created, Files: files.row.Versions, Bytes: files.row.Bytes, Listing: l,
			})
		}
		return nil
	})
	return out, err
}
