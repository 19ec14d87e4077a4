package upstream

// One request: which answers count, when it is tried again, and what is said of trouble.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"larder/store"
)

// ask sends one request to the rig's upstream.
func (g *rig) ask(ctx context.Context, q request) (int, error) {
	resp, err := g.set.list[0].do(ctx, q)
	if err != nil {
		return 0, err
	}
	drop(resp)
	return resp.StatusCode, nil
}

// status answers everything with one.
func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func TestAnswersThatSaySomething(t *testing.T) {
	g := newRig(t)
	for _, code := range []int{200, 204, 206, 304, 404, 410, 416, 451} {
		g.origin.answer(status(code))
		if got, err := g.ask(t.Context(), request{ref: "demo"}); got != code || err != nil {
			t.Errorf("a %d: %d, %v, want it as the answer", code, got, err)
		}
	}
	for code, want := range map[int]bool{404: true, 410: true, 451: true, 200: false, 401: false, 403: false, 500: false} {
		if got := Absent(code); got != want {
			t.Errorf("a %d says that it does not exist: %t, want %t", code, got, want)
		}
	}
}

// TestTroubleIsTriedAgainWhereThatCanHelp: a refusal stays one, and who says when to come back is obeyed.
func TestTroubleIsTriedAgainWhereThatCanHelp(t *testing.T) {
	for _, c := range []struct {
		what   string
		answer http.HandlerFunc
		asked  int64
	}{
		{"500", status(500), 3},
		{"400", status(400), 1},
		{"503 with a time too late", status(503, "Retry-After", "3600"), 1},
		{"429 with a time too late", status(429, "Retry-After", "3600"), 1},
		{"503 with a time at once", status(503, "Retry-After", "0"), 3},
		{"redirects without end", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, maxRedirects + 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			g := newRig(t)
			g.origin.answer(c.answer)
			_, err := g.ask(t.Context(), request{ref: "demo"})
			var trouble *Unavailable
			if !errors.As(err, &trouble) || trouble.RetryAfter() < retrySoon || trouble.RetryAfter() > 30*time.Second {
				t.Errorf("%v, want trouble with a time to come back within 5 to 30 seconds", err)
			}
			if got := g.origin.asked.Load(); got != c.asked {
				t.Errorf("asked %d times, want %d", got, c.asked)
			}
		})
	}
}

func TestTooManyRequestsKeepsAllAway(t *testing.T) {
	g := newRig(t)
	g.origin.answer(status(429, "Retry-After", "60"))
	for range 3 {
		if _, err := g.ask(t.Context(), request{ref: "demo"}); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if n := g.origin.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once: it said to come back in a minute", n)
	}
	g.clock.Advance(time.Minute)
	g.origin.answer(status(200))
	if _, err := g.ask(t.Context(), request{ref: "demo"}); err != nil {
		t.Errorf("after that minute: %v", err)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "120": 2 * time.Minute, "99999999999999999999": -1, "-5": -1, "soon": -1, "": -1,
		now.Add(time.Hour).Format(http.TimeFormat):  time.Hour,
		now.Add(-time.Hour).Format(http.TimeFormat): 0,
		"4000000": (1 << 20) * time.Second,
	} {
		got, ok := parseRetryAfter(text, now)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q means %s, %t, want %s", text, got, ok, want)
		}
	}
}

func TestTroubleTellsTheNameAndNeverTheAddress(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.origin.answer(status(500))
	_, _, err := g.doc("demo")
	var trouble *Unavailable
	if !errors.As(err, &trouble) {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(g.origin.URL, "http://")
	want := "The upstream registry main answered 500, and this is not in the cache."
	if trouble.Public() != want {
		t.Errorf("the client's user reads %q, want %q", trouble.Public(), want)
	}
	if text := err.Error(); !strings.Contains(text, "main") || !strings.Contains(text, host+" answered 500") {
		t.Errorf("the log says %q, want the name, the host and the status", text)
	}
	nameless := newRig(t, func(o *Options) { o.Upstreams[0].Name = strings.TrimPrefix(o.Upstreams[0].URL, "http://") })
	nameless.origin.answer(status(403))
	_, _, err = nameless.doc("demo")
	var refused *Refused
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	if text := refused.Public(); strings.Contains(text, "127.0.0.1") {
		t.Errorf("an upstream that is called as its address: the client's user reads %q", text)
	}
}

func TestRequestsSayWhoAsks(t *testing.T) {
	g := newRig(t)
	var agent, accept atomic.Value
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		agent.Store(r.UserAgent())
		accept.Store(r.Header.Get("Accept"))
	})
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {"somebody else"}}
	if _, err := g.ask(t.Context(), request{ref: "demo", header: header}); err != nil {
		t.Fatal(err)
	}
	if agent.Load() != userAgent || accept.Load() != "application/json" {
		t.Errorf("asked as %v for %v, want %s and application/json", agent.Load(), accept.Load(), userAgent)
	}
}

func TestReferencesAreResolvedAgainstTheRegistry(t *testing.T) {
	g := newRig(t)
	base := g.origin.URL + "/registry"
	for ref, want := range map[string]string{
		"demo": base + "/demo", "/demo": base + "/demo", "@acme%2fx": base + "/@acme%2fx", "demo?write=true": base +
			"/demo?write=true",
		base + "/x": base + "/x",
	} {
		got, err := g.set.list[0].resolve(ref)
		if err != nil || got.String() != want {
			t.Errorf("%s leads to %v, %v, want %s", ref, got, err, want)
		}
	}
	withUser := strings.Replace(base, "://", "://ada:secret@", 1)
	for _, ref := range []string{withUser, "ftp://registry.example.com/x", "http://", "javascript://x"} {
		if got, err := g.set.list[0].resolve(ref); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s leads to %v, %v, want ErrElsewhere", ref, got, err)
		}
	}
}

