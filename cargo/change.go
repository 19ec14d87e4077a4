package cargo

// This file has the changes of versions that pages offer, as cargo and the public registry's pages send them.

import (
	"context"
	"encoding/json"
	"net/http"

	"larder/internal/describe"
	"larder/internal/registry"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	return registry.Yanked(yankCalls, unyankCalls, deleteCalls)
}

// versionPath is the address of a version.
func versionPath(name string, v store.Version[Meta]) string {
	return root + "/api/v1/crates/" + name + "/" + v.Meta.Version
}

func yankCalls(_ context.Context, name string, v store.Version[Meta], c describe.Change) ([]registry.Call, error) {
	if c.Reason == "" {
		return registry.One(http.MethodDelete, versionPath(name, v)+"/yank", "")
	}
	body, err := json.Marshal(map[string]any{"version": map[string]any{"yanked": true, "yank_message": c.Reason}})
	if err != nil {
		return nil, err
	}
	return registry.One(http.MethodPatch, versionPath(name, v), string(body))
}

func unyankCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodPut, versionPath(name, v)+"/unyank", "")
}

func deleteCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, versionPath(name, v), "")
}
