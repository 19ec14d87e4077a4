package problem

// The kinds that belong to no package: what can be wrong with any request.

var (
	// ErrInvalid: a name, a version or a document breaks the rules of its format.
	ErrInvalid = New(400, "invalid", "invalid request")
	// ErrTooLarge: above a limit.
	ErrTooLarge = New(413, "too large", "")
	// ErrNotFound: what was asked for is not there.
	ErrNotFound = New(404, "not found", "")
	// ErrBadPath: the path or query breaks the protocol's grammar (bad escapes, "..", empty segments, malformed names).
	ErrBadPath = New(400, "malformed request path", "")
	// ErrNoRoute: the protocol has no such address.
	ErrNoRoute = New(404, "no such address", "")
	// ErrMethod: the address exists, the method does not; see NotAllowed.
	ErrMethod = New(405, "method not allowed", "")
	// ErrMediaType: the body's type is none the operation takes.
	ErrMediaType = New(415, "unsupported media type", "")
	// ErrNotAcceptable: the client takes none of the types the address answers with.
	ErrNotAcceptable = New(406, "not acceptable", "")
	// ErrRange: the requested byte range lies outside the file.
	ErrRange = New(416, "range not satisfiable", "")
	// ErrAuthorization: the Authorization header cannot be read.
	ErrAuthorization = New(401, "malformed Authorization header", "")
	// ErrTruncated: the body ended before its announced length.
	ErrTruncated = New(400, "the request body ended early", "")
	// ErrSlow: the body came too slowly to wait for.
	ErrSlow = New(408, "the request body came too slowly", "")
	// ErrCrossSite: a page of another site asked for a change. Package clients send neither Origin nor Sec-Fetch-Site.
	ErrCrossSite = New(403, "a page of another site asked for a change", "")
)
