package oci

// How paths and queries become requests, and back. Pure: no handler, no store, no clock. What follows a repository's
// name is read from the right, because the name may itself have components called manifests, blobs, tags or uploads.

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/internal/route"
	"larder/oci/names"
	"larder/store"
)

const (
	maxPage    = 10_000  // entries of one page of tags or repositories, whatever n says (CVE-2023-2253)
	maxTags    = 100     // ?tag= parameters of one manifest PUT; the spec asks for at least 10
	maxFilter  = 50      // ?artifactType= parameters of one referrers request
	maxSegment = 1 << 20 // bytes; what a segment stands for has a limit of its own
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Root   string        // /v2 or /oci, "" for /v1: Location headers stay under the root that was asked
	Name   string        // repository
	Asked  string        // what stands in the path, once resolve has found that Name is served for it; else empty
	Prefix string        // whole components that the listed repositories begin with
	Tag    string        // manifest reference or history, when it is a tag
	Digest digest.Digest // manifest reference, blob, referrers subject, ?digest=
	Upload string        // upload session

	N     int    // page size, -1 when absent; clamped to maxPage
	Last  string // the entry after which a page begins
	Tags  []string
	Types []string // artifactType filter; an empty string asks for referrers without a type

	Mount     string // ?mount= as sent: a malformed one only means that nothing is mounted
	From      string // ?from= as sent
	Anonymous bool   // ?mount= came without from
	Algorithm digest.Algorithm

	Before, Since string // tag history bounds, RFC 3339
	Query         string // search words
	Namespace     string // ?ns= as sent: the registry a client would ask if it were not for this one

	guessed bool   // from was neither named by a prefix nor by ?ns=
	from    source // the upstream's repository that is served, once resolved; the zero value for what is here
}

