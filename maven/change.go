package maven

// The changes of versions that pages offer. Maven's clients know none but what scripts do with DELETE.

import (
	"context"
	"net/http"
	"strings"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/maven/names"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	return []registry.Operation[Meta]{
		{Offer: describe.Offer{Op: describe.Delete}, Needs: []auth.Action{auth.Delete}, Calls: deleteCalls},
	}
}

// deleteCalls removes a version with its directory, and one build of a snapshot, whose directory is that of all builds,
// file by file.
func deleteCalls(
	_ context.Context, name string, v store.Version[Meta], _ describe.Change,
) (calls []registry.Call, err error) {
	if !names.IsSnapshot(v.Meta.Base) {
		group, artifact := names.SplitName(name)
		path := strings.ReplaceAll(group, ".", "/") + "/" + artifact + "/" + v.ID + "/"
		return registry.One(http.MethodDelete, root+"/"+names.Escape(path), "")
	}
	for _, f := range v.Files {
		calls = append(calls, registry.Call{
			Method: http.MethodDelete, Path: root + "/" + names.Escape(names.FilePath(name, f.Name)),
		})
	}
	return calls, nil
}
