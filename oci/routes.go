package oci

// The grammar of paths and queries: no handler, no store, no clock in this file.
// Paths are read from the right, because a repository may itself contain components called manifests, blobs, tags or uploads.

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
	"larder/store"
)

// The operations. Their names are stable: the audit log and the metrics use them.
const (
	opPing         = "oci.ping"
	opToken        = "oci.token"
	opGrant        = "oci.grant"
	opCatalog      = "oci.catalog"
	opRepositories = "oci.repositories"
	opDiscover     = "oci.discover"
	opRepoDiscover = "oci.repo.discover"
	opV1Ping       = "oci.v1.ping"
	opSearch       = "oci.v1.search"
	opManifestGet  = "oci.manifest.get"
	opManifestPut  = "oci.manifest.put"
	opManifestDel  = "oci.manifest.delete"
	opBlobGet      = "oci.blob.get"
	opBlobDel      = "oci.blob.delete"
	opUploadStart  = "oci.upload.start"
	opUploadStatus = "oci.upload.status"
	opUploadPatch  = "oci.upload.patch"
	opUploadCommit = "oci.upload.commit"
	opUploadCancel = "oci.upload.cancel"
	opTags         = "oci.tags"
	opReferrers    = "oci.referrers"
	opHistory      = "oci.tag.history"
	opRestore      = "oci.tag.restore"
)

// shape is a kind of path; with a method it makes an operation.
type shape int

const (
	shapePing shape = iota
	shapeToken
	shapeCatalog
	shapeRepositories
	shapeDiscover
	shapeRepoDiscover
	shapeV1Ping
	shapeSearch
	shapeManifest
	shapeBlob
	shapeUploads
	shapeUpload
	shapeTags
	shapeReferrers
	shapeHistory
)

// routes lists which methods a shape answers. GET stands for HEAD too.
var routes = [...]struct {
	shape  shape
	method string
	op     string
}{
	{shapePing, http.MethodGet, opPing},
	{shapeToken, http.MethodGet, opToken},
	{shapeToken, http.MethodPost, opGrant},
	{shapeCatalog, http.MethodGet, opCatalog},
	{shapeRepositories, http.MethodGet, opRepositories},
	{shapeDiscover, http.MethodGet, opDiscover},
	{shapeRepoDiscover, http.MethodGet, opRepoDiscover},
	{shapeV1Ping, http.MethodGet, opV1Ping},
	{shapeSearch, http.MethodGet, opSearch},
	{shapeManifest, http.MethodGet, opManifestGet},
	{shapeManifest, http.MethodPut, opManifestPut},
	{shapeManifest, http.MethodDelete, opManifestDel},
	{shapeBlob, http.MethodGet, opBlobGet},
	{shapeBlob, http.MethodDelete, opBlobDel},
	{shapeUploads, http.MethodPost, opUploadStart},
	{shapeUpload, http.MethodGet, opUploadStatus},
	{shapeUpload, http.MethodPatch, opUploadPatch},
	{shapeUpload, http.MethodPut, opUploadCommit},
	{shapeUpload, http.MethodDelete, opUploadCancel},
	{shapeTags, http.MethodGet, opTags},
	{shapeReferrers, http.MethodGet, opReferrers},
	{shapeHistory, http.MethodGet, opHistory},
	{shapeHistory, http.MethodPost, opRestore},
}

// The roots. /oci is an alias of /v2 (DESIGN §8); /v1 is what docker search and podman search ask first.
const (
	rootV2    = "/v2"
	rootAlias = "/oci"
	rootV1    = "/v1"
)

const (
	maxPage   = 10_000 // entries of one page of tags or repositories, whatever n says (CVE-2023-2253)
	maxTags   = 100    // ?tag= parameters of one manifest PUT; the spec asks for at least 10
	maxFilter = 50     // ?artifactType= parameters of one referrers request
	maxUpload = 64     // bytes of an upload id; ours are UUIDs of 36
)