// grammar is what the fields of the routes mean.
var grammar = route.Grammar[Request]{
	Roots: []string{rootV2, rootAlias, rootV1},
	Start: Request{N: -1},
	Split: route.Split{Slash: route.SlashKept, MaxSegment: maxSegment},
	Fields: map[string]route.Field[Request]{
		"root":      {Set: (*Request).setRoot, Get: func(q *Request) string { return strings.TrimPrefix(q.Root, "/") }},
		"name":      {SetMany: (*Request).setName, Get: (*Request).asked, None: true, Absent: absentName},
		"prefix":    {SetMany: (*Request).setPrefix, Get: func(q *Request) string { return q.Prefix }},
		"reference": {Set: (*Request).setReference, Get: (*Request).reference, Absent: absentManifest},
		"digest": {
			Set: (*Request).setDigest, Get: func(q *Request) string { return q.Digest.String() }, Absent: absentBlob,
		},
		"subject": {Set: (*Request).setDigest, Get: func(q *Request) string { return q.Digest.String() }},
		"upload":  {Set: (*Request).setUpload, Get: func(q *Request) string { return q.Upload }, Absent: absentUpload},
		"tag":     {Set: (*Request).setTag, Get: func(q *Request) string { return q.Tag }, Absent: absentManifest},
	},
	Queries: map[string]route.Query[Request]{
		"oci.catalog":         {Parse: (*Request).parsePage, Format: (*Request).format},
		"oci.repositories":    {Parse: (*Request).parsePage, Format: (*Request).format},
		"oci.v1.search":       {Parse: (*Request).parseSearch, Format: (*Request).format},
		"oci.manifest.get":    {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.manifest.put":    {Parse: (*Request).parseTags, Format: (*Request).format},
		"oci.manifest.delete": {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.blob.get":        {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.blob.delete":     {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.upload.start":    {Parse: (*Request).parseStart, Format: (*Request).formatDigest},
		"oci.upload.status":   {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.upload.patch":    {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.upload.commit":   {Parse: (*Request).parseDigest, Format: (*Request).formatDigest},
		"oci.upload.cancel":   {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.tags":            {Parse: (*Request).parsePage, Format: (*Request).format},
		"oci.referrers":       {Parse: (*Request).parseReferrers, Format: (*Request).format},
		"oci.repo.discover":   {Parse: (*Request).parseNamespace, Format: (*Request).format},
		"oci.tag.history":     {Parse: (*Request).parseHistory, Format: (*Request).formatDigest},
		"oci.tag.restore":     {Parse: (*Request).parseDigest, Format: (*Request).formatDigest},
	},
	NoRoute: func(string) error {
		return faultf(codeNameUnknown, problem.ErrNoRoute, "no such end point")
	},
	Malformed: func() error { return faultf(codeNameInvalid, problem.ErrBadPath, "the path is malformed") },
	NotAllowed: func(method, _ string, _ []string) error {
		return faultf(codeUnsupported, problem.ErrMethod, "%s is not supported here", method)
	},
}

// shortcut reads the addresses of nearly every pull, a manifest or a blob, where nothing in them is escaped.
func shortcut(method, escaped string) (op string, q Request, ok bool) {
	q = Request{Root: rootV2, N: -1}
	rest, ok := strings.CutPrefix(escaped, rootV2+"/")
	if !ok {
		q.Root = rootAlias
		rest, ok = strings.CutPrefix(escaped, rootAlias+"/")
	}
	last := strings.LastIndexByte(rest, '/')
	if !ok || last < 0 || method != http.MethodGet && method != http.MethodHead {
		return "", Request{}, false
	}
	reference := rest[last+1:]
	name, isManifest := strings.CutSuffix(rest[:last], "/manifests")
	if isManifest {
		op = "oci.manifest.get"
		if !strings.Contains(reference, ":") {
			q.Name, q.Tag = name, reference
			return op, q, checkName(name) == nil && names.IsTag(reference)
		}
	} else if name, ok = strings.CutSuffix(rest[:last], "/blobs"); ok {
		op = "oci.blob.get"
	} else {
		return "", Request{}, false
	}
	d, err := store.ParseDigest(reference)
	q.Name, q.Digest = name, d
	return op, q, err == nil && checkName(name) == nil
}

// byDigest reports whether a manifest was asked for by digest rather than by tag.
func (q Request) byDigest() bool { return q.Tag == "" }

// reference is the last path component of a manifest request.
func (q *Request) reference() string {
	if q.byDigest() {
		return q.Digest.String()
	}
	return q.Tag
}

// asked is the repository as the client spells it.
func (q *Request) asked() string { return cmp.Or(q.Asked, q.Name) }

func (q *Request) setRoot(v string) error {
	q.Root = "/" + v
	if q.Root == rootV1 {
		return route.ErrOther
	}
	return nil
}

func (q *Request) setName(segs []string) error {
	q.Name = strings.Join(segs, "/")
	return checkName(q.Name)
}

func (q *Request) setPrefix(segs []string) error {
	q.Prefix = strings.Join(segs, "/")
	return checkName(q.Prefix)
}

func (q *Request) setTag(s string) error {
	q.Tag = s
	return checkTag(s)
}

// setReference takes a tag or a digest: a colon makes it a digest, since no tag has one.
func (q *Request) setReference(s string) error {
	if strings.Contains(s, ":") {
		return q.setDigest(s)
	}
	q.Tag = s
	return checkTag(s)
}

func (q *Request) setDigest(s string) (err error) {
	q.Digest, err = parseDigest(s)
	return err
}

// setUpload bounds what is looked up in the session table; it never becomes a file name unseen.
func (q *Request) setUpload(s string) error {
	q.Upload = s
	if !names.IsUpload(s) {
		return faultf(codeUploadInvalid, problem.ErrBadPath, "the upload id is malformed")
	}
	return nil
}

// parseNamespace reads what every request about a repository may have. Parameters that an operation does not know are
// ignored, as clients add their own (origin=, _state=).
func (q *Request) parseNamespace(v url.Values) error {
	q.Namespace = v.Get("ns")
	return nil
}

// parsePage reads the parameters of a list.
func (q *Request) parsePage(v url.Values) error {
	q.Last = v.Get("last")
	if q.Name != "" {
		q.Namespace = v.Get("ns")
	}
	return q.parseN(v)
}

func (q *Request) parseSearch(v url.Values) error {
	q.Query = v.Get("q")
	return q.parsePage(v)
}

func (q *Request) parseReferrers(v url.Values) error {
	q.Types = v["artifactType"]
	if len(q.Types) > maxFilter {
		return faultf(codeUnsupported, problem.ErrBadPath, "at most %d artifactType filters are supported", maxFilter)
	}
	return q.parsePage(v)
}

func (q *Request) parseTags(v url.Values) error {
	q.Namespace = v.Get("ns")
	tags := v["tag"]
	if len(tags) == 0 {
		return nil
	}
	if !q.byDigest() {
		return faultf(codeManifestInvalid, problem.ErrBadPath, "tag parameters need a manifest pushed by digest")
	}
	if len(tags) > maxTags {
		return faultf(codeManifestInvalid, errTooManyTags, "at most %d tags can be pushed at once", maxTags)
	}
	for _, t := range tags {
		if err := checkTag(t); err != nil {
			return err
		}
		if !slices.Contains(q.Tags, t) {
			q.Tags = append(q.Tags, t)
		}
	}
	return nil
}

func (q *Request) parseStart(v url.Values) error {
	if alg := v.Get("digest-algorithm"); alg != "" {
		q.Algorithm = digest.Algorithm(alg)
		if q.Algorithm != digest.SHA256 && q.Algorithm != digest.SHA512 {
			return faultf(codeDigestInvalid, problem.ErrBadPath,
				"digest algorithm %.80q is not supported, only sha256 and sha512 are", alg)
		}
	}
	if q.Mount = v.Get("mount"); q.Mount != "" {
		q.From = v.Get("from")
		q.Anonymous = !v.Has("from")
	}
	return q.parseDigest(v)
}

// parseDigest leaves Digest empty when the parameter is absent; whether that is allowed the handler knows.
func (q *Request) parseDigest(v url.Values) error {
	q.Namespace = v.Get("ns")
	if s := v.Get("digest"); s != "" {
		return q.setDigest(s)
	}
	return nil
}

func (q *Request) parseHistory(v url.Values) error {
	if err := q.parseDigest(v); err != nil {
		return err
	}
	q.Before, q.Since, q.Last = v.Get("before"), v.Get("since"), v.Get("last")
	for _, s := range [...]string{q.Before, q.Since} {
		if _, err := parseTime(s); err != nil {
			return faultf(codeUnsupported, problem.ErrBadPath, "%.60q is not an RFC 3339 time", s)
		}
	}
	return q.parseN(v)
}

// parseN clamps large page sizes instead of refusing them; only what is not a number at all is an error.
func (q *Request) parseN(v url.Values) error {
	s := v.Get("n")
	if s == "" {
		return nil
	}
	n, err := strconv.Atoi(s)
	if errors.Is(err, strconv.ErrRange) && s[0] != '-' {
		n, err = maxPage, nil
	}
	if err != nil || n < 0 {
		return faultf(codePaginationInvalid, problem.ErrBadPath, "n must be a number that is not negative")
	}
	q.N = min(n, maxPage)
	return nil
}

// format writes all parameters but digest, which some paths have.
func (q *Request) format(v url.Values) {
	for key, value := range map[string]string{
		"last": q.Last, "ns": q.Namespace, "q": q.Query, "before": q.Before, "since": q.Since, "mount": q.Mount,
		"digest-algorithm": q.Algorithm.String(),
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.N >= 0 {
		v.Set("n", strconv.Itoa(q.N))
	}
	if q.Mount != "" && !q.Anonymous {
		v.Set("from", q.From)
	}
	if len(q.Tags) > 0 {
		v["tag"] = q.Tags
	}
	if len(q.Types) > 0 {
		v["artifactType"] = q.Types
	}
}

func (q *Request) formatDigest(v url.Values) {
	q.format(v)
	if q.Digest != "" {
		v.Set("digest", q.Digest.String())
	}
}

// at is the address of something else in the repository of q: relative, so that no proxy in between can make it wrong.
func (s *server) at(op string, q, other Request) string {
	other.Root, other.Name, other.Asked, other.Namespace, other.N = q.Root, q.Name, q.Asked, q.Namespace, -1
	return s.table.Link(op, other)
}

// blobPath is where a blob can be pulled, manifestPath where a manifest can, and uploadPath where a session goes on.
func (s *server) blobPath(q Request, d digest.Digest) string {
	return s.at("oci.blob.get", q, Request{Digest: d})
}

func (s *server) manifestPath(q Request, d digest.Digest) string {
	return s.at("oci.manifest.get", q, Request{Digest: d})
}

func (s *server) uploadPath(q Request, id string) string {
	return s.at("oci.upload.status", q, Request{Upload: id})
}

// parseDigest is store.ParseDigest with this protocol's error.
func parseDigest(s string) (digest.Digest, error) {
	d, err := store.ParseDigest(s)
	if err != nil {
		return "", faultf(codeDigestInvalid, problem.ErrBadPath, "%s", problem.Public(err))
	}
	return d, nil
}
