package oci

import (
	"errors"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
)

const (
	someHex    = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	someDigest = "sha256:" + someHex
	someSHA512 = "sha512:" + someHex + someHex
)

// TestA3_EveryPathParses covers the table of end points, below /v2 and below its alias.
func TestA3_EveryPathParses(t *testing.T) {
	cases := []struct{ method, path, op, name, rest string }{
		{"GET", "/v2", opPing, "", ""},
		{"HEAD", "/v2/", opPing, "", ""},
		{"GET", "/v2/token?scope=x", opToken, "", ""},
		{"POST", "/v2/token", opGrant, "", ""},
		{"GET", "/v2/_catalog?n=1000", opCatalog, "", ""},
		{"GET", "/v2/_oci/ext/discover", opDiscover, "", ""},
		{"GET", "/v2/_oci/repositories", opRepositories, "", ""},
		{"GET", "/v2/a/b/_oci/repositories", opRepositories, "a/b", ""},
		{"GET", "/v2/a/b/_oci/ext/discover", opRepoDiscover, "a/b", ""},
		{"GET", "/v2/a/_oci/tag-history/v1", opHistory, "a", "v1"},
		{"POST", "/v2/a/_oci/tag-history/v1", opRestore, "a", "v1"},
		{"GET", "/v1/_ping", opV1Ping, "", ""},
		{"GET", "/v1/search?q=x", opSearch, "", ""},
		{"GET", "/v2/a/manifests/latest", opManifestGet, "a", "latest"},
		{"HEAD", "/v2/a/b-c/d__e/manifests/" + someDigest, opManifestGet, "a/b-c/d__e", someDigest},
		{"PUT", "/v2/a/manifests/" + someSHA512 + "?tag=x&tag=y", opManifestPut, "a", someSHA512},
		{"DELETE", "/v2/a/manifests/x", opManifestDel, "a", "x"},
		{"GET", "/v2/a/blobs/" + someDigest, opBlobGet, "a", someDigest},
		{"GET", "/v2/a/blobs/sha256%3A" + someHex, opBlobGet, "a", someDigest},
		{"DELETE", "/v2/a/blobs/" + someDigest, opBlobDel, "a", someDigest},
		{"POST", "/v2/a/blobs/uploads/", opUploadStart, "a", ""},
		{"POST", "/v2/a/blobs/uploads", opUploadStart, "a", ""},
		{"PATCH", "/v2/a/blobs/uploads/0198-ab", opUploadPatch, "a", "0198-ab"},
		{"PUT", "/v2/a/blobs/uploads/x?_state=1&digest=" + someDigest, opUploadCommit, "a", "x"},
		{"GET", "/v2/a/blobs/uploads/x", opUploadStatus, "a", "x"},
		{"DELETE", "/v2/a/blobs/uploads/x", opUploadCancel, "a", "x"},
		{"GET", "/v2/a/tags/list", opTags, "a", ""},
		{"GET", "/v2/a/referrers/" + someDigest, opReferrers, "a", someDigest},
		// A1, routing from the right: repositories may have components called like ours.
		{"GET", "/v2/blobs/uploads/manifests/latest", opManifestGet, "blobs/uploads", "latest"},
		{"GET", "/v2/a/blobs/uploads/tags/list", opTags, "a/blobs/uploads", ""},
		{"POST", "/v2/a/manifests/blobs/uploads/", opUploadStart, "a/manifests", ""},
		{"POST", "/v2/a/blobs/uploads/blobs/uploads", opUploadStart, "a/blobs/uploads", ""},
		{"GET", "/v2/a/tags/manifests/list", opManifestGet, "a/tags", "list"},
		{"GET", "/v2/token/tags/list", opTags, "token", ""},
	}
	for _, c := range cases {
		for _, root := range []string{rootV2, rootAlias} {
			path := root + strings.TrimPrefix(c.path, rootV2)
			if strings.HasPrefix(c.path, rootV1) {
				path = c.path
			}
			op, q, err := parseURL(t, c.method, path)
			if err != nil {
				t.Errorf("%s %s: %v", c.method, path, err)
				continue
			}
			rest := q.Upload + q.Tag
			if op != opUploadCommit {
				rest += q.Digest.String()
			}
			if op != c.op || q.Name != c.name || rest != c.rest {
				t.Errorf("%s %s: %s %q %q, want %s %q %q", c.method, path, op, q.Name, rest, c.op, c.name, c.rest)
			}
			roundTrip(t, c.method, path)
		}
	}
}

func parseURL(t testing.TB, method, raw string) (string, Request, error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return parse(method, u.EscapedPath(), u.Query())
}

// roundTrip checks that link is parse's inverse.
func roundTrip(t testing.TB, method, raw string) {
	t.Helper()
	_, q, err := parseURL(t, method, raw)
	if err != nil {
		return
	}
	_, again, err := parseURL(t, method, link(q))
	if err != nil || !reflect.DeepEqual(q, again) {
		t.Errorf("%s %s → %s\n%+v\n%+v %v", method, raw, link(q), q, again, err)
	}
}