// Request is a parsed request line. Which fields count depends on the operation.
type Request struct {
	Op     string
	Root   string        // /v2, /oci or /v1: Location headers stay under the root that was asked
	Name   string        // repository; for opRepositories a prefix of whole components, possibly empty
	Asked  string        // what stands in the path, once resolve has found that Name is served for it; else empty
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

	from elsewhere // the upstream's repository that is served, once resolved; the zero value for what is here
}

// ofRepository reports whether the request is about one repository, the one it names.
func (q Request) ofRepository() bool {
	switch q.Op {
	case opPing, opToken, opGrant, opCatalog, opRepositories, opDiscover, opV1Ping, opSearch:
		return false
	}
	return true
}

// byDigest reports whether a manifest was asked for by digest rather than by tag.
func (q Request) byDigest() bool { return q.Tag == "" }

// reference is the last path component of a manifest request.
func (q Request) reference() string {
	if q.byDigest() {
		return q.Digest.String()
	}
	return q.Tag
}

// parse reads a request line. Its error is a *fault that wraps problem.ErrBadPath, problem.ErrNoRoute or problem.ErrMethod.
func parse(method, escapedPath string, query url.Values) (string, Request, error) {
	q, sh, err := parsePath(escapedPath)
	if err != nil {
		return "", q, err
	}
	if q.Op = operation(sh, method); q.Op == "" {
		return "", q, faultf(codeUnsupported, problem.ErrMethod, "%s is not supported here", method)
	}
	if err := q.parseQuery(query); err != nil {
		return q.Op, q, err
	}
	return q.Op, q, nil
}

// operation returns the operation of a shape and method, "" when there is none.
func operation(sh shape, method string) string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, r := range routes {
		if r.shape == sh && r.method == method {
			return r.op
		}
	}
	return ""
}

// allowed lists the methods of a path for the Allow header of a 405, without the one that was refused.
func allowed(escapedPath, refused string) string {
	_, sh, err := parsePath(escapedPath)
	if err != nil {
		return ""
	}
	var out []string
	for _, r := range routes {
		if r.shape == sh && r.method != refused {
			out = append(out, r.method)
		}
	}
	if slices.Contains(out, http.MethodGet) {
		out = append(out, http.MethodHead)
	}
	return strings.Join(out, ", ")
}

var errNoEndpoint = errors.New("no such end point")

func noRoute() error {
	return faultf(codeNameUnknown, problem.ErrNoRoute, "%s", errNoEndpoint.Error())
}

// splitPath cuts the root off and decodes the components. Only the last one may be empty.
func splitPath(escaped string) (root string, segs []string, err error) {
	for _, r := range [...]string{rootV2, rootAlias, rootV1} {
		rest, ok := strings.CutPrefix(escaped, r)
		if !ok || (rest != "" && rest[0] != '/') {
			continue
		}
		if rest == "" || rest == "/" {
			return r, nil, nil
		}
		segs = strings.Split(rest[1:], "/")
		plain := isPlain(rest)
		for i, s := range segs {
			last := i == len(segs)-1
			if plain && s != "" && s[0] != '.' {
				continue
			}
			if segs[i], err = decodeSegment(s, last); err != nil {
				return "", nil, err
			}
		}
		return r, segs, nil
	}
	return "", nil, noRoute()
}

// isPlain reports whether s has nothing to decode and nothing that decodeSegment refuses but dots.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '%' || c == '\\' || c == 0 {
			return false
		}
	}
	return true
}

func decodeSegment(s string, last bool) (string, error) {
	d, err := url.PathUnescape(s)
	if err != nil || strings.ContainsAny(d, "/\x00\\") || d == "." || d == ".." || (d == "" && !last) {
		return "", faultf(codeNameInvalid, problem.ErrBadPath, "the path is malformed")
	}
	return d, nil
}

// parsePath recognises the shape of a path and validates its parts.
func parsePath(escaped string) (Request, shape, error) {
	q := Request{N: -1}
	root, segs, err := splitPath(escaped)
	if err != nil {
		return q, 0, err
	}
	q.Root = root
	if root == rootV1 {
		sh, err := parseV1(segs)
		return q, sh, err
	}
	if len(segs) == 0 {
		return q, shapePing, nil
	}
	if sh, ok := parseFixed(&q, segs); ok {
		return q, sh, q.checkPrefix(sh)
	}
	return parseRepo(q, segs)
}

