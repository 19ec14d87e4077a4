package wire

// The rows of a protocol's table: what is answered at which address, and which right it needs.

import (
	"context"
	"fmt"
	"net/http"

	"larder/auth"
)

// Need is what an operation needs, so that it is in its row and cannot be forgotten: one right, and flags.
type Need uint8

// The rights. Read to Admin are rights to what the path names. With List and Body only the operation knows what it is
// about: the dispatcher refuses to begin an answer of success until the operation has asked (Asked).
const (
	Open  Need = iota + 1 // nothing: a ping, a configuration, public keys
	List                  // whoever may see lists; the operation leaves out what the client may not see
	Login                 // the client's own account and credentials; the operation looks at who asks
	Body                  // what it is about stands in the body, and the operation asks for the right
	Read
	Create
	Write
	Delete
	Admin
)

// The flags.
const (
	// Existing is added to Write or Delete of a package that is here. One that is not is refused before the body is looked
	// at, in the way in which a hidden one is.
	Existing Need = 1 << (iota + 5)
	// Writer refuses who may change nothing, as the endpoint's Writer says, before anything is known of the name.
	Writer
	// Expired is added to Login where credentials are given out: wrong ones count as none, since clients send an expired
	// token along when they log in again.
	Expired
)

const kindMask = Existing - 1

// Kind is the need without flags.
func (n Need) Kind() Need { return n & kindMask }

func (n Need) expired() bool { return n&Expired != 0 }

// String is the need as the tables in the documentation have it.
func (n Need) String() string {
	names := [...]string{"", "open", "list", "login", "body", "read", "create", "write", "delete", "admin"}
	if int(n.Kind()) < len(names) {
		return names[n.Kind()]
	}
	return fmt.Sprintf("Need(%d)", uint8(n))
}

// Action is the auth action of a right to a name, "" for the other needs.
func (n Need) Action() auth.Action {
	switch n.Kind() {
	case Read:
		return auth.Read
	case Create:
		return auth.Create
	case Write:
		return auth.Write
	case Delete:
		return auth.Delete
	case Admin:
		return auth.Admin
	}
	return ""
}

// Serve writes the answer, or returns an error and has written nothing.
type Serve[R any] = func(w http.ResponseWriter, r *http.Request, q R) error

// Route is a row: everything there is to say of an endpoint.
type Route[R any] struct {
	Method, Path string // see package route
	// Op is stable ("npm.publish"): access log, audit log and metrics use it. Rows of one Op are
	// addresses of one operation.
	Op    string
	Need  Need
	Serve Serve[R]
	// Clients says who asks for it, and where it is specified, for the table in the package's documentation.
	Clients string
}

// GET is a row for GET and HEAD.
func GET[R any](path, op string, need Need, serve Serve[R], clients string) Route[R] {
	return Route[R]{http.MethodGet, path, op, need, serve, clients}
}

// PUT is a row for PUT.
func PUT[R any](path, op string, need Need, serve Serve[R], clients string) Route[R] {
	return Route[R]{http.MethodPut, path, op, need, serve, clients}
}

// POST is a row for POST.
func POST[R any](path, op string, need Need, serve Serve[R], clients string) Route[R] {
	return Route[R]{http.MethodPost, path, op, need, serve, clients}
}

// PATCH is a row for PATCH.
func PATCH[R any](path, op string, need Need, serve Serve[R], clients string) Route[R] {
	return Route[R]{http.MethodPatch, path, op, need, serve, clients}
}

// DELETE is a row for DELETE.
func DELETE[R any](path, op string, need Need, serve Serve[R], clients string) Route[R] {
	return Route[R]{http.MethodDelete, path, op, need, serve, clients}
}

// check panics on a row that says nothing of its right: the table is the program's own.
func (r Route[R]) check() {
	if k := r.Need.Kind(); k < Open || k > Admin || r.Op == "" || r.Serve == nil {
		panic(fmt.Sprintf("wire: the route %s %s (%s) has no need or no operation", r.Method, r.Path, r.Op))
	}
}

// Asked notes that the operation has asked whether the client may have what it is about, whatever the answer: package
// registry calls it. An operation whose need is List or Body cannot answer with success before.
func Asked(ctx context.Context) {
	if x := exchangeFrom(ctx); x != nil {
		x.unasked = false
	}
}
