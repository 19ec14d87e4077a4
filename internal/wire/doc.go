// Package wire is the HTTP the seven protocols share: the way of a request from the connection to
// an operation and back.
//
//	H2C         upgrades plain-http clients that offer it                            h2c.go
//	Middleware  request id, access log, panic guard, deadlines, counters             middleware.go, exchange.go, body.go
//	Mount       one protocol's prefixes in the router                                mount.go
//	Endpoint    parse → authenticate → resolve → authorize → serve, on error Fail    dispatch.go, credentials.go
//	            and no change for a page of another site                             crosssite.go
//	Serve…      blobs with ranges and sendfile, documents with encodings, JSON       blob.go, document.go, json.go
//	Pulling     what a request is counted as                                         use.go
//	Base        the address clients use, and whose headers about it count            base.go, forwarded.go
//
// A protocol package brings a pure grammar, a table of operations and one function that writes its error bodies;
// everything a request needs besides is here. Handlers return errors and never write one themselves.
package wire
