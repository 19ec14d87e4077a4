package web

// The document of the API, made of its tables of routes.

import (
	"net/http"

	"larder/internal/openapi"
)

// document describes the API. It is made when it is asked for: it says the same as the tables do.
func (a *api) document(w http.ResponseWriter, r *http.Request, _ request) error {
	text, err := a.openAPI(a.base.URL(r) + apiPrefix)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, rawAnswer(text))
}

func (a *api) openAPI(server string) ([]byte, error) {
	var list []openapi.Operation
	for _, each := range a.rows() {
		list = append(list, each.operation(""))
	}
	for _, each := range new(kindAPI).rows() {
		list = append(list, each.operation("/packages/{kind}"))
	}
	return openapi.Document(openapi.Info{
		Title: "Larder", Version: a.version, Server: server, Error: errorBody{},
		About: "What the pages show, and what administrators do. Lists come page by page: ask again with cursor=next until " +
			"an answer has no next. What the client may not read is not there.",
	}, list)
}

// operation is the row in the document.
func (r row) operation(prefix string) openapi.Operation {
	path := prefix + r.Path
	if r.Path == "/" {
		path = prefix
	}
	op := openapi.Operation{
		Method: r.Method, Path: path, ID: r.Op, Right: r.Need.String(), Summary: r.Clients, Query: r.query, Body: r.body,
		Answer: r.answer, Status: r.status, Type: r.typ, Stream: r.stream,
		Enums: map[string][]string{"kind": kindNames()},
	}
	switch {
	case op.Status == 0 && op.Answer == nil:
		op.Status = http.StatusNoContent
	case op.Status == 0:
		op.Status = http.StatusOK
	}
	return op
}
