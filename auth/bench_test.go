package auth

// What a request pays for being known, by the kind of its credentials.

import (
	"net/netip"
	"testing"
	"time"
)

// The hot path of every request; the target is 2 µs each.

func benchAuthenticate(b *testing.B, c func(*world) Credentials) {
	w := newWorld(b, Options{})
	w.now = time.Now // the real clock is part of the cost
	w.user("ann")
	cred := c(w)
	cred.Addr = netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := w.Authenticate(w.ctx, cred); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticatePassword(b *testing.B) {
	benchAuthenticate(b, func(w *world) Credentials { c, _ := passwordOf(w); return c })
}

func BenchmarkAuthenticateToken(b *testing.B) {
	benchAuthenticate(b, func(w *world) Credentials { c, _ := tokenOf(w); return c })
}

func BenchmarkAuthenticateJWT(b *testing.B) {
	benchAuthenticate(b, func(w *world) Credentials { c, _ := jwtOf(w); return c })
}

// BenchmarkVerifyJWT is the first use of a JWT, and the first after any change of users.
func BenchmarkVerifyJWT(b *testing.B) {
	w := newWorld(b, Options{})
	w.user("ann")
	c, _ := jwtOf(w)
	b.ReportAllocs()
	for b.Loop() {
		w.memory.forget()
		if _, err := w.Authenticate(w.ctx, c); err != nil {
			b.Fatal(err)
		}
	}
}

func benchAuthorize(b *testing.B, id func(*world) Identity) {
	w := newWorld(b, Options{Private: []string{"npm:package:@secret/*"}})
	w.user("ann")
	who := id(w)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Authorize(w.ctx, who, npm("@acme/app", Read)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthorizeAnonymous(b *testing.B) {
	benchAuthorize(b, func(*world) Identity { return Anonymous() })
}

func BenchmarkAuthorizeUser(b *testing.B) {
	benchAuthorize(b, func(w *world) Identity { return w.login("ann") })
}

func BenchmarkIssueJWT(b *testing.B) {
	w := newWorld(b, Options{})
	w.user("ann")
	ann, scopes := w.login("ann"), mustScopes(b, "oci:repository:team/app:pull,push")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := w.IssueJWT(w.ctx, ann, scopes, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}
