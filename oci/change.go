package oci

// The changes of manifests and tags that pages offer.

import (
	"context"
	"net/http"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/registry"
	"larder/store"
)

func (s *server) versionChanges() []registry.Operation[Meta] {
	list := []registry.Operation[Meta]{
		{
			Offer: describe.Offer{Op: describe.MoveTag, Back: true}, Needs: []auth.Action{auth.Create, auth.Write},
			Calls: tagCalls,
		},
		{Offer: describe.Offer{Op: describe.Delete}, Needs: []auth.Action{auth.Delete}, Calls: deleteCalls},
	}
	if s.opt.NoDelete {
		return list[:1]
	}
	return list
}

// tagCalls puts a tag back.
func tagCalls(_ context.Context, name string, v store.Version[Meta], c describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodPost, rootV2+"/"+name+"/_oci/tag-history/"+c.Tag+"?digest="+v.ID, "")
}

func deleteCalls(_ context.Context, name string, v store.Version[Meta], _ describe.Change) ([]registry.Call, error) {
	return registry.One(http.MethodDelete, rootV2+"/"+name+"/manifests/"+v.ID, "")
}
