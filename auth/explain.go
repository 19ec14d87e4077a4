package auth

// Why somebody may do something, or may not: for administrators who ask.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"larder/internal/problem"
	"larder/store"
)

// Answer is whether somebody may do something, and why.
type Answer struct {
	Action Action
	May    bool
	// Why is a sentence without a full stop; Scope is the scope that allows it, "" when it is none.
	Why, Scope string
}

// Explain says what Authorize answers to a user who logs in with the password, for each of the actions; user "" is who
// does not log in. ErrNotFound when there is no such user.
func (l *Local) Explain(ctx context.Context, user string, a Access, actions ...Action) ([]Answer, error) {
	id, disabled := Anonymous(), false
	if user != "" {
		account, err := l.account(ctx, user)
		if err != nil {
			return nil, err
		}
		if account == nil {
			return nil, noUser(user)
		}
		id, disabled = account.identity(), account.disabled
	}
	var out []Answer
	for _, action := range actions {
		a.Action = action
		if disabled {
			out = append(out, Answer{Action: action, Why: "the user is disabled: no login and no token works"})
			continue
		}
		answer, err := l.explain(ctx, id, a)
		if err != nil {
			return nil, err
		}
		out = append(out, answer)
	}
	return out, nil
}

func (l *Local) explain(ctx context.Context, id Identity, a Access) (Answer, error) {
	err := l.Authorize(ctx, id, a)
	answer := Answer{Action: a.Action, May: err == nil}
	switch {
	case err == nil:
		answer.Why, answer.Scope = allowedBy(id, a)
		return answer, nil
	case errors.Is(err, ErrHidden):
		why, err := l.hiddenBy(ctx, id, a)
		answer.Why = why
		return answer, err
	case errors.Is(err, ErrDenied), errors.Is(err, ErrNoCredentials):
		answer.Why = strings.TrimSuffix(problem.Public(err), ".")
		return answer, nil
	}
	return answer, err
}

// allowedBy says what it is that allows a, as Authorize has it.
func allowedBy(id Identity, a Access) (why, scope string) {
	switch {
	case id.Anonymous || !id.user(a):
		return "everybody may read what is not private", ""
	case id.Admin:
		return "administrators may do everything", ""
	case id.unscoped:
		return "users without scopes may do everything but administer", ""
	}
	for _, s := range id.Grants {
		if s.Covers(a) {
			return "the user's scope", s.String()
		}
	}
	return "the user's scopes", ""
}

// hiddenBy says why a name looks as if it did not exist.
func (l *Local) hiddenBy(ctx context.Context, id Identity, a Access) (string, error) {
	for _, s := range l.privacy.patterns {
		if s.names(a) {
			pattern := strings.TrimSuffix(s.String(), ":"+string(Read))
			return fmt.Sprintf("the name is private by the configuration (private: %s), and nothing allows it to them; "+
				"it looks as if it did not exist", pattern), nil
		}
	}
	f, err := l.privacy.flag(ctx, packageName{a.Kind, a.Name})
	switch {
	case err != nil:
		return "", fmt.Errorf("why %s %s is hidden: %w", a.Kind, a.Name, err)
	case f.private && len(f.owners) > 0 && !id.Anonymous:
		return "the package is private and belongs to " + strings.Join(f.owners, ", ") +
			"; it looks as if it did not exist", nil
	case f.private:
		return "the package is private, and nothing allows it to them; it looks as if it did not exist", nil
	}
	return "no scope of the user covers the name; it looks as if it did not exist", nil
}

// RemoveUserBy is RemoveUser for somebody who asks for it: nobody can remove themselves, who would be locked out at
// once. ErrInvalid for that.
func (l *Local) RemoveUserBy(ctx context.Context, by Identity, name string) error {
	if by.User == name {
		return problem.Errorf(store.ErrInvalid, "you cannot remove yourself")
	}
	return l.RemoveUser(ctx, name)
}
