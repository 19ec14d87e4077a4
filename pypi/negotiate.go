package pypi

// The form of an answer: which of the simple API's media types a client wants (PEP 691).

import (
	"net/http"
	"slices"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/pypi/simple"
)

// negotiate is choose for a request; ErrNotAcceptable.
func negotiate(w http.ResponseWriter, r *http.Request, format string) (string, error) {
	w.Header().Set("Vary", "Accept")
	t := choose(format, r.Header["Accept"])
	if t == "" {
		const text = "This address answers with %s, %s or text/html."
		return "", problem.Errorf(problem.ErrNotAcceptable, text, simple.JSON, simple.V1)
	}
	return t, nil
}

// offer is a media type of the simple API with its names.
type offer struct {
	mediaType string
	names     []string // as they are in Accept and ?format=; "latest" is answered with the type it means
}

// offers are in the order in which they win when a client names several as equally welcome.
var offers = []offer{
	{simple.JSON, []string{simple.JSON, "application/vnd.pypi.simple.latest+json"}},
	{simple.V1, []string{simple.V1, "application/vnd.pypi.simple.latest+html"}},
	{simple.HTML, []string{"text/html"}},
}

// choose finds the media type of an answer, "" when the client takes none (RFC 9110 12.5.1). A tie between types it
// names goes to JSON, one that only wildcards make to HTML, which is what urllib and browsers mean.
func choose(format string, accept []string) string {
	if format != "" {
		for _, o := range offers {
			if slices.Contains(o.names, format) {
				return o.mediaType
			}
		}
		return ""
	}
	ranges := wire.ParseAccept(accept)
	if len(ranges) == 0 {
		return simple.HTML
	}
	best, weight, named := "", 0, false
	for _, o := range offers {
		w, n := ranges.Weight(o.names...)
		if w > weight || w == weight && w > 0 && !n && !named {
			best, weight, named = o.mediaType, w, n
		}
	}
	return best
}