func parseV1(segs []string) (shape, error) {
	switch strings.Join(segs, "/") {
	case "_ping":
		return shapeV1Ping, nil
	case "search":
		return shapeSearch, nil
	}
	return 0, noRoute()
}

// parseFixed recognises the paths that are not about one repository.
func parseFixed(q *Request, segs []string) (shape, bool) {
	if last := segs[len(segs)-1]; last != "token" && last != "repositories" && !strings.HasPrefix(segs[0], "_") {
		return 0, false // nothing to put together, as for every pull
	}
	switch path := strings.Join(segs, "/"); {
	case path == "token":
		return shapeToken, true
	case path == "_catalog":
		return shapeCatalog, true
	case path == "_oci/ext/discover":
		return shapeDiscover, true
	case path == "_oci/repositories":
		return shapeRepositories, true
	case strings.HasSuffix(path, "/_oci/repositories"):
		q.Name = strings.TrimSuffix(path, "/_oci/repositories")
		return shapeRepositories, true
	}
	return 0, false
}

func (q *Request) checkPrefix(sh shape) error {
	if sh == shapeRepositories && q.Name != "" {
		return checkName(q.Name)
	}
	return nil
}

// parseRepo recognises the paths below a repository, reading from the right.
func parseRepo(q Request, segs []string) (Request, shape, error) {
	at := func(fromRight int) string {
		if i := len(segs) - fromRight; i >= 0 {
			return segs[i]
		}
		return ""
	}
	last := at(1)
	take := func(n int, sh shape, err error) (Request, shape, error) {
		q.Name = strings.Join(segs[:max(0, len(segs)-n)], "/")
		if nameErr := checkName(q.Name); nameErr != nil {
			return q, 0, nameErr
		}
		return q, sh, err
	}
	switch {
	case at(3) == "blobs" && at(2) == "uploads" && last == "":
		return take(3, shapeUploads, nil)
	case at(2) == "blobs" && last == "uploads":
		return take(2, shapeUploads, nil)
	case at(3) == "blobs" && at(2) == "uploads":
		q.Upload = last
		return take(3, shapeUpload, checkUploadID(last))
	case last == "":
		return q, 0, noRoute()
	case at(2) == "manifests":
		return take(2, shapeManifest, q.setReference(last))
	case at(2) == "blobs":
		return take(2, shapeBlob, q.setDigest(last))
	case at(2) == "referrers":
		return take(2, shapeReferrers, q.setDigest(last))
	case at(2) == "tags" && last == "list":
		return take(2, shapeTags, nil)
	case at(3) == "_oci" && at(2) == "ext" && last == "discover":
		return take(3, shapeRepoDiscover, nil)
	case at(3) == "_oci" && at(2) == "tag-history":
		q.Tag = last
		return take(3, shapeHistory, checkTag(last))
	}
	return q, 0, noRoute()
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

// checkUploadID bounds what is looked up in the session table; it never becomes a file name unseen.
func checkUploadID(s string) error {
	if len(s) > maxUpload || strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return faultf(codeUploadInvalid, problem.ErrBadPath, "the upload id is malformed")
	}
	return nil
}

// parseQuery reads the parameters the operation knows; others are ignored, as clients add their own (origin=, _state=).
func (q *Request) parseQuery(v url.Values) error {
	if q.ofRepository() {
		q.Namespace = v.Get("ns")
	}
	switch q.Op {
	case opManifestPut:
		return q.parseTags(v["tag"])
	case opUploadStart:
		return q.parseStart(v)
	case opUploadCommit, opRestore:
		return q.parseDigestParam(v)
	case opCatalog, opRepositories, opTags, opSearch:
		q.Last, q.Query = v.Get("last"), v.Get("q")
		if q.Op != opSearch {
			q.Query = ""
		}
		return q.parseN(v)
	case opReferrers:
		q.Last = v.Get("last")
		q.Types = v["artifactType"]
		if len(q.Types) > maxFilter {
			return faultf(codeUnsupported, problem.ErrBadPath, "at most %d artifactType filters are supported", maxFilter)
		}
		return q.parseN(v)
	case opHistory:
		return q.parseHistory(v)
	}
	return nil
}

