package npm

// The changes of versions that pages offer, as npm sends them.

import (
	"context"
	"net/http"
	"net/url"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	return []registry.Operation[Meta]{
		{
			Offer: describe.Offer{Op: describe.Deprecate, Reason: true}, Needs: []auth.Action{auth.Create, auth.Write},
			Calls: deprecateCalls,
		},
		{Offer: describe.Offer{Op: describe.MoveTag}, Needs: []auth.Action{auth.Write}, Calls: tagCalls},
		{
			Offer: describe.Offer{Op: describe.Delete}, Needs: []auth.Action{auth.Write, auth.Delete}, Calls: s.deleteCalls,
		},
	}
}

// deprecateCalls is npm deprecate.
func deprecateCalls(
	_ context.Context, name string, v store.Version[Meta], c describe.Change,
) ([]registry.Call, error) {
	version := rawjson.Object{}.Add("deprecated", rawjson.Quote(c.Reason))
	versions := rawjson.Object{}.Add(v.ID, version.Encode())
	return registry.One(http.MethodPut, root+"/"+escapeName(name), string(documentOf(name, versions)))
}

// documentOf is what npm sends of a package whose versions it changes.
func documentOf(name string, versions rawjson.Object) []byte {
	return rawjson.Object{}.Add("_id", rawjson.Quote(name)).Add("name", rawjson.Quote(name)).
		Add("versions", versions.Encode()).Encode()
}

// tagCalls is npm dist-tag add.
func tagCalls(_ context.Context, name string, v store.Version[Meta], c describe.Change) ([]registry.Call, error) {
	return registry.One(
		http.MethodPut, root+"/-/package/"+escapeName(name)+"/dist-tags/"+url.PathEscape(c.Tag), string(rawjson.Quote(v.ID)),
	)
}

// deleteCalls is npm unpublish: of the last version it removes the package.
func (s *server) deleteCalls(
	ctx context.Context, name string, v store.Version[Meta], _ describe.Change,
) ([]registry.Call, error) {
	rest, rev := rawjson.Object{}, ""
	err := s.Repo.View(ctx, name, func(tx *store.PackageTx[Meta]) error {
		pkg, err := tx.Package()
		if err != nil {
			return err
		}
		rest, rev = rawjson.Object{}, revOf(pkg)
		for id, err := range tx.VersionIDs("") {
			if err != nil {
				return err
			}
			if id != v.ID {
				rest = rest.Add(id, []byte("{}"))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := root + "/" + escapeName(name) + "/-rev/" + rev
	if len(rest) == 0 {
		return registry.One(http.MethodDelete, at, "")
	}
	return registry.One(http.MethodPut, at, string(documentOf(name, rest)))
}