// TestOneBudgetForAll: what needs several requests gets the time of one.
func TestOneBudgetForAll(t *testing.T) {
	ctx := WithBudget(t.Context())
	first := deadlineOf(ctx)
	if again := deadlineOf(withBudget(ctx, time.Hour)); !again.Equal(first) {
		t.Errorf("a second budget moves the deadline by %s", again.Sub(first))
	}
	if left := time.Until(first); left > Budget {
		t.Errorf("%s are left, want at most %s", left, Budget)
	}
}

// TestSpentBudgetEndsTheWait: a registry that does not answer holds a client no longer than its budget.
func TestSpentBudgetEndsTheWait(t *testing.T) {
	g := newRig(t)
	left := make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // it never answers
		left <- struct{}{}
	})
	_, err := g.ask(withBudget(t.Context(), 100*time.Millisecond), request{ref: "demo"})
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	<-left // the registry saw that nobody waits any more
}

// TestFullLaneIsNoTroubleOfTheHost: requests that get no place in time do not count against the host.
func TestFullLaneIsNoTroubleOfTheHost(t *testing.T) {
	g := newRig(t, func(o *Options) { o.Upstreams[0].Connections.Documents = 1 })
	hold := make(chan struct{})
	begun := make(chan struct{})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/slow") {
			close(begun)
			<-hold
		}
	})
	first := make(chan error, 1)
	go func() {
		_, err := g.ask(context.Background(), request{ref: "slow"})
		first <- err
	}()
	<-begun
	for range 2 * minFailures {
		left, leave := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := g.ask(left, request{ref: "demo"}); !errors.Is(err, errBusy) {
			t.Fatalf("%v, want that too many requests are under way", err)
		}
		leave()
	}
	close(hold)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := g.ask(t.Context(), request{ref: "demo"}); err != nil {
		t.Errorf("once there is a place: %v", err)
	}
}

// TestCancelledProbeIsGivenBack: a client that leaves says nothing about the host.
func TestCancelledProbeIsGivenBack(t *testing.T) {
	g := newRig(t)
	u := g.set.list[0]
	for range minFailures {
		u.breaker.ends(errDown)
	}
	g.clock.Advance(firstPause)
	ctx, leave := context.WithCancel(t.Context())
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	})
	if _, err := g.ask(ctx, request{ref: "demo"}); err == nil {
		t.Fatal("a request that was cancelled has an answer")
	}
	g.origin.answer(status(200))
	if _, err := g.ask(t.Context(), request{ref: "demo"}); err != nil {
		t.Errorf("the next probe: %v, want it to be let through", err)
	}
}

// TestCredentialsDoNotFollowRedirects: within the registry they go along, elsewhere neither they nor the address.
func TestCredentialsDoNotFollowRedirects(t *testing.T) {
	files := newOrigin(t)
	var away, within atomic.Value
	files.answer(func(w http.ResponseWriter, r *http.Request) {
		away.Store(r.Header.Get("Authorization") + r.Header.Get("Referer"))
	})
	g := newRig(t, func(o *Options) {
		o.Upstreams[0].Token = "secret"
		o.Upstreams[0].Hosts = []string{strings.TrimPrefix(files.URL, "http://")}
	})
	g.origin.answer(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/registry/away":
			http.Redirect(w, r, files.URL+"/x", http.StatusFound)
		case "/registry/within":
			http.Redirect(w, r, g.origin.URL+"/registry/there", http.StatusFound)
		default:
			within.Store(r.Header.Get("Authorization"))
		}
	})
	for _, ref := range []string{"away", "within"} {
		if _, err := g.ask(t.Context(), request{ref: ref}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if away.Load() != "" {
		t.Errorf("another host is sent %v", away.Load())
	}
	if within.Load() != "Bearer secret" {
		t.Errorf("within the registry %v is sent, want the token", within.Load())
	}
}

// TestTroubleOfARedirectsTargetIsNotTheRegistrys: the host that redirected did its part.
func TestTroubleOfARedirectsTargetIsNotTheRegistrys(t *testing.T) {
	err := redirected("http://files.example.com/x", "registry.example.com", &statusError{500, "files.example.com"})
	if outcomeOf(err) != answered {
		t.Errorf("%v counts against the registry", err)
	}
	if text := err.Error(); text != "redirected to files.example.com: files.example.com answered 500" {
		t.Errorf("it says %q", text)
	}
	var reason *statusError
	if !errors.As(err, &reason) || reason.code != 500 {
		t.Errorf("the reason is lost: %v", err)
	}
	same := redirected("http://registry.example.com/x", "registry.example.com", reason)
	if outcomeOf(same) != failed {
		t.Errorf("%v does not count against the registry", same)
	}
	for _, harmless := range []error{
		&statusError{404, "x"}, &statusError{403, "x"}, ErrElsewhere, errAddress, errRedirects, nil,
		&asideError{&unconnected{errDown}, "https://auth.example.com"},
		fmt.Errorf("%w: %w", errors.New("get"), &url.Error{Op: "Get", Err: errAddress}),
	} {
		if outcomeOf(harmless) != answered {
			t.Errorf("%v counts against the host", harmless)
		}
	}
	for _, trouble := range []error{&statusError{500, "x"}, &statusError{429, "x"}, context.DeadlineExceeded} {
		if outcomeOf(trouble) != failed {
			t.Errorf("%v does not count against the host", trouble)
		}
	}
	if got := outcomeOf(fmt.Errorf("get: %w", &unconnected{context.DeadlineExceeded})); got != refused {
		t.Errorf("no connection is %d, want %d", got, refused)
	}
}
