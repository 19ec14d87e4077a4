package composer

// The changes of versions that pages offer. What a page calls yanking is a deletion that keeps the archive for lock
// files; it cannot be undone.

import (
	"context"
	"net/http"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	needs := []auth.Action{auth.Delete}
	return []registry.Operation[Meta]{
		{Offer: describe.Offer{Op: describe.Yank}, Needs: needs, Calls: yankCalls},
		{Offer: describe.Offer{Op: describe.Delete}, Needs: needs, Calls: deleteCalls},
	}
}

func versionPath(name string, v store.Version[Meta]) string {
	return root + "/packages/" + name + "/versions/" + escapeVersion(v.Meta.Version)
}

func yankCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, versionPath(name, v), "")
}

func deleteCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, versionPath(name, v)+"?purge=1", "")
}
