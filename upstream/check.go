package upstream

// This file tries a registry out for its operator: is it there, what becomes of the login, and can a document and a
// file be had. Nothing that it fetches for that is kept, and no breaker hears of it.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"larder/store"
)

// Sample says how a registry of a kind is tried out.
type Sample struct {
	// Package is the name of a package that most public registries of the kind have.
	Package string
	// Query asks u for a package's document; its Package is the name by which rules know it. nil: Protocol.Probe.
	Query func(u *Upstream, name string) Query
	// File finds a file that the document of a package refers to. ask answers with further documents of the same registry.
	// store.ErrNotFound when it refers to none. nil: one of Protocol.Files.
	File func(ctx context.Context, name string, d *Document, body []byte, ask Ask) (Place, error)
}

// Ask asks a registry for a document.
type Ask func(ctx context.Context, q Query) (*Document, error)

// Finding is what became of one step of a check.
type Finding struct {
	Step string `json:"step"` // "address", "login", "document" or "file"
	OK   bool   `json:"ok"`
	// Text is what was seen, Change what the operator can do about it.
	Text   string `json:"text"`
	Change string `json:"change,omitempty"`
}

// String is both texts.
func (f Finding) String() string {
	if f.Change == "" {
		return f.Text
	}
	return f.Text + "; " + f.Change
}

// sampled is the most bytes of a file that a check reads.
const sampled = 8 << 20

// trial is a check under way.
type trial struct {
	s     *Set
	u     *Upstream
	found []Finding
	err   error // why there is no document
	// last is the last request that was answered with 200, and by is how it was sent, before redirects.
	last request
	by   *http.Request
}

// Check asks u for the document of a package and for a file of it, with the configured login and without. name is a
// package that u must have; with "" it is one that u is only for, one of which a copy is kept, or one that most public
// registries have.
func (r *Registry) Check(ctx context.Context, u *Upstream, name string) []Finding {
	t := &trial{s: r.sets[u.Kind()], u: u}
	if t.s.off(u) {
		t.say("address", false, "it is offline, and was not asked", "larder upstream online")
		return t.found
	}
	if !t.address(ctx) || t.s.protocol.Probe == nil {
		return t.found
	}
	d, name := t.document(ctx, name)
	if t.login(ctx); d != nil {
		t.file(ctx, name, d)
	}
	return t.found
}

func (t *trial) say(step string, ok bool, text, change string) {
	t.found = append(t.found, Finding{step, ok, text, change})
}

// fail notes what went wrong in a step.
func (t *trial) fail(step, what string, err error) {
	text, change := t.u.explain(err)
	t.say(step, false, what+text, change)
}

// request sends q once, to whoever may be asked.
func (t *trial) request(ctx context.Context, q request) (*http.Response, error) {
	to, err := t.u.resolve(q.ref)
	if err != nil {
		return nil, err
	}
	if q.ref = to.String(); q.method == "" {
		q.method = http.MethodGet
	}
	resp, err := t.u.send(ctx, q, budgetOf(newBudget(ctx, t.u.timeout(q.file))))
	if err == nil && resp.StatusCode == http.StatusOK && !q.file && !isAnonymous(ctx) {
		t.last, t.by = q, firstOf(resp.Request)
	}
	return resp, err
}

// address asks for what every registry of the kind answers; any answer will do but trouble.
func (t *trial) address(ctx context.Context) bool {
	resp, err := t.request(ctx, request{ref: t.u.checkURL()})
	switch {
	case errors.Is(err, ErrRefused):
		t.say("address", true, "reached; "+t.u.checkURL()+" is refused", "")
		return true
	case err != nil:
		t.fail("address", t.u.checkURL()+" ", err)
		return false
	}
	drop(resp)
	text := fmt.Sprintf("reached; %s answered %d", t.u.checkURL(), resp.StatusCode)
	if at := resp.Request.URL.Host; at != t.u.base.Host {
		text += ", after a redirect to " + at
	}
	t.say("address", true, text, "")
	return true
}

