package npm

// Who sees a package that is published for the first time, and what a publish says of one that exists.

import (
	"errors"
	"strconv"
	"strings"

	"larder/internal/registry"
	"larder/store"
)

// The values of Options.Access.
const (
	AccessPublic     = "public"
	AccessRestricted = "restricted"
	AccessClient     = "client"
)

// claim takes a name that is new, with its publisher as owner. Nothing a publish says changes an existing package's
// access: clients fill in that field unasked, and the next release must not hide what everybody installs.
func (p *publication) claim(tx *store.PackageTx[Meta]) error {
	pkg, err := tx.Package()
	if err == nil {
		if p.asksRestricted() && p.onPurpose() && !pkg.Private {
			p.notices = append(
				p.notices, p.name+" exists and stays public; npm access set status=private "+p.name+" changes that.",
			)
		}
		return nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := p.s.takeName(tx); err != nil {
		return err
	}
	private := p.beginsPrivate()
	switch {
	case private:
		tx.Tx().Log(store.Entry{Kind: store.NPM, Package: p.name, Op: opJournalAccess, Note: AccessRestricted})
	case p.asksRestricted():
		p.notices = append(
			p.notices, p.name+" is public, as new packages are here; npm access set status=private "+p.name+" changes that.",
		)
	}
	return registry.Own(tx, func(pkg *store.Package) { pkg.Private = private })
}

// beginsPrivate reports whether a new package is for its owners only: as the operator says, and with public, which is
// the default, where the publisher asked for it.
func (p *publication) beginsPrivate() bool {
	switch p.s.opt.Access {
	case AccessRestricted:
		return true
	case AccessClient:
		return p.asksRestricted()
	}
	return p.asksRestricted() && p.onPurpose()
}

func (p *publication) asksRestricted() bool {
	return p.body.Access == "restricted" || p.body.Access == "private"
}

// onPurpose reports whether the access that was sent is the publisher's own word. yarn 4 and npm up to 8 call every
// scoped package restricted, which the public registry wants of paying customers. npm since 9 sends only what it was
// told; and what stands in package.json somebody wrote.
func (p *publication) onPurpose() bool {
	if access := p.tarball.Package.Sub("publishConfig").Text("access"); access == "restricted" || access == "private" {
		return true
	}
	agent, _, _ := strings.Cut(p.request.UserAgent(), " ")
	version, isNPM := strings.CutPrefix(agent, "npm/")
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return isNPM && err == nil && n >= 9
}
