package oci

// How paths and queries become requests, and back.

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"larder/internal/problem"
	"larder/internal/wiretest"
)

const (
	someHex    = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	someDigest = "sha256:" + someHex
	someSHA512 = "sha512:" + someHex + someHex
)

// TestEveryPathIsReadAndLinksBack covers the table of end points, below /v2 and below its alias.
func TestEveryPathIsReadAndLinksBack(t *testing.T) {
	cases := []struct{ method, path, op, name, rest string }{
		{"GET", "/v2", "oci.ping", "", ""},
		{"HEAD", "/v2/", "oci.ping", "", ""},
		{"GET", "/v2/token?scope=x", "oci.token", "", ""},
		{"POST", "/v2/token", "oci.grant", "", ""},
		{"GET", "/v2/_catalog?n=1000", "oci.catalog", "", ""},
		{"GET", "/v2/_oci/ext/discover", "oci.discover", "", ""},
		{"GET", "/v2/_oci/repositories", "oci.repositories", "", ""},
		{"GET", "/v2/a/b/_oci/repositories", "oci.repositories", "a/b", ""},
		{"GET", "/v2/a/b/_oci/ext/discover", "oci.repo.discover", "a/b", ""},
		{"GET", "/v2/a/_oci/tag-history/v1", "oci.tag.history", "a", "v1"},
		{"POST", "/v2/a/_oci/tag-history/v1", "oci.tag.restore", "a", "v1"},
		{"GET", "/v1/_ping", "oci.v1.ping", "", ""},
		{"GET", "/v1/search?q=x", "oci.v1.search", "", ""},
		{"GET", "/v2/a/manifests/latest", "oci.manifest.get", "a", "latest"},
		{"HEAD", "/v2/a/b-c/d__e/manifests/" + someDigest, "oci.manifest.get", "a/b-c/d__e", someDigest},
		{"PUT", "/v2/a/manifests/" + someSHA512 + "?tag=x&tag=y", "oci.manifest.put", "a", someSHA512},
		{"DELETE", "/v2/a/manifests/x", "oci.manifest.delete", "a", "x"},
		{"GET", "/v2/a/blobs/" + someDigest, "oci.blob.get", "a", someDigest},
		{"GET", "/v2/a/blobs/sha256%3A" + someHex, "oci.blob.get", "a", someDigest},
		{"DELETE", "/v2/a/blobs/" + someDigest, "oci.blob.delete", "a", someDigest},
		{"POST", "/v2/a/blobs/uploads/", "oci.upload.start", "a", ""},
		{"POST", "/v2/a/blobs/uploads", "oci.upload.start", "a", ""},
		{"PATCH", "/v2/a/blobs/uploads/0198-ab", "oci.upload.patch", "a", "0198-ab"},
		{"PUT", "/v2/a/blobs/uploads/x?_state=1&digest=" + someDigest, "oci.upload.commit", "a", "x"},
		{"GET", "/v2/a/blobs/uploads/x", "oci.upload.status", "a", "x"},
		{"DELETE", "/v2/a/blobs/uploads/x", "oci.upload.cancel", "a", "x"},
		{"GET", "/v2/a/tags/list", "oci.tags", "a", ""},
		{"GET", "/v2/a/referrers/" + someDigest, "oci.referrers", "a", someDigest},
		// Read from the right: repositories may have components called like ours.
		{"GET", "/v2/blobs/uploads/manifests/latest", "oci.manifest.get", "blobs/uploads", "latest"},
		{"GET", "/v2/a/blobs/uploads/tags/list", "oci.tags", "a/blobs/uploads", ""},
		{"POST", "/v2/a/manifests/blobs/uploads/", "oci.upload.start", "a/manifests", ""},
		{"POST", "/v2/a/blobs/uploads/blobs/uploads", "oci.upload.start", "a/blobs/uploads", ""},
		{"GET", "/v2/a/tags/manifests/list", "oci.manifest.get", "a/tags", "list"},
		{"GET", "/v2/token/tags/list", "oci.tags", "token", ""},
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
			if op != "oci.upload.commit" {
				rest += q.Digest.String()
			}
			if name := q.Name + q.Prefix; op != c.op || name != c.name || rest != c.rest {
				t.Errorf("%s %s: %s %q %q, want %s %q %q", c.method, path, op, name, rest, c.op, c.name, c.rest)
			}
			roundTrip(t, c.method, path)
		}
	}
}