// document finds a package that the registry has, and its document; nil when there is none.
func (t *trial) document(ctx context.Context, name string) (*Document, string) {
	names := []string{name}
	if name == "" {
		names = t.candidates(ctx)
	}
	var absent []string
	for _, each := range names {
		q := t.query(each)
		switch _, err := t.s.chain(ctx, q.Package); {
		case err != nil || !slices.Contains(t.s.takers(q.Package), t.u):
			if name != "" {
				t.say("document", false, each+" is not asked for here: it is ours, blocked, or not among what the entry includes",
					"name another package")
			}
			continue
		}
		d, err := t.ask(ctx, q)
		switch {
		case errors.Is(err, errTaken):
			absent = append(absent, each+" (it refuses it, which counts as absence)")
			continue
		case errors.Is(err, store.ErrNotFound):
			absent = append(absent, each)
			continue
		case err != nil:
			t.err = err
			t.fail("document", "that of "+each+": ", err)
			return nil, each
		}
		t.say("document", true, fmt.Sprintf("that of %s is right: %d bytes from %s", each, d.Size, hostOf(d.URL)), "")
		return d, each
	}
	if len(absent) > 0 {
		t.say("document", name == "", "it has no "+strings.Join(absent, ", "), fmt.Sprintf("name a package that it has: "+
			"larder upstream check %s %s --package NAME; if it should have this one, its url may not be what the client would "+
			"be given", t.u.Kind(), t.u.Name()))
		return nil, absent[0]
	}
	if name == "" {
		t.say("document", true, "nothing is known that it may have",
			fmt.Sprintf("larder upstream check %s %s --package NAME", t.u.Kind(), t.u.Name()))
	}
	return nil, ""
}

// candidates are packages that the registry may have, those that it is likelier to have first.
func (t *trial) candidates(ctx context.Context) (names []string) {
	for _, p := range t.u.conf.Include {
		if !strings.Contains(p, "*") {
			names = append(names, p)
		}
	}
	kept, err := t.s.docs.Packages(ctx, "", 64)
	if err != nil {
		t.s.r.log.Warn("look for copies to check an upstream with", "error", err)
	}
	for _, p := range kept {
		name := t.s.named(p.Name)
		if held, err := t.s.holds(ctx, t.u, name); p.Name != listings && err == nil && held {
			names = append([]string{name}, names...)
			break
		}
	}
	names = names[:min(len(names), 4)]
	if own := t.s.protocol.Sample.Package; own != "" {
		names = append(names, own)
	}
	return names
}

func (t *trial) query(name string) Query {
	if t.s.protocol.Sample.Query != nil {
		return t.s.protocol.Sample.Query(t.u, name)
	}
	return t.s.protocol.Probe(name)
}

// ask is Ask.
func (t *trial) ask(ctx context.Context, q Query) (*Document, error) {
	if q.Locate != nil {
		at, err := q.Locate(ctx, t.u)
		switch {
		case err != nil:
			return nil, err
		case at.Body != nil:
			return t.s.sampledDocument(t.u, at.Ref, at.Body), nil
		}
		q.Ref = at.Ref
	}
	ask := q.request(t.u)
	ask.header = http.Header{"Accept-Encoding": {"gzip"}}
	if q.Accept != "" {
		ask.header.Set("Accept", q.Accept)
	}
	resp, err := t.request(ctx, ask)
	if err != nil {
		return nil, err
	}
	defer drop(resp)
	switch {
	case Absent(resp.StatusCode) && q.Instead != nil:
		body, err := q.Instead(ctx, t.u)
		if err != nil {
			return nil, err
		}
		return t.s.sampledDocument(t.u, resp.Request.URL.String(), body), nil
	case resp.Status == refusedText:
		return nil, errTaken
	case Absent(resp.StatusCode):
		return nil, store.ErrNotFound
	case resp.StatusCode != http.StatusOK:
		return nil, &statusError{resp.StatusCode, resp.Request.URL.Host}
	}
	body, err := readDocument(ctx, resp, q)
	if err != nil {
		return nil, err
	}
	d := t.s.sampledDocument(t.u, resp.Request.URL.String(), body)
	d.Type = resp.Header.Get("Content-Type")
	return d, nil
}

