package rubygems

// The changes of versions that pages offer, as the gem command sends them.

import (
	"context"
	"net/http"
	"net/url"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/rubygems/version"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	needs := []auth.Action{auth.Delete}
	return []registry.Operation[Meta]{
		{Offer: describe.Offer{Op: describe.Yank}, Needs: needs, Calls: yankCalls},
		{Offer: describe.Offer{Op: describe.Unyank}, Needs: needs, Calls: unyankCalls},
	}
}

// mayChange is owns without words for the client.
func mayChange(id auth.Identity, pkg store.Package) error { return owns(id, pkg, "change") }

// namedQuery names a version as the gem command does.
func namedQuery(name string, v store.Version[Meta]) string {
	number, platform := version.Split(v.ID)
	return "?" + url.Values{"gem_name": {name}, "version": {number}, "platform": {platform}}.Encode()
}

func yankCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, root+"/api/v1/gems/yank"+namedQuery(name, v), "")
}

func unyankCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodPut, root+"/api/v1/gems/unyank"+namedQuery(name, v), "")
}
