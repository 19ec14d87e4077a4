package registry

// What pages change of the packages of a kind: the part that is the same in every protocol.

import (
	"context"
	"errors"
	"io"
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
	Calls Calls[M]
}

// Calls makes the requests for a change of a version.
type Calls[M any] func(ctx context.Context, name string, v store.Version[M], c describe.Change) ([]Call, error)

// Yanked are the changes of a protocol whose versions are yanked for a reason, taken back, and deleted.
func Yanked[M any](yank, unyank, remove Calls[M]) []Operation[M] {
	write := []auth.Action{auth.Write}
	return []Operation[M]{
		{Offer: describe.Offer{Op: describe.Yank, Reason: true}, Needs: write, Calls: yank},
		{Offer: describe.Offer{Op: describe.Unyank}, Needs: write, Calls: unyank},
		{Offer: describe.Offer{Op: describe.Delete}, Needs: []auth.Action{auth.Delete}, Calls: remove},
	}
}

// Call is a request without a host. Path has the prefix of the protocol, escapes, and the query.
type Call struct {
	Method, Path string
	Body         io.Reader // nil: none
	Size         int64     // of the body
	Type         string    // media type of the body
}

// One is a single call, whose body is JSON, "" for none.
func One(method, path, body string) ([]Call, error) {
	c := Call{Method: method, Path: path}
	if body != "" {
		c.Body, c.Size, c.Type = strings.NewReader(body), int64(len(body)), "application/json"
	}
	return []Call{c}, nil
}

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
	r, err := http.NewRequestWithContext(ctx, c.Method, "http://larder"+c.Path, c.Body)
	if err != nil {
		return err
	}
	if r.ContentLength = c.Size; c.Type != "" {
		r.Header.Set("Content-Type", c.Type)
	}
	return d.Caller.Call(ctx, r)
}

// Knows implements describe.Uploader.
func (d *Describer[M]) Knows(file io.ReaderAt, size int64) bool {
	if d.Identify == nil {
		return false
	}
	_, ok := d.Identify(file, size)
	return ok
}

// Upload implements describe.Uploader.
func (d *Describer[M]) Upload(ctx context.Context, u describe.Upload) (name string, err error) {
	if d.Send == nil {
		return "", problem.Errorf(problem.ErrInvalid, "Images are pushed by their clients: docker, podman or skopeo.")
	}
	name, calls, err := d.Send(u)
	for _, c := range calls {
		if err == nil {
			err = d.call(ctx, c)
		}
	}
	return name, err
}
