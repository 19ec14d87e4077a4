package pypi

// Trusted publishing, the way a CI job goes, and what it refuses.

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"larder/auth"
	"larder/internal/trust"
	"larder/internal/wire"
	"larder/internal/wiretest"
)

// issuer is a real OpenID Connect provider on loopback, as a CI has one.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	var err error
	if i.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL, i.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		n := base64.RawURLEncoding.EncodeToString(i.key.N.Bytes())
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","use":"sig","kid":"k","n":%q,"e":"AQAB"}]}`, n)
	})
	return i
}

// token is what a job gets from its CI.
func (i *issuer) token(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	all := jwt.MapClaims{
		"iss": i.URL, "aud": "larder", "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text(), "sub": "job",
		"project_path": "acme/tools",
	}
	for k, v := range claims {
		all[k] = v
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, all)
	token.Header["kid"] = "k"
	text, err := token.SignedString(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// trusting opens an index that believes the issuer.
func trusting(t *testing.T, i *issuer) *rig {
	t.Helper()
	scopes, err := auth.ParseScopes([]string{"pypi:package:acme-*:read,create"})
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{}
	g.Rig = wiretest.New(t, wiretest.Options{}, func(d wire.Deps) wire.Protocol {
		rules := []trust.Publisher{{
			Issuer: i.URL, Claims: map[string]string{"project_path": "acme/*"}, Scopes: scopes, User: "ada",
		}}
		publishers, err := trust.New(d.Auth.(*auth.Local), "larder", rules, nil)
		if err != nil {
			t.Fatal(err)
		}
		return New(d, Options{}, publishers)
	})
	g.s = newServer(g.Deps, Options{})
	t.Cleanup(g.checkRows)
	return g
}

// TestCIJobUploadsWithItsToken goes the way a CI job goes: audience, token of the CI, token of ours, upload.
func TestCIJobUploadsWithItsToken(t *testing.T) {
	i := newIssuer(t)
	g := trusting(t, i)
	audience := g.Want(g.Do("GET", "/_/oidc/audience", nil), 200, "").Object(t)["audience"]
	mint := func(token any) answer { return g.Do("POST", "/_/oidc/mint-token", fields{"token": token}) }
	proof := i.token(t, jwt.MapClaims{"aud": audience})
	a := g.Want(mint(proof), 200, `"success":true`).WantHeader(t, "Cache-Control", "no-store")
	minted := a.Object(t)
	left := time.Until(time.Unix(int64(minted["expires"].(float64)), 0))
	if left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("the token is for %v, want 15 minutes", left)
	}
	token := wiretest.Basic("__token__", minted["token"].(string))
	g.Want(g.put("", newUpload("acme_tools-1.0-py3-none-any.whl"), token), 200, "")
	g.Want(g.put("", newUpload("acme_new-1.0.tar.gz"), token), 200, "")
	g.Want(g.put("", newUpload("other-1.0.tar.gz"), token), 403, "scopes")
	g.Want(g.Do("PUT", "/pypi/-/acme-tools/1.0/yank", nil, token), 403, "")
	with := func(claims jwt.MapClaims) fields { return fields{"token": i.token(t, claims)} }
	forged := i.token(t, nil)[:100] + "x" + i.token(t, nil)[101:]
	for name, c := range map[string]struct {
		body any
		code string
	}{
		"twice":          {fields{"token": proof}, "invalid-reuse-token"},
		"other project":  {with(jwt.MapClaims{"project_path": "evil/tools"}), "invalid-publisher"},
		"other issuer":   {with(jwt.MapClaims{"iss": "https://evil.example.com"}), "invalid-publisher"},
		"other audience": {with(jwt.MapClaims{"aud": "else"}), "invalid-token"},
		"expired":        {with(jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}), "invalid-token"},
		"no token":       {fields{}, "invalid-payload"},
		"no JSON":        {"x", "invalid-payload"},
		"number":         {fields{"token": 1}, "invalid-payload"},
		"nonsense":       {fields{"token": "a.b.c"}, "invalid-token"},
		"forged":         {fields{"token": forged}, "invalid-token"},
	} {
		a := g.Do("POST", "/_/oidc/mint-token", c.body)
		a.WantStatus(t, 422).WantHeader(t, "Content-Type", "application/json")
		var e struct {
			Message string
			Errors  []struct{ Code, Description string }
		}
		if a.Decode(t, &e); len(e.Errors) != 1 || e.Errors[0].Code != c.code || e.Message == "" {
			t.Errorf("%s: %v, want one error %s", name, a, c.code)
		}
	}
	if strings.Contains(g.Log.String(), proof) {
		t.Error("the token of the CI is in the log")
	}
}

// TestDiscoveryOfUploadAddresses is PEP 807: where to go, for an upload address that is ours.
func TestDiscoveryOfUploadAddresses(t *testing.T) {
	g := trusting(t, newIssuer(t))
	for path, status := range map[string]int{
		"/pypi/legacy/": 200, "/pypi/legacy": 200, "/pypi/": 200, "/simple/": 200, "/larder/pypi/legacy/": 200,
		"/other/": 404, "": 404,
	} {
		a := g.Want(g.Do("GET", "/.well-known/pytp?discover="+strings.ReplaceAll(path, "/", "%2F"), nil), status, "")
		if status != 200 {
			continue
		}
		a.WantHeader(t, "Content-Type", typeTrusted)
		doc := a.Object(t)
		wiretest.WantMembers(t, a.Request, doc, fields{
			"audience-endpoint": g.Srv.URL + "/_/oidc/audience", "token-mint-endpoint": g.Srv.URL + "/_/oidc/mint-token",
		})
		g.Want(g.Do("GET", doc["audience-endpoint"].(string), nil), 200, "larder")
	}
}

// TestIssuerInTroubleOpensNothing: an issuer that is down is the server's trouble, not an opening.
func TestIssuerInTroubleOpensNothing(t *testing.T) {
	i := newIssuer(t)
	g := trusting(t, i)
	proof := i.token(t, nil)
	i.Close()
	if a := g.Do("POST", "/_/oidc/mint-token", fields{"token": proof}); a.Status < 500 {
		t.Error(a)
	}
}
