package auth

// Failed logins in the journal: which, how many, and that none holds a login up.

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// failedLogins are the notes of failed logins in the journal, with the addresses of their actors.
func (w *world) failedLogins() []string {
	w.t.Helper()
	all, err := w.store.Journal(w.ctx, 0, 1<<20)
	w.must(err)
	var out []string
	for _, e := range all {
		if e.Op == OpLoginFailed {
			out = append(out, strings.TrimSpace(e.Note+" "+e.Actor.Addr))
			if e.Actor.User != "" {
				w.t.Errorf("%+v: nobody was logged in", e)
			}
		}
	}
	return out
}

func (w *world) wantFailed(what string, want ...string) {
	w.t.Helper()
	if got := w.failedLogins(); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%s: the journal has %q, want %q", what, got, want)
	}
}

// TestFailedLoginsInTheJournal: the first at once, the rest as one number.
func TestFailedLoginsInTheJournal(t *testing.T) {
	w := newWorld(t, Options{})
	w.user("ann")
	addr := netip.MustParseAddr("192.0.2.1")
	try := func(user, password string) {
		_, _ = w.Authenticate(w.ctx, Credentials{User: user, Password: password, Addr: addr})
	}
	try("ann", "guess")
	w.wantFailed("one", "user ann from 192.0.2.1 192.0.2.1")
	for range 3 * pairBurst {
		try("ann", "guess")
	}
	w.wantFailed("before the flush", "user ann from 192.0.2.1 192.0.2.1")
	w.must(w.Flush(w.ctx))
	w.wantFailed("after the flush", "user ann from 192.0.2.1 192.0.2.1", "user ann from 192.0.2.1, 30 times")
	w.must(w.Flush(w.ctx))
	try("Ann Other", "x")
	try(strings.Repeat("x", 100), "x")
	try("nobody", "x")
	_, _ = w.VerifyPassword(w.ctx, "eve", "guess", netip.Addr{})
	_, _, secret := w.token(TokenSpec{User: "ann"})
	_, _ = w.VerifyPassword(w.ctx, "ann", secret, addr)
	_, _ = w.VerifyPassword(w.ctx, secret, "x", netip.Addr{})
	if _, err := w.Authenticate(w.ctx, Credentials{User: "ann", Password: "pw of ann"}); err != nil {
		t.Fatal(err)
	}
	w.must(w.Flush(w.ctx))
	w.wantFailed("names", "user ann from 192.0.2.1 192.0.2.1", "user ann from 192.0.2.1, 30 times",
		`user "Ann Other" from 192.0.2.1 192.0.2.1`,
		"user "+strings.Repeat("x", maxUserName)+" from 192.0.2.1 192.0.2.1", "user nobody from 192.0.2.1 192.0.2.1",
		"user eve", "user ann from 192.0.2.1 192.0.2.1", "a token instead of a user")
}

// TestFailedLoginsAreFew: a flood of names and addresses writes a bounded number of entries.
func TestFailedLoginsAreFew(t *testing.T) {
	w := newWorld(t, Options{})
	const flood = 5 * failureBurst
	for i := range flood {
		_, _ = w.Authenticate(w.ctx, Credentials{User: fmt.Sprintf("No %d", i), Password: "x",
			Addr: netip.MustParseAddr("192.0.2.1")})
	}
	if n := len(w.failedLogins()); n != failureBurst {
		t.Errorf("%d entries of %d failures, want %d", n, flood, failureBurst)
	}
	w.must(w.Flush(w.ctx))
	if got := w.failedLogins(); len(got) != failureBurst+1 ||
		got[failureBurst] != fmt.Sprintf("other users and addresses, %d times", flood-failureBurst) {
		t.Errorf("after the flush %d entries, the last %q", len(got), got[len(got)-1])
	}
	if len(w.failures.by) != 0 || w.failures.rest != 0 {
		t.Error("the flush leaves counts behind")
	}
}

// TestFailedLoginsWaitForTheStore: what cannot be written now is written later.
func TestFailedLoginsWaitForTheStore(t *testing.T) {
	w := newWorld(t, Options{})
	guess := Credentials{User: "ann", Password: "x", Addr: netip.MustParseAddr("192.0.2.1")}
	_, _ = w.Authenticate(w.ctx, guess)
	w.store.SetReadOnly("for the test")
	_, _ = w.Authenticate(w.ctx, guess)
	w.must(w.Flush(w.ctx))
	_, _ = w.Authenticate(w.ctx, guess)
	w.store.SetReadOnly("")
	w.must(w.Flush(w.ctx))
	w.wantFailed("after it was read-only", "user ann from 192.0.2.1 192.0.2.1", "user ann from 192.0.2.1, 2 times")
}