// errTaken is a refusal that counts as absence.
var errTaken = fmt.Errorf("it refuses it, which counts as absence: %w", store.ErrNotFound)

// sampledDocument is a document of which nothing is kept.
func (s *Set) sampledDocument(u *Upstream, at string, body []byte) *Document {
	return &Document{Upstream: u, Size: int64(len(body)), URL: at, Fetched: s.r.now(), set: s, body: body}
}

// firstOf is the request that redirects began with.
func firstOf(r *http.Request) *http.Request {
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
	}
	return r
}

// login says what became of the configured credentials.
func (t *trial) login(ctx context.Context) {
	u := t.u
	unused := u.unused.Load()
	switch {
	case !u.hasLogin() && errors.Is(t.err, ErrRefused):
		t.say("login", false, "none is set", "set user and password, or token, for it")
	case !u.hasLogin():
		t.say("login", true, "none is set, and none was needed", "")
	case unused != nil:
		t.say("login", false, "not sent: "+*unused, "if that may have the password, add it to `realms`")
	case errors.Is(t.err, ErrRefused):
		t.say("login", false, "refused", "see whether it is still right")
	case t.by == nil:
		t.say("login", true, "nobody knows whether it is accepted: nothing was answered with it", "")
	case !u.sent(t.by) && u.conf.Kind == store.OCI:
		t.say("login", false, "not sent: the registry does not ask for it", "remove it, if the registry is public")
	case !u.sent(t.by):
		t.say("login", false, "not sent: it does not belong to "+t.by.URL.Host, "name that in `hosts` or `paths`")
	default:
		text := "sent, and not needed: " + pathOf(t.last.ref) + " is answered without it as well"
		resp, err := t.request(withoutLogin(ctx), t.last)
		if err == nil {
			drop(resp)
			if Absent(resp.StatusCode) {
				err = store.ErrNotFound
			}
		}
		if err != nil {
			why, _ := u.explain(err)
			text = "accepted: without it " + pathOf(t.last.ref) + " is not answered (" + why + ")"
		}
		t.say("login", true, text, "")
	}
}

// file fetches a file that the document of a package refers to.
func (t *trial) file(ctx context.Context, name string, d *Document) {
	find := t.s.protocol.Sample.File
	if find == nil {
		find = t.listed
	}
	p, err := find(ctx, name, d, d.body, t.ask)
	if errors.Is(err, store.ErrNotFound) {
		t.say("file", true, name+" has none that could be fetched", "")
		return
	}
	var to *url.URL
	if err == nil {
		to, err = t.u.resolve(p.Ref)
	}
	if err != nil {
		t.fail("file", "one of "+name+": ", err)
		return
	}
	what := to.Host + to.Path + ": "
	size, checked, resp, err := t.transfer(ctx, p)
	if errors.Is(err, errTaken) {
		t.say("file", false, what+err.Error(), "it may need a login")
		return
	}
	if err != nil {
		t.fail("file", what, err)
		return
	}
	text := fmt.Sprintf("%s%d bytes", what, size)
	switch {
	case checked != "":
		text += ", with the right " + checked
	case len(p.Sums) == 0:
		text += ", of which the document gives no sum"
	default:
		text += " of a larger file"
	}
	if at := resp.Request.URL.Host; at != to.Host {
		text += ", after a redirect to " + at
	}
	t.say("file", true, text+t.needed(ctx, p, firstOf(resp.Request)), "")
}

