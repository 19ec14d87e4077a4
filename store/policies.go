package store

// This file has the built-in policies: quotas, protected packages, what must not change.

import (
	"fmt"
	"slices"
	"strings"

	"larder/internal/problem"
)

// Quota limits bytes. The fields that are set must all match: Kind alone limits a kind, User alone what one user
// brought in, Package (a glob, with or without Kind) each matching package on its own.
type Quota struct {
	Kind    Kind
	User    string // a user's name; "*": each user on its own
	Package string
	Bytes   int64
}

// Protected reserves packages for some users; upstream fills are not affected.
type Protected struct {
	Kind    Kind     // "": every kind
	Package string   // glob; "": every package
	Users   []string // who may change them; none: nobody
}

// Immutable forbids changing what exists. With Tag it is about tags that match: they can be made but neither moved nor
// deleted. Without, it is about versions: their files cannot be replaced, nor the version deleted; yanking is allowed.
type Immutable struct {
	Kind    Kind   // "": every kind
	Package string // glob; "": every package
	Tag     string // glob
}

// RulesConfig is what the configuration file says of the built-in policies.
type RulesConfig struct {
	Quotas    []Quota
	Protected []Protected
	Immutable []Immutable
}

type rules struct{ RulesConfig }

// NewRules returns the policy that enforces c. In globs "*" stands for any run of characters, "/" included.
func NewRules(c RulesConfig) Policy { return rules{c} }

// Check implements Policy with ErrProtected, ErrImmutable or ErrQuota, in this order.
func (r rules) Check(tx *Tx, c Change) error {
	for _, p := range r.Protected {
		if c.Op != OpCache && matches(p.Kind, p.Package, c) && !slices.Contains(p.Users, c.Actor.User) {
			return problem.Errorf(ErrProtected, "package %s is protected", c.Package)
		}
	}
	for _, i := range r.Immutable {
		if err := i.check(c); err != nil {
			return err
		}
	}
	if c.Bytes <= 0 {
		return nil
	}
	for _, q := range r.Quotas {
		if err := q.check(tx, c); err != nil {
			return err
		}
	}
	return nil
}

func (i Immutable) check(c Change) error {
	if c.Replaces == "" || !matches(i.Kind, i.Package, c) {
		return nil
	}
	switch {
	case c.Op == OpTag || c.Op == OpUntag:
		if i.Tag != "" && Glob(i.Tag, c.Tag) {
			return problem.Errorf(ErrImmutable, "tag %s of %s cannot be changed", c.Tag, c.Package)
		}
	case i.Tag == "":
		return problem.Errorf(ErrImmutable, "version %s of %s cannot be changed", c.Version, c.Package)
	}
	return nil
}

// check compares what the change adds up to with the limit.
func (q Quota) check(tx *Tx, c Change) error {
	if q.Kind != "" && q.Kind != c.Kind {
		return nil
	}
	var used int64
	var what string
	var err error
	switch {
	case q.Package != "":
		if !Glob(q.Package, c.Package) || (q.User != "" && q.User != "*" && q.User != c.Actor.User) {
			return nil
		}
		used, err = tx.packageBytes(c.Kind, c.Package)
		what = "package " + c.Package
	case q.User != "":
		if c.Actor.User == "" || (q.User != "*" && q.User != c.Actor.User) {
			return nil
		}
		used, err = tx.statBytes(statUser, c.Actor.User)
		what = "user " + c.Actor.User
	default:
		used, err = tx.kindBytes(q.Kind)
		what = strings.TrimSpace(string(q.Kind) + " packages")
	}
	if err != nil {
		return fmt.Errorf("quota of %s: %w", what, err)
	}
	if used+c.Bytes > q.Bytes {
		return problem.Errorf(ErrQuota, "%s: the quota of %d bytes is used up (%d used, %d more needed)",
			what, q.Bytes, used, c.Bytes)
	}
	return nil
}

func (tx *Tx) statBytes(parts ...string) (int64, error) {
	c, err := tx.counted(parts...)
	return c.Bytes, err
}

// kindBytes counts one kind, or with "" all of them.
func (tx *Tx) kindBytes(k Kind) (sum int64, err error) {
	for _, each := range Kinds() {
		if k != "" && k != each {
			continue
		}
		n, err := tx.statBytes(statKind, string(each))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// packageBytes is what the package holds as of the last flush of its row: the change under way comes on top.
func (tx *Tx) packageBytes(k Kind, name string) (int64, error) {
	var row packageRow
	_, err := tx.row(bucketPackage, key(string(k), name), &row)
	return row.Bytes, err
}

func matches(k Kind, pattern string, c Change) bool {
	return (k == "" || k == c.Kind) && (pattern == "" || Glob(pattern, c.Package))
}

// Glob matches s against a pattern in which "*" stands for any run of characters.
func Glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], next
	}
}
