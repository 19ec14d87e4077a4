package store

// This file is where changes can be refused: policies are asked before a change commits.

import (
	"context"
	"fmt"
	"time"
)

// Change is what is about to happen, as a policy sees it.
type Change struct {
	Op       Op
	Kind     Kind
	Package  string
	Version  string
	Tag      string
	Replaces string // the version the tag points at now, or that is replaced or deleted; "" when nothing is lost
	Bytes    int64  // what the change adds to the package's size
	Actor    Actor
	Time     time.Time
}

// Policy is asked before a change commits, inside its transaction: it must be quick, do no I/O and only read. It
// refuses with problem.Errorf(ErrQuota, ErrImmutable or ErrProtected, "a sentence for the client's user").
type Policy interface {
	Check(tx *Tx, c Change) error
}

// ask asks every policy in turn; the first refusal wins.
func (tx *Tx) ask(c Change) error {
	c.Actor, c.Time = tx.actor, tx.now
	for _, p := range tx.s.opt.Policies {
		if err := p.Check(tx, c); err != nil {
			return fmt.Errorf("%s %s %s: %w", c.Op, c.Kind, c.Package, err)
		}
	}
	return nil
}

// ask completes c and asks the policies, after bringing the counters they read up to date.
func (p *pkg) ask(c Change) error {
	if len(p.tx.s.opt.Policies) == 0 {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	c.Kind, c.Package = p.kind, p.name
	return p.tx.ask(c)
}

// Admit says whether a body of so many bytes (0 when unknown) may come in for the package: the disk's reserve, and the
// policies with OpUpload. Callers ask before they read a body, and again while it grows. ErrFull, ErrReadOnly, or what
// a policy says.
func (s *Store) Admit(ctx context.Context, k Kind, pkg string, bytes int64) error {
	if err := s.writable(); err != nil {
		return err
	}
	if err := s.files.Room(0, bytes); err != nil {
		return err
	}
	if len(s.opt.Policies) == 0 {
		return nil
	}
	return s.View(ctx, func(tx *Tx) error {
		return tx.ask(Change{Op: OpUpload, Kind: k, Package: pkg, Bytes: bytes})
	})
}
