package registry

// What pages change of the packages of a kind: the part that is the same in every protocol.

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

// Operation is a change of a version, as the requests that a client of the protocol sends for it.
type Operation[M any] struct {
	describe.Offer
	// Needs are the rights to the package that the requests are refused without.
	Needs []auth.Action
	// Calls are the requests, in their order.
	Calls func(ctx context.Context, name string, v store.Version[M], c describe.Change) ([]Call, error)
}

// Call is a request without a host. Path has the prefix of the protocol, escapes, and the query; Body is JSON.
type Call struct{ Method, Path, Body string }

// One is a single call.
func One(method, path, body string) ([]Call, error) { return []Call{{method, path, body}}, nil }

// Offers implements describe.Changer.
func (d *Describer[M]) Offers(ctx context.Context, name string) (out []describe.Offer, err error) {
	id := wire.IdentityFrom(ctx)
	if id.Anonymous {
		return nil, nil
	}
	var pkg store.Package
	err = d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) error {
		pkg, err = tx.Package()
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && d.Owns != nil && d.Owns(id, pkg) != nil {
		return nil, nil
	}
	for _, o := range d.Changes {
		lacks := func(a auth.Action) bool { return d.may(ctx, id, a, name) != nil }
		if err == nil && !slices.ContainsFunc(o.Needs, lacks) {
			out = append(out, o.Offer)
		}
	}
	return out, err
}

// Change implements describe.Changer.
func (d *Describer[M]) Change(ctx context.Context, name string, c describe.Change) error {
	i := slices.IndexFunc(d.Changes, func(o Operation[M]) bool { return o.Op == c.Op })
	if i < 0 {
		return problem.Errorf(problem.ErrInvalid, "Versions of this kind have no such change.")
	}
	var v store.Version[M]
	err := d.Repo.View(ctx, name, func(tx *store.PackageTx[M]) (err error) {
		v, err = tx.Version(c.Version)
		return err
	})
	if err != nil {
		return err
	}
	calls, err := d.Changes[i].Calls(ctx, name, v, c)
	for _, call := range calls {
		if err == nil {
			err = d.call(ctx, call)
		}
	}
	return err
}

func (d *Describer[M]) call(ctx context.Context, c Call) error {
	r, err := http.NewRequestWithContext(ctx, c.Method, "http://larder"+c.Path, strings.NewReader(c.Body))
	if err != nil {
		return err
	}
	if c.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return d.Caller.Call(ctx, r)
}