func (q *Request) parseTags(tags []string) error {
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
			return faultf(codeDigestInvalid, problem.ErrBadPath, "digest algorithm %.80q is not supported, only sha256 and sha512 are", alg)
		}
	}
	if q.Mount = v.Get("mount"); q.Mount != "" {
		q.From = v.Get("from")
		q.Anonymous = !v.Has("from")
	}
	return q.parseDigestParam(v)
}

// parseDigestParam leaves Digest empty when the parameter is absent; whether that is allowed the handler knows.
func (q *Request) parseDigestParam(v url.Values) error {
	if s := v.Get("digest"); s != "" {
		return q.setDigest(s)
	}
	return nil
}

func (q *Request) parseHistory(v url.Values) error {
	if err := q.parseDigestParam(v); err != nil {
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

// link is the inverse of parse: the path and query that parse to q.
func link(q Request) string {
	path, v := q.path(), q.values()
	if len(v) > 0 {
		return path + "?" + v.Encode()
	}
	return path
}

func (q Request) path() string {
	repo := q.Root + "/" + cmp.Or(q.Asked, q.Name)
	switch q.Op {
	case opPing:
		return q.Root + "/"
	case opToken, opGrant:
		return q.Root + "/token"
	case opCatalog:
		return q.Root + "/_catalog"
	case opRepositories:
		return strings.TrimSuffix(repo, "/") + "/_oci/repositories"
	case opDiscover:
		return q.Root + "/_oci/ext/discover"
	case opRepoDiscover:
		return repo + "/_oci/ext/discover"
	case opV1Ping:
		return q.Root + "/_ping"
	case opSearch:
		return q.Root + "/search"
	case opManifestGet, opManifestPut, opManifestDel:
		return repo + "/manifests/" + q.reference()
	case opBlobGet, opBlobDel:
		return repo + "/blobs/" + q.Digest.String()
	case opUploadStart:
		return repo + "/blobs/uploads/"
	case opUploadStatus, opUploadPatch, opUploadCommit, opUploadCancel:
		return repo + "/blobs/uploads/" + q.Upload
	case opTags:
		return repo + "/tags/list"
	case opReferrers:
		return repo + "/referrers/" + q.Digest.String()
	case opHistory, opRestore:
		return repo + "/_oci/tag-history/" + q.Tag
	}
	return q.Root
}

func (q Request) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("last", q.Last)
	set("ns", q.Namespace)
	set("q", q.Query)
	set("before", q.Before)
	set("since", q.Since)
	set("mount", q.Mount)
	set("digest-algorithm", q.Algorithm.String())
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
	switch q.Op {
	case opUploadStart, opUploadCommit, opRestore, opHistory:
		set("digest", q.Digest.String())
	}
	return v
}

// blobPath and manifestPath are where pushed content can be pulled: relative, so that no proxy in between can make them wrong.
func (q Request) blobPath(d digest.Digest) string {
	return link(
		Request{Op: opBlobGet, Root: q.Root, Name: q.Name, Asked: q.Asked, Namespace: q.Namespace, Digest: d, N: -1},
	)
}

func (q Request) manifestPath(d digest.Digest) string {
	return link(
		Request{Op: opManifestGet, Root: q.Root, Name: q.Name, Asked: q.Asked, Namespace: q.Namespace, Digest: d, N: -1},
	)
}

// uploadPath is the Location of an upload session.
func (q Request) uploadPath(id string) string {
	return link(
		Request{Op: opUploadStatus, Root: q.Root, Name: q.Name, Asked: q.Asked, Namespace: q.Namespace, Upload: id, N: -1},
	)
}

// parseDigest is store.ParseDigest with this protocol's error.
func parseDigest(s string) (digest.Digest, error) {
	d, err := store.ParseDigest(s)
	if err != nil {
		return "", faultf(codeDigestInvalid, problem.ErrBadPath, "%s", problem.Public(err))
	}
	return d, nil
}