// TestE_PathAttacks: what is not of the grammar never reaches a handler.
func TestE_PathAttacks(t *testing.T) {
	cases := []struct {
		method, path string
		is           error
		code         string
	}{
		{"GET", "/v2/../etc/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a/%2e%2e/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a%2Fb/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a//manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a%00/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a%zz/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/UPPER/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a___b/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/-a/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/_oci/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/" + strings.Repeat("a", 256) + "/manifests/x", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/Bad/_oci/repositories", problem.ErrBadPath, codeNameInvalid},
		{"GET", "/v2/a/manifests/" + strings.Repeat("a", 129), problem.ErrBadPath, codeTagInvalid},
		{"GET", "/v2/a/manifests/.x", problem.ErrBadPath, codeTagInvalid},
		{"GET", "/v2/a/_oci/tag-history/-x", problem.ErrBadPath, codeTagInvalid},
		{"GET", "/v2/a/manifests/sha256:abc", problem.ErrBadPath, codeDigestInvalid},
		{"GET", "/v2/a/manifests/sha256:" + strings.ToUpper(someHex), problem.ErrBadPath, codeDigestInvalid},
		{"GET", "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", problem.ErrBadPath, codeDigestInvalid},
		{"GET", "/v2/a/blobs/latest", problem.ErrBadPath, codeDigestInvalid},
		{"GET", "/v2/a/referrers/sha256:x", problem.ErrBadPath, codeDigestInvalid},
		{"GET", "/v2/a/blobs/uploads/a.b", problem.ErrBadPath, codeUploadInvalid},
		{"GET", "/v2/a/blobs/uploads/" + strings.Repeat("a", 65), problem.ErrBadPath, codeUploadInvalid},
		{"GET", "/v2/a/manifests/", problem.ErrNoRoute, codeNameUnknown},
		{"GET", "/v2/a/unknown/x", problem.ErrNoRoute, codeNameUnknown},
		{"GET", "/v1/users", problem.ErrNoRoute, codeNameUnknown},
		{"GET", "/v22/x", problem.ErrNoRoute, codeNameUnknown},
		{"GET", "/elsewhere", problem.ErrNoRoute, codeNameUnknown},
		{"GET", "/v2/a/blobs/uploads/", problem.ErrMethod, codeUnsupported},
		{"POST", "/v2/a/manifests/x", problem.ErrMethod, codeUnsupported},
		{"OPTIONS", "/v2/", problem.ErrMethod, codeUnsupported},
		{"GET", "/v2/a/tags/list?n=x", problem.ErrBadPath, codePaginationInvalid},
		{"GET", "/v2/a/tags/list?n=-1", problem.ErrBadPath, codePaginationInvalid},
		{"GET", "/v2/a/_oci/tag-history/x?before=yesterday", problem.ErrBadPath, codeUnsupported},
		{"GET", "/v2/a/_oci/tag-history/x?digest=z", problem.ErrBadPath, codeDigestInvalid},
		{"GET", "/v2/a/referrers/" + someDigest + "?" + strings.Repeat("artifactType=a&", 51), problem.ErrBadPath, codeUnsupported},
		{"PUT", "/v2/a/manifests/x?tag=y", problem.ErrBadPath, codeManifestInvalid},
		{"PUT", "/v2/a/manifests/" + someDigest + "?tag=.y", problem.ErrBadPath, codeTagInvalid},
		{"PUT", "/v2/a/manifests/" + someDigest + "?" + strings.Repeat("tag=x&", 101), errTooManyTags, codeManifestInvalid},
		{"POST", "/v2/a/blobs/uploads/?digest-algorithm=md5", problem.ErrBadPath, codeDigestInvalid},
		{"POST", "/v2/a/blobs/uploads/?digest=md5:x", problem.ErrBadPath, codeDigestInvalid},
		{"PUT", "/v2/a/blobs/uploads/x?digest=sha256:x", problem.ErrBadPath, codeDigestInvalid},
	}
	for _, c := range cases {
		path, query, _ := strings.Cut(c.path, "?")
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = parse(c.method, path, v)
		var f *fault
		if !errors.Is(err, c.is) || !errors.As(err, &f) || f.code != c.code {
			t.Errorf("%s %s: %v, want %v %s", c.method, c.path, err, c.is, c.code)
		}
	}
}

// TestE_HugeN: a page size is clamped, never an allocation (CVE-2023-2253).
func TestE_HugeN(t *testing.T) {
	for _, n := range []string{"100000", "9223372036854775807", "99999999999999999999999"} {
		_, q, err := parseURL(t, "GET", "/v2/a/tags/list?n="+n)
		if err != nil || q.N != maxPage {
			t.Errorf("n=%s: %d, %v", n, q.N, err)
		}
	}
	if _, q, err := parseURL(t, "GET", "/v2/a/tags/list?n=0"); err != nil || q.N != 0 {
		t.Errorf("n=0: %d, %v", q.N, err)
	}
}

// TestA3_MountParameters: whatever is wrong with a mount, it only means that nothing is mounted.
func TestA3_MountParameters(t *testing.T) {
	_, q, err := parseURL(t, "POST", "/v2/a/blobs/uploads/?mount=nonsense&from=BAD&origin=x")
	if err != nil || q.Mount != "nonsense" || q.From != "BAD" || q.Anonymous {
		t.Errorf("%+v, %v", q, err)
	}
	if _, q, _ := parseURL(t, "POST", "/v2/a/blobs/uploads/?mount="+someDigest); !q.Anonymous {
		t.Error("a mount without from is not anonymous")
	}
	if _, q, _ := parseURL(t, "POST", "/v2/a/blobs/uploads/?mount="+someDigest+"&from="); q.Anonymous {
		t.Error("a mount with an empty from is anonymous")
	}
}

// docTable reads the wire table out of the package comment.
func docTable(t *testing.T) (rows [][]string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range new(comment.Parser).Parse(f.Doc.Text()).Content {
		code, ok := b.(*comment.Code)
		if !ok {
			continue
		}
		for line := range strings.Lines(code.Text) {
			rows = append(rows, strings.Fields(line))
		}
	}
	return rows
}

// TestDocTable compares doc.go with the routes and with the operations.
func TestDocTable(t *testing.T) {
	fill := strings.NewReplacer("/N/", "/some/repo/", "/R", "/latest", "/D", "/"+someDigest, "/U", "/0198-ab", "/T", "/v1")
	seen := map[string]bool{}
	for _, row := range docTable(t) {
		if len(row) < 5 {
			t.Errorf("short row %q", row)
			continue
		}
		op, _, err := parseURL(t, row[0], fill.Replace(row[1]))
		if err != nil || op != row[2] {
			t.Errorf("%s %s is %q (%v), doc.go says %s", row[0], row[1], op, err, row[2])
		}
		seen[row[2]] = true
	}
	ops := map[string]bool{}
	for _, o := range (&server{}).operations() {
		ops[o.Op] = true
		if !seen[o.Op] {
			t.Errorf("operation %s is not in doc.go", o.Op)
		}
	}
	for _, r := range routes {
		if !ops[r.op] {
			t.Errorf("route %s has no operation", r.op)
		}
	}
	if len(ops) != len(routes) {
		t.Errorf("%d operations, %d routes", len(ops), len(routes))
	}
}

// TestAllowed: the Allow header of a 405 names what would work.
func TestAllowed(t *testing.T) {
	if a := allowed("/v2/a/manifests/x", "DELETE"); a != "GET, PUT, HEAD" {
		t.Errorf("Allow %q", a)
	}
	if a := allowed("/v2/A/manifests/x", "GET"); a != "" {
		t.Errorf("Allow %q for a path that is none", a)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/v2/", "/v2/a/b/manifests/latest", "/v2/a/manifests/" + someDigest + "?tag=x&tag=y", "/oci/a/blobs/" + someDigest,
		"/v2/a/blobs/uploads/?mount=" + someDigest + "&from=b", "/v2/a/blobs/uploads/x?digest=" + someSHA512,
		"/v2/a/tags/list?n=5&last=z", "/v2/a/referrers/" + someDigest + "?artifactType=a&artifactType=b&n=1&last=x",
		"/v2/a/_oci/tag-history/v1?before=2026-01-02T03:04:05Z&n=3", "/v2/x/_oci/repositories?n=1", "/v1/search?q=a+b&n=1",
		"/v2/blobs/uploads/manifests/x", "/v2/%2e%2e/blobs/uploads/", "/v2/a/blobs/uploads/?digest-algorithm=sha512&mount=&from=",
	} {
		for _, m := range []string{"GET", "PUT", "POST", "PATCH", "DELETE"} {
			f.Add(m, s)
		}
	}
	f.Fuzz(func(t *testing.T, method, raw string) {
		path, query, _ := strings.Cut(raw, "?")
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		op, q, err := parse(method, path, v)
		if err != nil {
			var fl *fault
			if !errors.As(err, &fl) || fl.code == "" || problem.Status(err) >= 500 {
				t.Fatalf("error %v is not one of this protocol's", err)
			}
			return
		}
		if typ, name := target(q); typ == typeRepository && checkName(name) != nil {
			t.Fatalf("%s %q: operation %s on the illegal name %q", method, raw, op, name)
		}
		p2, q2, _ := strings.Cut(link(q), "?")
		v2, err := url.ParseQuery(q2)
		if err != nil {
			t.Fatal(err)
		}
		op2, again, err := parse(method, p2, v2)
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, link(q), q, again, err)
		}
	})
}
