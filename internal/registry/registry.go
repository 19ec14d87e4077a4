// Package registry is what the servers of all protocols have in common, so that a handler says only what is its
// protocol's: who may do what, what a list leaves out, how a stored file is sent, when an upstream is asked,
// and the order of a publish.
//
//	Registry    the server's store, upstreams and log; rights; lists without what may not be seen          registry.go
//	Part        JSON of a version, in its record or in a blob                                                  part.go
//	SendBlob    a stored file, from memory or by the kernel; Immutable and Revalidate, how long it is fresh    send.go
//	Pulls       how often all that the client sees was fetched; DateOf and ByDate, the days of it              pulls.go
//	Publish     the steps of a publish, in the order of their cost; Claim, the first publisher's ownership     publish.go
package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
	"larder/upstream"
)

// Registry is what the server of a protocol embeds. M is what the protocol keeps of a version.
type Registry[M any] struct {
	Store *store.Store
	Repo  *store.Repo[M]
	Auth  auth.Provider
	Log   *slog.Logger
	Up    *upstream.Set // nil without upstreams
	base  *wire.Base
	about About
}

// About says which registry it is.
type About struct {
	Kind store.Kind
	Type string // of names in auth scopes: "package" in npm:package:@acme/demo:read
	Path string // where clients find it below the host unless wire.Deps says otherwise: "/npm"
	// Private: a package can be made private by itself, so that every list has to be filtered by name.
	Private bool
	// Upstream is how names are written and looked for at upstreams.
	Upstream upstream.Protocol
}

// New returns the common part of a server. Without a log it logs nothing.
func New[M any](d wire.Deps, about About) *Registry[M] {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	about.Path = cmp.Or(d.Path, about.Path)
	return &Registry[M]{
		Store: d.Store, Repo: store.NewRepo[M](d.Store, about.Kind), Auth: d.Auth, Log: d.Log,
		Up: d.Upstreams.Set(about.Kind, about.Upstream), base: d.Base, about: about,
	}
}

// URL is the registry's URL as the client of r knows it, without a slash at its end and without credentials.
func (g *Registry[M]) URL(r *http.Request) string { return g.base.URL(r) + g.about.Path }

// Path is where clients find the registry below the host, without a slash at its end.
func (g *Registry[M]) Path() string { return g.about.Path }

// May asks whether the client may do more than the operation's row says, or what its body is about: nil,
// auth.ErrDenied, auth.ErrNoCredentials, or auth.ErrHidden for a name the client may not know of.
func (g *Registry[M]) May(ctx context.Context, a auth.Action, name string) error {
	return g.MayAs(ctx, wire.IdentityFrom(ctx), a, name)
}

// MayAs is May for an identity that is not the request's own, such as the one a token was bought with.
func (g *Registry[M]) MayAs(ctx context.Context, id auth.Identity, a auth.Action, name string) error {
	wire.Asked(ctx)
	return g.may(ctx, id, a, name)
}

func (g *Registry[M]) may(ctx context.Context, id auth.Identity, a auth.Action, name string) error {
	return g.Auth.Authorize(ctx, id, auth.Access{Kind: g.about.Kind, Type: g.about.Type, Name: name, Action: a})
}

// View is what a client sees of the whole registry.
type View struct {
	// All: nothing has to be left out.
	All bool
	// Key is the same for clients who see the same; "" with All.
	Key string
	// Sees reports whether a name may be shown.
	Sees func(name string) (bool, error)
}

// View is for lists: every name in an answer is one that the client sees. It outlives the request, so that a list can
// be made once for all who see the same.
func (g *Registry[M]) View(ctx context.Context) View { return g.ViewAs(ctx, wire.IdentityFrom(ctx)) }

// ViewAs is View for an identity that is not the request's own.
func (g *Registry[M]) ViewAs(ctx context.Context, id auth.Identity) View {
	wire.Asked(ctx)
	if g.ReadsAll(id) {
		return View{All: true, Sees: func(string) (bool, error) { return true, nil }}
	}
	ctx = context.WithoutCancel(ctx)
	return View{
		Key: fmt.Sprintf("for %t %q %t %t %v %v", id.Anonymous, id.User, id.Admin, id.Scoped(), id.Grants, id.Limits),
		Sees: func(name string) (bool, error) {
			err := g.may(ctx, id, auth.Read, name)
			if IsOneOf(err, auth.ErrDenied, auth.ErrHidden, auth.ErrNoCredentials) {
				return false, nil
			}
			return err == nil, err
		},
	}
}

// ReadsAll reports whether nothing has to be left out for id: no pattern and no package's own flag
// hides a name from it.
func (g *Registry[M]) ReadsAll(id auth.Identity) bool {
	all, ok := g.Auth.(interface {
		ReadsAll(id auth.Identity, k store.Kind, typ string) bool
	})
	return !g.about.Private && ok && all.ReadsAll(id, g.about.Kind, g.about.Type)
}

// Visible returns what of list the client sees. It reuses the list's memory.
func Visible[E any](v View, list []E, name func(E) string) ([]E, error) {
	if v.All {
		return list, nil
	}
	out := list[:0]
	for _, e := range list {
		ok, err := v.Sees(name(e))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, e)
		}
	}
	return out, nil
}

// TryUpstream reports whether what is not here may be at an upstream.
func (g *Registry[M]) TryUpstream(err error) bool {
	return g.Up != nil && errors.Is(err, store.ErrNotFound)
}

// Theirs reports whether a name in an upstream's list may be shown to the client: it is neither ours nor blocked, and
// the client may read it.
func (g *Registry[M]) Theirs(ctx context.Context, name string) bool {
	return g.Up.Theirs(ctx, name) && g.May(ctx, auth.Read, name) == nil
}

// MayClaim refuses the first publish of a name that an upstream has: it would hide a package people rely on. name is
// that of the package in the store. store.ErrExists. It asks for a second at most; a publish that was not compared with
// every upstream has a notice in its answer and in the journal, see wire.Notice. also are further documents that exist
// only where the name does.
func (g *Registry[M]) MayClaim(ctx context.Context, name string, also ...upstream.Query) error {
	if g.Up == nil {
		return nil
	}
	err := g.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		_, err := tx.Package()
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return g.Compare(ctx, name, also...)
	}
	return err
}

// Compare is MayClaim for a name that is known not to be here.
func (g *Registry[M]) Compare(ctx context.Context, name string, also ...upstream.Query) error {
	notice, err := g.Up.MayPublish(ctx, name, also...)
	if notice != "" {
		g.Log.LogAttrs(ctx, slog.LevelWarn, "first publish not compared with upstreams",
			slog.String("kind", string(g.about.Kind)), slog.String("package", name))
		wire.Notice(ctx, notice)
	}
	return err
}

// IsOneOf reports whether err is one of the targets.
func IsOneOf(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
