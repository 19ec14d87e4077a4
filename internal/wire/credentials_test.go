package wire

// Which Authorization headers are read, and how.

import (
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"larder/auth"
	"larder/internal/problem"
)

func TestCredentials(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := []struct {
		name   string
		header []string
		want   auth.Credentials
		given  bool
		bad    string // part of the text, if the header cannot be read
	}{
		{name: "none"},
		{name: "bearer", header: []string{"Bearer larder_abc"}, given: true, want: auth.Credentials{Token: "larder_abc"}},
		{
			name: "bearer in lower case", header: []string{"bearer  eyJ.x.y "}, given: true,
			want: auth.Credentials{Token: "eyJ.x.y"},
		},
		{name: "bare token", header: []string{"larder_abc"}, given: true, want: auth.Credentials{Token: "larder_abc"}},
		{
			name: "basic", header: []string{"Basic " + b64("ann:s3cret:x")}, given: true,
			want: auth.Credentials{User: "ann", Password: "s3cret:x"},
		},
		{
			name: "basic without padding", header: []string{"basic " + strings.TrimRight(b64("ann:pw"), "=")}, given: true,
			want: auth.Credentials{User: "ann", Password: "pw"},
		},
		{
			name: "token as password", header: []string{"Basic " + b64("__token__:larder_abc")}, given: true,
			want: auth.Credentials{User: "__token__", Token: "larder_abc"},
		},
		{
			name: "token as user", header: []string{"Basic " + b64("larder_abc:")}, given: true,
			want: auth.Credentials{Token: "larder_abc"},
		},
		{
			name: "token as user beside x-oauth-basic", header: []string{"Basic " + b64("larder_abc:x-oauth-basic")},
			given: true, want: auth.Credentials{Token: "larder_abc"},
		},
		{name: "empty user and password", header: []string{"Basic " + b64(":")}, given: true},
		{
			name: "utf-8", header: []string{"Basic " + b64("änn:pä")}, given: true,
			want: auth.Credentials{User: "änn", Password: "pä"},
		},
		{name: "empty", header: []string{""}, given: true, bad: "no credentials"},
		{name: "scheme alone", header: []string{"Bearer"}, given: true, bad: "no credentials"},
		{name: "scheme and blanks", header: []string{"Bearer   "}, given: true, bad: "no credentials"},
		{name: "unknown scheme", header: []string{"Digest username=x"}, given: true, bad: "scheme"},
		{name: "not base64", header: []string{"Basic %%%"}, given: true, bad: "base64"},
		{name: "not utf-8", header: []string{"Basic " + b64("a:\xff")}, given: true, bad: "UTF-8"},
		{name: "no colon", header: []string{"Basic " + b64("ann")}, given: true, bad: "colon"},
		{name: "two words", header: []string{"Bearer a b"}, given: true, bad: "space"},
		{name: "control character", header: []string{"Bearer a\x01b"}, given: true, bad: "special"},
		{name: "two headers", header: []string{"Bearer a", "Bearer b"}, given: true, bad: "2 Authorization headers"},
		{name: "huge", header: []string{"Bearer " + strings.Repeat("a", maxAuthorization)}, given: true, bad: "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			if tt.header != nil {
				r.Header["Authorization"] = tt.header
			}
			got, given, err := credentials(r)
			if given != tt.given {
				t.Errorf("given = %v", given)
			}
			public, ok := CredentialsFrom(r)
			if ok != (tt.given && tt.bad == "") {
				t.Errorf("CredentialsFrom reports %v", ok)
			}
			if tt.bad != "" {
				if !errors.Is(err, problem.ErrAuthorization) || !strings.Contains(problem.Public(err), tt.bad) {
					t.Errorf("error %v does not say %q", err, tt.bad)
				}
				return
			}
			if err != nil || got != tt.want || public != tt.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
