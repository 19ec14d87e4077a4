package pypi

// The changes of releases that pages offer.

import (
	"context"
	"net/http"
	"net/url"

	"larder/internal/describe"
	"larder/internal/rawjson"
	"larder/internal/registry"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	return registry.Yanked(yankCalls, unyankCalls, deleteCalls)
}

// releasePath is the address at which a release is changed.
func releasePath(name string, v store.Version[Meta]) string {
	return root + "/-/" + name + "/" + url.PathEscape(v.ID)
}

func yankCalls(_ context.Context, name string, v store.Version[Meta], c describe.Change) ([]registry.Call, error) {
	body := ""
	if c.Reason != "" {
		body = string(rawjson.Object{}.Add("reason", rawjson.Quote(c.Reason)).Encode())
	}
	return registry.One(http.MethodPut, releasePath(name, v)+"/yank", body)
}

func unyankCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, releasePath(name, v)+"/yank", "")
}

func deleteCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, releasePath(name, v), "")
}
