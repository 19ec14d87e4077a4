package auth

// Provider, the seam for other sources of identity, and the errors they answer with.

import (
	"context"
	"fmt"
	"time"

	"larder/internal/problem"
)

// The errors this package returns beside the store's; compare with errors.Is. Most are wrapped in a *problem.Refusal
// whose text is for the client's user.
var (
	// ErrNoCredentials: none were given, and giving some could help.
	ErrNoCredentials = problem.New(401, "no credentials", "authentication required")
	// ErrCredentials: those that were given are wrong, expired or revoked. Never fall back to anonymous.
	ErrCredentials = problem.New(401, "wrong credentials", "wrong user name, password or token")
	// ErrNoPassword: a token stands where the password is asked for. It is also an ErrCredentials.
	ErrNoPassword = fmt.Errorf("a token is no password: %w", ErrCredentials)
	// ErrDisabled: the credentials are right, but the user is switched off. It is also an ErrCredentials.
	ErrDisabled = fmt.Errorf("user is disabled: %w", ErrCredentials)
	// ErrDenied: known, and not allowed.
	ErrDenied = problem.New(403, "not allowed", "permission denied")
	// ErrScope: a JWT was not granted this, but the credential it was bought with reaches far enough to buy one that is
	// (OCI answers insufficient_scope). It is also an ErrDenied.
	ErrScope = fmt.Errorf("insufficient scope: %w", ErrDenied)
	// ErrHidden: not allowed to know whether the name exists. Answer exactly as for a name that does not exist; a
	// protocol whose clients send credentials only after a 401 may send that to anonymous, for both.
	ErrHidden = problem.NewQuiet(404, "hidden", "not found")
	// ErrThrottled: too many failed logins; see Throttled.
	ErrThrottled = problem.New(429, "too many failed logins", "too many failed logins, try again later")
)

// Throttled is the error of too many failed logins, by user or by address; errors.As finds it.
type Throttled struct {
	After time.Duration // how long to wait before the next try; always positive
}

// Error is the text for the log.
func (t *Throttled) Error() string {
	return fmt.Sprintf("too many failed logins: try again in %s", t.After.Round(time.Second))
}

// Unwrap returns ErrThrottled.
func (t *Throttled) Unwrap() error { return ErrThrottled }

// RetryAfter is at least a second: headers know no shorter time.
func (t *Throttled) RetryAfter() time.Duration { return max(t.After, time.Second) }

// Public is the text for the client's user.
func (t *Throttled) Public() string {
	return fmt.Sprintf("Too many failed logins. Try again in %d seconds.", int64((t.After+time.Second-1)/time.Second))
}

// Provider is the seam for other sources of identity. Both methods are called for every request and answer from memory.
type Provider interface {
	// Authenticate says who sent c. ErrNoCredentials if c is empty (the caller goes on with Anonymous); ErrCredentials,
	// ErrDisabled or *Throttled if c is to be refused; any other error is a failure of the provider.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
	// Authorize says whether id may do a: nil, ErrNoCredentials (anonymous, and logging in could help), ErrDenied,
	// ErrScope or ErrHidden. The answer to somebody who may not read a name is the same whether it exists or not.
	Authorize(ctx context.Context, id Identity, a Access) error
}
