package wire

// What the Authorization header says.

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"larder/auth"
	"larder/internal/problem"
)

// tokenPrefix marks our own tokens in whatever field a client puts them.
const tokenPrefix = "larder_"

// maxAuthorization bounds the header: a JWT with a hundred scopes stays far below.
const maxAuthorization = 16 << 10

// CredentialsFrom reads the Authorization header. It reports false when there is none, or none that can be read.
//
//	Bearer TOKEN               npm, OCI, most others
//	Basic base64(user:secret)  docker, pip, twine, Maven, Composer; the secret, or the user, may be a token
//	TOKEN                      cargo and gem send the bare token
func CredentialsFrom(r *http.Request) (auth.Credentials, bool) {
	c, given, err := credentials(r)
	return c, given && err == nil
}

// credentials is CredentialsFrom with the reason why a header cannot be read, as problem.ErrAuthorization.
func credentials(r *http.Request) (c auth.Credentials, given bool, err error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return c, false, nil
	}
	if len(values) > 1 {
		return c, true, problem.Errorf(problem.ErrAuthorization, "the request has %d Authorization headers", len(values))
	}
	h := strings.TrimSpace(values[0])
	if len(h) > maxAuthorization {
		return c, true, problem.Errorf(problem.ErrAuthorization, "the Authorization header is too long")
	}
	scheme, rest, found := strings.Cut(h, " ")
	rest = strings.TrimLeft(rest, " ")
	switch {
	case found && strings.EqualFold(scheme, "Basic"):
		c, err = basic(rest)
	case found && strings.EqualFold(scheme, "Bearer"):
		c.Token, err = token(rest)
	case found:
		err = problem.Errorf(problem.ErrAuthorization, "the Authorization header's scheme is unknown: use Bearer or Basic")
	case h == "" || strings.EqualFold(h, "Basic") || strings.EqualFold(h, "Bearer"):
		err = problem.Errorf(problem.ErrAuthorization, "the Authorization header holds no credentials")
	default:
		c.Token, err = token(h)
	}
	return c, true, err
}

func token(s string) (string, error) {
	if s == "" {
		return "", problem.Errorf(problem.ErrAuthorization, "the Authorization header holds no token")
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return "", problem.Errorf(problem.ErrAuthorization,
				"the token in the Authorization header has a space or a special character in it")
		}
	}
	return s, nil
}

func basic(s string) (auth.Credentials, error) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		// Some clients leave the padding out.
		raw, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil || !utf8.Valid(raw) {
		return auth.Credentials{}, problem.Errorf(problem.ErrAuthorization,
			"the Basic credentials are not base64 of UTF-8 text")
	}
	user, secret, found := strings.Cut(string(raw), ":")
	switch {
	case !found:
		return auth.Credentials{}, problem.Errorf(problem.ErrAuthorization,
			"the Basic credentials have no colon between user and password")
	case strings.HasPrefix(secret, tokenPrefix):
		return auth.Credentials{User: user, Token: secret}, nil
	case strings.HasPrefix(user, tokenPrefix):
		return auth.Credentials{Token: user}, nil
	}
	return auth.Credentials{User: user, Password: secret}, nil
}
