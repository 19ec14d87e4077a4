// Package auth says who a request comes from and what they may do. It knows users, personal tokens, short JWTs and
// scopes; it knows no HTTP. Provider is the seam for other sources of identity, Local the provider on the store's
// tables.
//
// # Words
//
// An Access is one thing somebody wants to do: kind, type, name, action. A Scope allows some: kind:type:name:actions,
// with * globs in the name. A user has grants (scopes), and without any may do everything but admin. A credential has
// limits; an Identity may do what the grants and each of the limits allow. Five credentials exist:
//
//	password     Basic. bcrypt once, then recognised there for five minutes by a keyed proof. Never a token.
//	token        larder_ and 49 letters and digits, as Bearer, bare Authorization, Basic password (any user name) or
//	             Basic user name. Limits: its scopes, read-only, expiry, networks.
//	JWT          bought with any of the others, or with nothing (anonymous), for some minutes. Limits: those of the
//	             credential it was bought with, and the scopes it was granted.
//	session      a browser's cookie, begun with the password (sessions.go). No limits; ends after 12 hours without a
//	             request and after 7 days. It works in the cookie only, and is no password.
//	none         Anonymous.
//
// # Decisions
//
// Authorize goes down this table; the first row that fits decides. "Open" is reading while the policy for anonymous is
// read, of a name that is not private. A name is private if a pattern of Options.Private matches it, or if its package
// record says so (store.Package.Private; Authorize looks it up itself and remembers it by the package's generation).
//
//	who                       wants                                     answer
//	anyone who authenticated,
//	or anonymous              what is open                              nil, whatever limits the credential has:
//	                                                                    without it they could, too
//	anonymous                 to read a private name (policy read)      ErrHidden
//	anonymous                 anything else                             ErrNoCredentials
//	user without scopes       anything of a private package that has    ErrHidden
//	                          owners, and is none of them
//	user                      what grants and all limits allow          nil (an administrator's grants are everything)
//	user with a JWT           what its buyer may, but it was not        ErrScope (an ErrDenied)
//	                          granted
//	user                      something of the appliance (Kind "")      ErrDenied, unless administrator
//	                          or of a whole kind (Name "")
//	user                      to read a name                            ErrHidden
//	user who may read names   to change a name                          ErrDenied, with the reason: grants, scopes
//	of this pattern                                                     or read-only
//	user who may not          to change a name                          ErrHidden
//
// No answer to a change that is refused depends on whether the name exists: for the last two rows only patterns and
// grants count, not the flag of a package. Of the other rows the flag can make an ErrHidden, which is to be answered
// exactly like a name that does not exist. With the policy none, anonymous gets ErrNoCredentials for every name.
//
// # Passwords and tokens
//
// A credential proves what it is, nothing else. Authenticate says who a request comes from, by whatever a client may
// send; where the password is asked for (a login that gives out a token, making tokens, changing the password)
// VerifyPassword answers, and no token is one. What is made with a token is its child: it has its parent's limits and
// expiry at most (DeriveToken, CreateTokenBy), and ends with it.
//
//	who                              sees, and ends, of the tokens of its user (OwnTokens, RevokeOwn)
//	password, session                all
//	token without limits             all
//	client's login (TokenSpec.Login) itself, its line, and those whose scopes lie within its own
//	token with scopes                itself and its line
//	read-only token                  itself
//	JWT                              sees the token it was bought with, ends nothing
//
// A client's login is what npm login gives out: what is made with it and the password again is not its child, so that a
// logout does not end what CI works with.
//
// Passwords that are set obey the rules of rules.go; those that were set before go on working. The last enabled
// administrator is not removed, disabled or demoted (change.go).
//
// # Guessing
//
// Ten wrong passwords slow the user at that address (limit.go): one more each ten seconds, whoever it is, while the
// same user elsewhere notices nothing. Beside that an address has fifty tries, one each two seconds after them, and a
// user three hundred from all addresses that never sent the right password, one each five seconds after them. Where the
// right password came from since the start, it passes whatever else is tried there, for a thousand tries. Failed logins
// are in the journal as login.failed (failures.go): the first of a user at an address at once, the others of the minute
// as a number.
//
// Authenticate refuses with ErrCredentials whatever is wrong, expired, revoked, mistyped or used from a network it is
// not bound to, and never turns it into anonymous; with ErrDisabled (an ErrCredentials) if all is right but the user is
// switched off; with *Throttled after too many failed passwords by user name or by address.
//
// # What ends what
//
//	change                     password proofs   JWTs, sessions    tokens
//	SetPassword                end               end               stay; RevokeTokens ends them all
//	ChangeUser, grants         end (one bcrypt)  end               stay, with the new grants
//	ChangeUser, disabled       end               end               stop while the user is disabled
//	RemoveUser                 end               end               end, also for a later user of that name
//	RevokeToken, RevokeTokens  -                 bought with it    end
//	EndSession, EndSessions    -                 the session       stay
//
// A token that ends takes with it the line of those made with it. A password change leaves tokens alive: who fears that
// one was stolen ends them, too (larder user passwd --revoke-tokens).
//
// Each holds for every request that begins after the call has returned: what is remembered is dropped by the commit.
//
// # On disk
//
// auth.users, auth.tokens and auth.sessions, see users.go, tokens.go and sessions.go. Passwords are bcrypt over an
// HMAC-SHA-256 (so any length counts in full, see proof.go), tokens and cookies are SHA-256, the JWT key is the store's
// secret "auth.jwt". Every change of a user, token or session is a journal entry of its own transaction; the last use
// of a token or session is no change, and is written by Flush.
package auth
