package auth

// Who a request comes from, and what that identity may do.

import (
	"net/netip"
	"time"
)

// Identity is who a request comes from and how far their credentials reach. Its slices are shared: do not change them.
// The zero Identity may do nothing, not even what anonymous may.
type Identity struct {
	User      string // empty for anonymous
	Anonymous bool   // no credentials were given, or a JWT that was issued to nobody
	Admin     bool   // the user may do everything, within Limits
	ReadOnly  bool   // the token only reads, whatever its scopes say
	TokenID   string // the personal token behind the credentials; empty for passwords
	Grants    Scopes // what the user may do
	// Limits are the limits of the credentials; each of them must allow an access. No limits: all that the user may.
	Limits []Scopes
	// Expires is when the credentials end; zero for never.
	Expires time.Time
	// JWT says that the last of Limits is what a JWT was granted: who bought it may be able to buy a wider one.
	JWT bool

	generation uint64 // the user's, when the credentials were checked
	login      bool   // a client's login gave the token out
	unscoped   bool   // the user has no scopes and so, by default, everything
	session    string // id of the browser's session behind the credentials
}

// Anonymous is the identity of a request without credentials.
func Anonymous() Identity { return Identity{Anonymous: true} }

// Can says whether the user's rights and every limit of the credentials allow a. What anonymous may do is not
// considered: ask Provider.Authorize for the whole answer.
func (i Identity) Can(a Access) bool {
	if a.Action.bits() == 0 || i.ReadOnly && a.Action != Read {
		return false
	}
	return i.user(a) && i.within(a)
}

// user says whether the user may, whatever credentials they came with.
func (i Identity) user(a Access) bool {
	return i.Admin || a.Kind != "" && i.Grants.Allow(a)
}

// within says whether every limit allows a.
func (i Identity) within(a Access) bool {
	for n, l := range i.Limits {
		if !l.Allow(a) && !(i.JWT && n == len(i.Limits)-1 && a.asked(l)) {
			return false
		}
	}
	return true
}

// asked says whether granted allows to read the name the client knows.
func (a Access) asked(granted Scopes) bool {
	if a.Asked == "" || a.Action != Read {
		return false
	}
	a.Name, a.Asked = a.Asked, ""
	return granted.Allow(a)
}

// Scoped says whether somebody decided what the user may do: an administrator gave scopes, or the user is one. Others
// may do everything by default, and a protocol that knows owners keeps them to what is their own.
func (i Identity) Scoped() bool { return i.Admin || !i.unscoped }

// Credential is the identity without what a JWT was granted: the reach of the credential the JWT was bought with.
// OCI needs it for mounts, whose client asks for a JWT of the target alone.
func (i Identity) Credential() Identity {
	if i.JWT {
		i.JWT = false
		i.Limits = i.Limits[: len(i.Limits)-1 : len(i.Limits)-1]
	}
	return i
}

// Credentials are what a request brought, unchecked.
type Credentials struct {
	User, Password string     // from Basic or a login form
	Token          string     // from Bearer or a bare Authorization header: a personal token or a JWT
	Addr           netip.Addr // the client's; invalid on the admin socket
}

// none says that there is nothing to check.
func (c Credentials) none() bool { return c.User == "" && c.Password == "" && c.Token == "" }

// token returns the one token among the credentials. Clients put it into Bearer, into the password beside any user name
// (__token__, a mail address), or into the user name beside any password (http://TOKEN@host).
func (c Credentials) token() (string, bool) {
	switch {
	case c.Token != "":
		return c.Token, true
	case hasPrefix(c.Password):
		return c.Password, true
	case hasPrefix(c.User):
		return c.User, true
	}
	return "", false
}
