package audit

// What upstreams know of packages that are not of this registry. They are asked with the names and versions of an audit
// that are not ours, and nothing is kept of what they answer. An audit is never clean because nobody was asked.

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/internal/rawjson"
	"larder/store"
	"larder/upstream"
)

// Addresses of audits below a registry's URL.
const (
	refBulk  = "-/npm/v1/security/advisories/bulk"
	refQuick = "-/npm/v1/security/audits/quick"
)

// maxAnswer is the most bytes of an upstream's answer.
const maxAnswer = 64 << 20

// held is about what a version costs in a map of them, beside its text.
const held = 64

// versionsOf is versions by package.
type versionsOf map[string][]string

// collect returns what an audit asks for, as read finds it in the body.
func collect(ctx context.Context, read func(*request, io.Reader) error, in io.Reader) (versionsOf, error) {
	all, unpaid := versionsOf{}, int64(0)
	q := newRequest(ctx, nil)
	q.each = func(name, text string) error {
		list := all[name]
		if slices.Contains(list, text) {
			return nil
		}
		if len(list) == maxOfOne {
			return problem.Errorf(problem.ErrTooLarge, "An audit has at most %d versions of one package.", maxOfOne)
		}
		all[name] = append(list, text)
		// What is sent is as large again.
		if unpaid += int64(2 * (len(name) + len(text) + held)); unpaid < held<<10 {
			return nil
		}
		defer func() { unpaid = 0 }()
		return budget.Take(ctx, unpaid)
	}
	return all, read(q, in)
}

// theirs returns the advisories that upstreams have about packages of all. complete: the advisories loaded here are
// what stands in for an upstream that is not asked, or has none. An error when an upstream cannot say.
func (a *Audit) theirs(ctx context.Context, all versionsOf, complete bool) ([]Advisory, error) {
	asked := map[*upstream.Upstream]versionsOf{}
	for name, versions := range all {
		list, err := a.up.Whom(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			if asked[u] == nil {
				asked[u] = versionsOf{}
			}
			asked[u][name] = versions
		}
	}
	ctx = upstream.WithBudget(ctx)
	var found []Advisory
	for _, u := range a.up.Upstreams() {
		if len(asked[u]) == 0 {
			continue
		}
		list, err := a.ask(ctx, u, asked[u])
		switch {
		case err == nil:
			found = append(found, list...)
		case complete && errors.Is(err, store.ErrNotFound), complete && errors.Is(err, upstream.ErrOffline):
		case errors.Is(err, upstream.ErrOffline):
			return nil, problem.Wrap(err, upstream.ErrOffline, "The upstream registry %s is not asked at present, and no "+
				"advisories are loaded here: whether its packages have any is not known.", u.Name())
		case errors.Is(err, store.ErrNotFound):
			return nil, problem.Wrap(err, store.ErrNotFound, "The upstream registry %s answers no audits, and no "+
				"advisories are loaded here: whether its packages have any is not known.", u.Name())
		default:
			return nil, err
		}
	}
	return found, nil
}

// ask asks one upstream, in the older way if it does not know the newer one. store.ErrNotFound when it knows neither.
func (a *Audit) ask(ctx context.Context, u *upstream.Upstream, about versionsOf) (found []Advisory, err error) {
	for _, way := range []struct {
		ref  string
		body func(versionsOf) []byte
		read func([]byte) ([]Advisory, error)
	}{{refBulk, bulkBody, readBulk}, {refQuick, treeBody, readQuick}} {
		_, err = a.up.Ask(ctx, u, upstream.Question{
			Ref: way.ref, Type: "application/json", Body: way.body(about), Limit: maxAnswer,
			Check: func(body []byte, _ string) (err error) { found, err = way.read(body); return err },
		})
		if !errors.Is(err, store.ErrNotFound) {
			break
		}
	}
	// An advisory about what was not asked is not about what is installed.
	return slices.DeleteFunc(found, func(adv Advisory) bool { return about[adv.Package] == nil }), err
}

