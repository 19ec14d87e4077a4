package account

import (
	"testing"
	"time"
)

// TestLoginsExpire: after ten minutes, or when a thousand others come.
func TestLoginsExpire(t *testing.T) {
	now := time.Now()
	l := newLogins()
	l.now = func() time.Time { return now }
	a := l.start()
	if !l.open(a.page) || l.open(a.done) {
		t.Error("a login is open by its page alone")
	}
	now = now.Add(loginTime + time.Second)
	if _, known := l.poll(a.done); known || l.open(a.page) || l.finish(a.page, "x") {
		t.Error("an expired login is known")
	}
	b := l.start()
	now = now.Add(time.Second)
	for range maxLogins {
		l.start()
	}
	if l.open(b.page) || len(l.byPage) > maxLogins || len(l.byDone) != len(l.byPage) {
		t.Errorf("%d logins", len(l.byPage))
	}
}