// table is the routes, compiled.
var table = (&server{}).endpoint().Table()

// parse reads a request line as the dispatcher does.
func parse(method, escaped string, query url.Values) (op string, q Request, err error) {
	i, q, err := table.Parse(method, escaped, query)
	if err != nil {
		return "", q, err
	}
	return table.Row(i).Op, q, nil
}

func parseURL(t testing.TB, method, raw string) (string, Request, error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return parse(method, u.EscapedPath(), u.Query())
}

// roundTrip checks that a link leads back.
func roundTrip(t testing.TB, method, raw string) {
	t.Helper()
	op, q, err := parseURL(t, method, raw)
	if err != nil {
		return
	}
	back := table.Link(op, q)
	op2, again, err := parseURL(t, method, back)
	if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
		t.Errorf("%s %s → %s\n%+v\n%+v %v", method, raw, back, q, again, err)
	}
}

// TestMisfitsAreToldApart: what is not of the grammar never reaches a handler.
func TestMisfitsAreToldApart(t *testing.T) {
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
		{
			"GET", "/v2/a/referrers/" + someDigest + "?" + strings.Repeat("artifactType=a&", 51), problem.ErrBadPath,
			codeUnsupported,
		},
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

// TestPageSizeIsClamped: a page size is clamped, never an allocation (CVE-2023-2253).
func TestPageSizeIsClamped(t *testing.T) {
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

// TestMalformedMountParametersMountNothing: whatever is wrong with a mount, it only means that nothing is mounted.
func TestMalformedMountParametersMountNothing(t *testing.T) {
	_, q, err := parseURL(t, "POST", "/v2/a/blobs/uploads/?mount=nonsense&from=BAD&origin=x")
	if err != nil || q.Mount != "nonsense" || q.From != "BAD" || q.Anonymous {
		t.Errorf("a malformed mount is read as %+v, %v; want it as it is", q, err)
	}
	if _, q, _ := parseURL(t, "POST", "/v2/a/blobs/uploads/?mount="+someDigest); !q.Anonymous {
		t.Error("a mount without from is not anonymous")
	}
	if _, q, _ := parseURL(t, "POST", "/v2/a/blobs/uploads/?mount="+someDigest+"&from="); q.Anonymous {
		t.Error("a mount with an empty from is anonymous")
	}
}

// TestDocTable: the table of the package comment is that of the routes.
func TestDocTable(t *testing.T) { wiretest.DocTable(t, (&server{}).routes()) }

// TestAllowNamesOtherMethods: the Allow header of a 405 names what would work.
func TestAllowNamesOtherMethods(t *testing.T) {
	s := &server{table: table}
	for line, want := range map[string]string{
		"DELETE /v2/a/manifests/x": "GET, PUT, HEAD",
		"GET /v2/A/manifests/x":    "", // no path at all
	} {
		method, path, _ := strings.Cut(line, " ")
		if a := s.allowed(httptest.NewRequest(method, path, nil)); a != want {
			t.Errorf("%s: Allow %q, want %q", line, a, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/v2/", "/v2/a/b/manifests/latest", "/v2/a/manifests/" + someDigest + "?tag=x&tag=y", "/oci/a/blobs/" + someDigest,
		"/v2/a/blobs/uploads/?mount=" + someDigest + "&from=b", "/v2/a/blobs/uploads/x?digest=" + someSHA512,
		"/v2/a/tags/list?n=5&last=z", "/v2/a/referrers/" + someDigest + "?artifactType=a&artifactType=b&n=1&last=x",
		"/v2/a/_oci/tag-history/v1?before=2026-01-02T03:04:05Z&n=3", "/v2/x/_oci/repositories?n=1", "/v1/search?q=a+b&n=1",
		"/v2/blobs/uploads/manifests/x", "/v2/%2e%2e/blobs/uploads/",
		"/v2/a/blobs/uploads/?digest-algorithm=sha512&mount=&from=",
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
		back := table.Link(op, q)
		p2, q2, _ := strings.Cut(back, "?")
		v2, err := url.ParseQuery(q2)
		if err != nil {
			t.Fatal(err)
		}
		op2, again, err := parse(method, p2, v2)
		if err != nil || op2 != op || !reflect.DeepEqual(q, again) {
			t.Fatalf("%s %q → %q:\n%+v\n%+v %v", method, raw, back, q, again, err)
		}
	})
}