// bulkBody is the request of npm 7 and later.
func bulkBody(about versionsOf) []byte {
	out := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(about)) {
		out = append(rawjson.AppendString(rawjson.AppendComma(out, i), name), ':', '[')
		for i, v := range about[name] {
			out = rawjson.AppendString(rawjson.AppendComma(out, i), v)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// treeBody is a request of older clients: of a package with several versions each stands below the one before.
func treeBody(about versionsOf) []byte {
	out := []byte(`{"name":"audit","version":"0.0.0","requires":{},"dependencies":{`)
	for i, name := range slices.Sorted(maps.Keys(about)) {
		out = rawjson.AppendComma(out, i)
		for i, v := range about[name] {
			if i > 0 {
				out = append(out, `,"dependencies":{`...)
			}
			out = append(rawjson.AppendString(out, name), `:{"version":`...)
			out = rawjson.AppendString(out, v)
		}
		for i := range about[name] {
			if out = append(out, '}'); i > 0 {
				out = append(out, '}')
			}
		}
	}
	return append(out, "}}"...)
}

// readBulk reads advisories by package. Clients get each as it came.
func readBulk(body []byte) (list []Advisory, err error) {
	var all map[string][]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, errors.New("not an object of advisories by package")
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, raw := range all[name] {
			adv, err := readAdvisory(raw)
			if err != nil {
				return nil, err
			}
			adv.Package, adv.raw = name, raw
			list = append(list, adv)
		}
	}
	return list, nil
}

// readQuick reads advisories by their number, as the older audits have them.
func readQuick(body []byte) (list []Advisory, err error) {
	var answer struct {
		Advisories map[string]json.RawMessage `json:"advisories"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if answer.Advisories == nil {
		return nil, errors.New("not an audit: it has no advisories")
	}
	for _, id := range slices.Sorted(maps.Keys(answer.Advisories)) {
		adv, err := readAdvisory(answer.Advisories[id])
		if err != nil {
			return nil, err
		}
		list = append(list, adv)
	}
	return list, nil
}

// readAdvisory reads what is compared and counted. Without a range it is about every version, as for npm.
func readAdvisory(raw json.RawMessage) (adv Advisory, err error) {
	o, err := rawjson.Split(raw)
	if err != nil {
		return adv, err
	}
	adv = Advisory{
		ID: o.Get("id"), Package: o.Text("module_name"), Title: o.Text("title"), URL: o.Text("url"),
		Severity: o.Text("severity"), Range: o.Text("vulnerable_versions"), CVSS: o.Get("cvss"),
	}
	if !slices.Contains(severities, adv.Severity) {
		adv.Severity = "high" // what npm takes it for
	}
	_, ok := parseRange(adv.Range)
	adv.unread = !ok
	if adv.CWE = []string{}; o.Get("cwe") != nil && json.Unmarshal(o.Get("cwe"), &adv.CWE) != nil {
		adv.CWE = []string{o.Text("cwe")}
	}
	return adv, nil
}

// merge is ours, followed by those of theirs that ours do not have.
func merge(ours, theirs []Advisory) []Advisory {
	type key struct{ name, id string }
	known := map[key]bool{}
	keysOf := func(adv Advisory) []key {
		keys := []key{{adv.Package, string(adv.ID)}}
		if adv.URL != "" {
			keys = append(keys, key{adv.Package, adv.URL})
		}
		return keys
	}
	all := slices.Clone(ours)
	for _, adv := range ours {
		for _, k := range keysOf(adv) {
			known[k] = true
		}
	}
	for _, adv := range theirs {
		keys := keysOf(adv)
		if slices.ContainsFunc(keys, func(k key) bool { return known[k] }) {
			continue
		}
		for _, k := range keys {
			known[k] = true
		}
		all = append(all, adv)
	}
	return all
}
