package account

// npm login in the browser: npm shows one address and polls another until somebody has logged in at the first.

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"larder/auth"
	"larder/internal/problem"
	"larder/internal/wire"
)

// logins are the browser logins under way. They live in memory for some minutes: losing one costs another npm login.
type logins struct {
	now func() time.Time

	mu     sync.Mutex        // guards the rest
	byPage map[string]*login // by what the browser is shown
	byDone map[string]*login // by what npm polls; the browser never sees it
}

// login is one of them.
type login struct {
	page, done string
	expires    time.Time
	token      string // once somebody has logged in
}

const (
	loginTime = 10 * time.Minute
	maxLogins = 1000
	pollAfter = 1 // seconds
	maxForm   = 64 << 10
)

func newLogins() *logins {
	return &logins{now: time.Now, byPage: map[string]*login{}, byDone: map[string]*login{}}
}

// start begins a login; when too many are under way, the one that would expire first goes.
func (l *logins) start() *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &login{page: rand.Text(), done: rand.Text(), expires: l.now().Add(loginTime)}
	var oldest *login
	for _, o := range l.byPage {
		if l.now().After(o.expires) {
			l.drop(o)
		} else if oldest == nil || o.expires.Before(oldest.expires) {
			oldest = o
		}
	}
	if len(l.byPage) >= maxLogins {
		l.drop(oldest)
	}
	l.byPage[n.page], l.byDone[n.done] = n, n
	return n
}

// drop forgets a login; the caller holds the lock.
func (l *logins) drop(o *login) {
	delete(l.byPage, o.page)
	delete(l.byDone, o.done)
}

// open reports whether a page still waits for somebody to log in.
func (l *logins) open(page string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.byPage[page]
	return o != nil && o.token == "" && !l.now().After(o.expires)
}

// finish hands the token over to who polls; false when the login has expired.
func (l *logins) finish(page, token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.byPage[page]
	if o == nil || o.token != "" || l.now().After(o.expires) {
		return false
	}
	o.token = token
	return true
}

// poll returns the token once; known is false when there is no such login.
func (l *logins) poll(done string) (token string, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.byDone[done]
	if o == nil || l.now().After(o.expires) {
		return "", false
	}
	if o.token != "" {
		l.drop(o)
	}
	return o.token, true
}

// Start begins a login in the browser. npm shows the first address and polls the second.
func (a *Accounts) Start(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.users(); err != nil {
		return err
	}
	l := a.logins.start()
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusOK, map[string]string{
		"loginUrl": a.page(r, l.page), "doneUrl": a.url(r) + "/-/v1/login/done/" + l.done,
	})
}

func (a *Accounts) page(r *http.Request, id string) string {
	return a.url(r) + "/-/v1/login/page/" + id
}

// Done tells npm whether to go on waiting for a login, and hands the token over once.
func (a *Accounts) Done(w http.ResponseWriter, _ *http.Request, id string) error {
	token, known := a.logins.poll(id)
	if !known {
		return errNoLogin()
	}
	w.Header().Set("Cache-Control", "no-store")
	if token == "" {
		w.Header().Set("Retry-After", strconv.Itoa(pollAfter))
		return wire.JSON(w, http.StatusAccepted, struct{}{})
	}
	return wire.JSON(w, http.StatusOK, map[string]string{"token": token})
}

func errNoLogin() error { return problem.Errorf(problem.ErrNotFound, "no such login") }

//go:embed login.html
var loginHTML string

// loginPage is what the template gets; html/template escapes all of it.
type loginPage struct {
	Action, Host, User, Error string
	Done                      bool
}

// Page shows the form.
func (a *Accounts) Page(w http.ResponseWriter, r *http.Request, id string) error {
	if !a.logins.open(id) {
		return errNoLogin()
	}
	return a.show(w, r, http.StatusOK, loginPage{Action: a.page(r, id)})
}

func (a *Accounts) show(w http.ResponseWriter, r *http.Request, status int, p loginPage) error {
	if u, err := url.Parse(a.url(r)); err == nil {
		p.Host = u.Host
	}
	return wire.FormPage(w, r, status, loginHTML, p)
}

// Confirm takes the form. A wrong password shows the page again.
func (a *Accounts) Confirm(w http.ResponseWriter, r *http.Request, id string) error {
	form, err := wire.ReadForm(r, maxForm)
	if err != nil {
		return err
	}
	if !a.logins.open(id) {
		return errNoLogin()
	}
	p := loginPage{Action: a.page(r, id), User: form.Get("user")}
	token, err := a.issue(r.Context(), p.User, form.Get("password"), "npm login in the browser")
	var throttled *auth.Throttled
	if errors.Is(err, auth.ErrCredentials) || errors.As(err, &throttled) {
		p.Error = problem.Public(err)
		return a.show(w, r, problem.Status(err), p)
	}
	if err != nil {
		return err
	}
	if !a.logins.finish(id, token) {
		return errNoLogin()
	}
	return a.show(w, r, http.StatusOK, loginPage{Done: true, User: p.User})
}