// listed is a file that a document refers to: one with sums, a small one, else the last by its name.
func (t *trial) listed(_ context.Context, name string, d *Document, body []byte, _ Ask) (best Place, err error) {
	if t.s.protocol.Files == nil {
		return best, store.ErrNotFound
	}
	files := t.s.protocol.Files(name, t.query(name).Key, d, body)
	for _, key := range slices.Sorted(maps.Keys(files)) {
		p := files[key]
		if best.Ref == "" || len(p.Sums) >= len(best.Sums) && (best.Size == 0 || p.Size > 0 && p.Size < best.Size) {
			best = p
		}
	}
	if best.Upstream = t.u; best.Ref == "" {
		err = store.ErrNotFound
	}
	return best, err
}

// needed says whether the login went along with a file, and had to.
func (t *trial) needed(ctx context.Context, p Place, asked *http.Request) string {
	switch {
	case !t.u.hasLogin():
		return ""
	case !t.u.sent(asked):
		return "; the login is not sent there, and not needed"
	}
	resp, err := t.request(withoutLogin(ctx), request{ref: p.Ref, header: p.header(), scope: p.Scope, file: true})
	if err == nil {
		resp.Body.Close()
		if !Absent(resp.StatusCode) {
			return "; the login is sent there, and not needed"
		}
	}
	return "; it needs the login, which is sent there"
}

// transfer reads a file, or the beginning of a large one, and names the sum that was compared, "" for none.
func (t *trial) transfer(ctx context.Context, p Place) (n int64, checked string, resp *http.Response, err error) {
	resp, err = t.request(ctx, request{ref: p.Ref, header: p.header(), scope: p.Scope, file: true})
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.Status == refusedText:
		return 0, "", resp, errTaken
	case resp.StatusCode != http.StatusOK:
		return 0, "", resp, &statusError{resp.StatusCode, resp.Request.URL.Host}
	}
	body, err := newHeldBack(resp.Body, p)
	if err != nil {
		return 0, "", resp, err
	}
	n, err = io.Copy(io.Discard, io.LimitReader(body, sampled))
	if err != nil || !body.done {
		return n, "", resp, err
	}
	for alg := range p.Sums {
		checked = max(checked, alg)
	}
	return n, checked, resp, nil
}

// anonymousKey marks contexts of requests that are sent without the configured credentials.
type anonymousKey struct{}

func withoutLogin(ctx context.Context) context.Context {
	return context.WithValue(ctx, anonymousKey{}, true)
}

func isAnonymous(ctx context.Context) bool { return ctx.Value(anonymousKey{}) != nil }

// explain says what went wrong with a request, and what its operator can change. It names addresses.
func (u *Upstream) explain(err error) (text, change string) {
	var refused *Refused
	var status *statusError
	var form *formError
	var away *redirectedError
	var aside *asideError
	var led *elsewhere
	switch {
	case errors.As(err, &aside):
		text, _ = u.explain(aside.error)
		return "has its tokens from " + aside.realm + ", which " + text, nameRealm
	case errors.As(err, &refused):
		return refused.explain()
	case errors.Is(err, store.ErrNotFound):
		return "is said not to exist", ""
	case errors.Is(err, errAddress):
		return "is at an address that is not public", nearHost
	case errors.As(err, &led):
		return err.Error(), led.change
	case errors.Is(err, ErrElsewhere):
		return err.Error(), ""
	case errors.As(err, &form):
		return form.said, "its url may not be what the client would be given"
	case errors.As(err, &status):
		return fmt.Sprintf("answered %d", status.code), ""
	case errors.Is(err, ErrBroken):
		return "sent wrong bytes: " + err.Error(), ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Sprintf("did not answer within %s", u.timeout(false).Round(time.Millisecond)), "`timeout` can be longer"
	case errors.As(err, &away):
		return err.Error(), ""
	}
	return "cannot be reached: " + err.Error(), "see whether its url, `proxy` and `ca` are right"
}
