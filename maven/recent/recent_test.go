package recent

// What is remembered for a moment.

import (
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/maven/checksum"
)

func arrived(text string, refused bool) Arrived {
	return Arrived{
		Digest: digest.FromString(text), Sums: map[string]string{"sha1": checksum.Of([]byte(text)).SHA1}, Refused: refused,
	}
}

// TestChecksumMatchesWhatTheUserPut: a checksum is compared with all that one user has put at one path lately.
func TestChecksumMatchesWhatTheUserPut(t *testing.T) {
	var a Arrivals
	k := Key{"com/acme/lib/1/lib-1.jar", "ada"}
	sum := func(text string) string { return checksum.Of([]byte(text)).SHA1 }
	a.Announce(k, "sha1", sum("one"))
	before := a.Announced(k)
	a.Announce(k, "md5", "x")
	if len(before) != 1 || len(a.Announced(k)) != 2 {
		t.Errorf("%v, then %v", before, a.Announced(k))
	}
	a.Add(k, arrived("one", false))
	a.Add(k, arrived("two", true))
	if a.Announced(k) != nil {
		t.Error("the file has come")
	}
	for text, want := range map[string]Match{"one": MatchTaken, "two": MatchRefused, "three": MatchNone} {
		if got := a.Match(k, "sha1", sum(text)); got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
	if a.Match(k, "sha256", digest.FromString("one").Encoded()) != MatchTaken ||
		a.Match(Key{k.Path, "bob"}, "sha1", sum("one")) != MatchNone {
		t.Error("by sha256, or by another user")
	}
	if !a.Brought(k, digest.FromString("one")) || a.Brought(k, digest.FromString("two")) ||
		!a.Other(k, digest.FromString("one")) || a.Other(Key{"x", "ada"}, "") {
		t.Error("which digests came")
	}
	for i := range maxTries {
		a.Add(k, arrived(fmt.Sprint(i), false))
	}
	if a.Match(k, "sha1", sum("one")) != MatchNone || a.Match(k, "sha1", sum("0")) != MatchTaken {
		t.Error("the oldest is forgotten first")
	}
}

// TestBounded: neither memory grows without end, and what is old is not found.
func TestBounded(t *testing.T) {
	var a Arrivals
	var s Sent
	for i := range maxRemembered + 10 {
		a.Add(Key{fmt.Sprint(i), "ada"}, Arrived{})
		s.Add(checksum.Set{}, fmt.Sprint(i), Recipient{Conn: "c"})
	}
	if len(a.byKey) > maxRemembered || len(s.byKey) > maxRemembered || len(a.byKey) == 0 || len(s.byKey) == 0 {
		t.Errorf("%d and %d", len(a.byKey), len(s.byKey))
	}
	k := Key{"old", "ada"}
	a.Add(k, arrived("x", false))
	a.byKey[k].at = time.Now().Add(-2 * arrivalTime)
	if a.Brought(k, digest.FromString("x")) || a.Announced(k) != nil {
		t.Error("an old arrival is found")
	}
}

// TestSentDocumentIsRememberedForAMoment: the document that went to a client is found under each of its names, for
// a moment.
func TestSentDocumentIsRememberedForAMoment(t *testing.T) {
	var s Sent
	conn, client := Recipient{Conn: "1:2"}, Recipient{User: "ada", Agent: "mvn"}
	sums := checksum.Of([]byte("document"))
	s.Add(sums, "p", conn, client)
	for _, to := range [][]Recipient{{conn}, {client}, {{Conn: "3:4"}, client}} {
		if got, ok := s.Find("p", to...); !ok || got != sums {
			t.Errorf("%v: %v %t", to, got, ok)
		}
	}
	if _, ok := s.Find("q", conn, client); ok {
		t.Error("another document")
	}
	if _, ok := s.Find("p", Recipient{Conn: "3:4"}); ok {
		t.Error("another client")
	}
	for k, d := range s.byKey {
		d.at = time.Now().Add(-2 * sentTime)
		s.byKey[k] = d
	}
	if _, ok := s.Find("p", conn, client); ok {
		t.Error("later")
	}
}

func TestBusy(t *testing.T) {
	var b Busy
	first, second := b.Enter("v"), b.Enter("v")
	if b.Count("v") != 2 || b.Count("w") != 0 {
		t.Error("two enter")
	}
	first()
	second()
	if b.Count("v") != 0 || len(b.byKey) != 0 {
		t.Error("both leave")
	}
}
