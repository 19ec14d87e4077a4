package npm

// Who is asking, and how they log in: with name and password in one request, or in the browser while npm waits.

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"larder/auth"
	"larder/internal/wire"
	"larder/store"
)

// accounts is what the local provider adds to auth.Provider. With another provider users log in where that one lives.
type accounts interface {
	User(ctx context.Context, name string) (auth.User, error)
	SetPassword(ctx context.Context, name, password string) error
	DeriveToken(ctx context.Context, by auth.Identity, spec auth.TokenSpec) (id, secret string, err error)
	Tokens(ctx context.Context, user string) ([]auth.Token, error)
	RevokeToken(ctx context.Context, id string) error
}

func (s *server) local() (accounts, error) {
	if s.accounts == nil {
		return nil, wire.Errorf(auth.ErrDenied, "Users and tokens of this registry are managed elsewhere.")
	}
	return s.accounts, nil
}

// knows is nil when there is a user of that name.
func (s *server) knows(ctx context.Context, user string) error {
	a, err := s.local()
	if err != nil {
		return err
	}
	if auth.CheckUserName(user) != nil {
		return store.Refuse(store.ErrNotFound, "there is no user %.64q", user)
	}
	_, err = a.User(ctx, user)
	return err
}

// user is whoever is logged in.
func user(ctx context.Context) (auth.Identity, error) {
	id := wire.IdentityFrom(ctx)
	if id.User == "" {
		return id, needLogin()
	}
	return id, nil
}

func (s *server) whoami(w http.ResponseWriter, r *http.Request, _ Request) error {
	id, err := user(r.Context())
	if err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]string{"username": id.User})
}

// getUser is what npm owner add asks: whether there is such a user. Only users are told.
func (s *server) getUser(w http.ResponseWriter, r *http.Request, q Request) error {
	if _, err := user(r.Context()); err != nil {
		return err
	}
	if err := s.knows(r.Context(), q.User); err != nil {
		return err
	}
	return wire.JSON(w, http.StatusOK, map[string]any{
		"_id": userIDPrefix + q.User, "_rev": "1-" + q.User, "name": q.User, "email": "", "type": "user", "roles": []string{},
	})
}

// check judges a name and password as if they had come with a request of their own, limits included.
func (s *server) check(ctx context.Context, name, password string) (auth.Identity, error) {
	if name == "" || password == "" {
		return auth.Identity{}, wire.Errorf(auth.ErrCredentials, "A login needs a user name and a password.")
	}
	c := auth.Credentials{User: name, Password: password}
	if a, err := netip.ParseAddr(store.ActorFrom(ctx).Addr); err == nil {
		c.Addr = a
	}
	return s.auth.Authenticate(ctx, c)
}

// issue makes the token a login is for. It reaches no further than npm.
func (s *server) issue(ctx context.Context, id auth.Identity, name string) (string, error) {
	a, err := s.local()
	if err != nil {
		return "", err
	}
	all, err := auth.ParseScopes([]string{"npm:*:*:*"})
	if err != nil {
		return "", err
	}
	_, secret, err := a.DeriveToken(ctx, id, auth.TokenSpec{User: id.User, Name: name, Scopes: all})
	return secret, err
}

// login is npm adduser and npm login in their old form; it makes no users. The same request with a revision is what npm
// sends when it believes that the user exists already.
func (s *server) login(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	o, err := readObject(r)
	if err != nil {
		return err
	}
	name := o.Text("name")
	if name == "" {
		name = q.User
	}
	if name != q.User {
		return wire.Errorf(store.ErrInvalid, "The request is about user %.64q, but its body about %.64q.", q.User, name)
	}
	id, err := s.check(ctx, name, o.Text("password"))
	if err != nil {
		return err
	}
	token, err := s.issue(ctx, id, "npm login")
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusCreated, map[string]any{"ok": true, "id": userIDPrefix + q.User, "rev": "1-" + q.User, "token": token})
}

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
	loginTime  = 10 * time.Minute
	maxLogins  = 1000
	pollAfter  = 1 // seconds
	maxFormLen = 64 << 10
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

// webLogin begins a login in the browser. npm shows the first address and polls the second.
func (s *server) webLogin(w http.ResponseWriter, r *http.Request, _ Request) error {
	if _, err := s.local(); err != nil {
		return err
	}
	l := s.logins.start()
	at := s.url(r) + "/-/v1/login/"
	w.Header().Set("Cache-Control", "no-store")
	return wire.JSON(w, http.StatusOK, map[string]string{"loginUrl": at + "page/" + l.page, "doneUrl": at + "done/" + l.done})
}

// webDone tells npm whether to go on waiting.
func (s *server) webDone(w http.ResponseWriter, _ *http.Request, q Request) error {
	token, known := s.logins.poll(q.ID)
	if !known {
		return store.Refuse(store.ErrNotFound, "no such login")
	}
	w.Header().Set("Cache-Control", "no-store")
	if token == "" {
		w.Header().Set("Retry-After", strconv.Itoa(pollAfter))
		return wire.JSON(w, http.StatusAccepted, struct{}{})
	}
	return wire.JSON(w, http.StatusOK, map[string]string{"token": token})
}

//go:embed login.html
var loginHTML string

// loginPage is what the template gets; html/template escapes all of it.
type loginPage struct {
	Action, Host, User, Error string
	Done                      bool
}

// loginCSP allows the page's own style and its own form, and nothing else.
const loginCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func (s *server) webPage(w http.ResponseWriter, r *http.Request, q Request) error {
	if !s.logins.open(q.ID) {
		return store.Refuse(store.ErrNotFound, "no such login")
	}
	return s.showLogin(w, r, http.StatusOK, loginPage{Action: s.url(r) + link(q)[len(root):]})
}

func (s *server) showLogin(w http.ResponseWriter, r *http.Request, status int, p loginPage) error {
	if u, err := url.Parse(s.url(r)); err == nil {
		p.Host = u.Host
	}
	page, err := template.New("login").Parse(loginHTML)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, p); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", loginCSP)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(status)
	_, err = w.Write(out.Bytes())
	return err
}

// webConfirm takes the form. A wrong password shows the page again.
func (s *server) webConfirm(w http.ResponseWriter, r *http.Request, q Request) error {
	ctx := r.Context()
	raw, err := wire.ReadBody(r, maxFormLen)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return wire.Errorf(store.ErrInvalid, "The form cannot be read.")
	}
	if !s.logins.open(q.ID) {
		return store.Refuse(store.ErrNotFound, "no such login")
	}
	page := loginPage{Action: s.url(r) + link(Request{Op: opWebPage, ID: q.ID})[len(root):], User: form.Get("user")}
	id, err := s.check(ctx, page.User, form.Get("password"))
	var throttled *auth.Throttled
	if errors.Is(err, auth.ErrCredentials) || errors.As(err, &throttled) {
		page.Error = wire.Public(err)
		return s.showLogin(w, r, wire.Status(err), page)
	}
	if err != nil {
		return err
	}
	token, err := s.issue(ctx, id, "npm login in the browser")
	if err != nil {
		return err
	}
	if !s.logins.finish(q.ID, token) {
		return store.Refuse(store.ErrNotFound, "no such login")
	}
	return s.showLogin(w, r, http.StatusOK, loginPage{Done: true, User: id.User})
}
