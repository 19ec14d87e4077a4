package catalog

// How clients reach what is here, and who may ask for lists.

import (
	"context"
	"net/http"
	"slices"
	"time"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/setup"
	"larder/internal/wire"
	"larder/store"
)

// Site is the server as the client of r reaches it.
func (c *Catalog) Site(r *http.Request) setup.Site {
	s := setup.Site{URL: c.d.Base.URL(r), Paths: map[string]string{}}
	for _, k := range c.all {
		s.Paths[string(k.Kind)] = k.Path
	}
	return s
}

// MayList allows lists of all kinds to users, and to anonymous clients who may see the list of some kind.
func (c *Catalog) MayList(ctx context.Context) error {
	id := wire.IdentityFrom(ctx)
	if !id.Anonymous {
		return nil
	}
	err := auth.ErrNoCredentials
	for _, k := range c.all {
		if k.Describe == nil {
			continue
		}
		err = c.d.Auth.Authorize(ctx, id, auth.Access{Kind: k.Kind, Type: k.Describe.Type(), Action: auth.Read})
		if err == nil {
			return nil
		}
	}
	return err
}

// LoginNeeded reports whether a package cannot be read without a login.
func (c *Catalog) LoginNeeded(ctx context.Context, k *Kind, name string) bool {
	return c.d.Auth.Authorize(ctx, auth.Anonymous(), auth.Access{
		Kind: k.Kind, Type: k.Describe.Type(), Name: name, Action: auth.Read,
	}) != nil
}

// Install is what one client types to install a package.
type Install struct {
	setup.Client
	Snippets []setup.Snippet
}

// Installs are the texts of all clients of a package's kind; none for one without versions.
func (c *Catalog) Installs(r *http.Request, k *Kind, p describe.Package) (list []Install) {
	if p.Latest.ID == "" {
		return nil
	}
	what := setup.Package{
		Name: p.Display, Version: p.Latest.Name, Chart: p.Latest.Chart, Login: c.LoginNeeded(r.Context(), k, p.Name),
		Young: p.Upstream == "" && time.Since(p.Latest.Published) < 24*time.Hour,
	}
	at := c.Site(r)
	for _, one := range setup.Clients(string(k.Kind)) {
		// A chart is no image, and an image no chart.
		if one.Install == nil || k.Kind == store.OCI && (one.ID == "helm") != what.Chart {
			continue
		}
		list = append(list, Install{one, one.Install(at, what)})
	}
	return list
}

// Oversees reports whether the client sees with which tokens, and from where, a package was changed: who owns it, and
// who administers it.
func (c *Catalog) Oversees(ctx context.Context, k *Kind, p describe.Package) bool {
	id := wire.IdentityFrom(ctx)
	return !id.Anonymous && (slices.Contains(p.Owners, id.User) || c.d.Auth.Authorize(ctx, id, auth.Access{
		Kind: k.Kind, Type: k.Describe.Type(), Name: p.Name, Action: auth.Admin,
	}) == nil)
}
