package wire

// Answers with a rendered document: which encoding, and when 304.

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"larder/store"
	"larder/store/storetest"
)

// renderDocument makes a document as a protocol would, through the store.
func renderDocument(t testing.TB) *store.Document {
	t.Helper()
	s := storetest.New(t)
	doc, err := s.Document(context.Background(), store.DocKey{
		Kind: store.NPM, Package: "demo", Base: "http://registry.example.com", Format: "full",
	},
		func(context.Context) (store.Rendered, error) {
			return store.Rendered{Body: []byte(`{"name":"demo","filler":"` + strings.Repeat("larder ", 2000) + `"}`),
				Type:     "application/json",
				Modified: time.Date(2024, 5, 1, 12, 0, 0, 500, time.UTC)}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentEncodings(t *testing.T) {
	doc := renderDocument(t)
	tests := []struct{ accept, want string }{
		{"-", ""},
		{"", ""},
		{"identity", ""},
		{"gzip", "gzip"},
		{"x-gzip", "gzip"},
		{"GZIP", "gzip"},
		{"zstd", "zstd"},
		{"gzip, deflate, br, zstd", "zstd"},
		{"zstd;q=0.5, gzip", "gzip"},
		{"zstd;q=0.5, gzip;q=0.4", "zstd"},
		{"gzip;q=0", ""},
		{"gzip; q=0.000, *;q=0.1", "zstd"},
		{"*", "zstd"},
		{"*;q=0", ""},
		{"identity, gzip;q=0.5", ""},
		{"identity;q=0.5, gzip;q=0.5", "gzip"},
		{"identity;q=0", ""},
		{"br, deflate", ""},
		{"gzip;q=nonsense", "gzip"},
		{"gzip;q=NaN", "gzip"},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			r := httptest.NewRequest(method, "/", nil)
			if tt.accept != "-" {
				r.Header.Set("Accept-Encoding", tt.accept)
			}
			w := httptest.NewRecorder()
			if err := ServeDocument(w, r, doc, "no-cache"); err != nil {
				t.Fatal(err)
			}
			h := w.Header()
			want, err := doc.Encoded(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Get("Content-Encoding"); got != tt.want || h.Get("Content-Length") != strconv.Itoa(len(want)) ||
				h.Get("ETag") != doc.ETagFor(tt.want) {
				t.Errorf("%s %q: encoding %q, header %v", method, tt.accept, got, h)
			}
			if h.Get("Vary") != "Accept-Encoding" || h.Get("Cache-Control") != "no-cache" ||
				h.Get("Content-Type") != "application/json" || h.Get("Last-Modified") != "Wed, 01 May 2024 12:00:00 GMT" {
				t.Errorf("%s %q: header %v", method, tt.accept, h)
			}
			if body := w.Body.String(); method == "GET" && body != string(want) || method == "HEAD" && body != "" {
				t.Errorf("%s %q: body of %d bytes, want %d", method, tt.accept, len(body), len(want))
			}
		}
	}
}

func TestDocumentConditions(t *testing.T) {
	doc := renderDocument(t)
	unquoted := strings.Trim(doc.ETagFor(""), `"`)
	tests := []struct {
		name   string
		header http.Header
		status int
	}{
		{"none", nil, 200},
		{"same", http.Header{"If-None-Match": {doc.ETagFor("")}}, 304},
		{"weak", http.Header{"If-None-Match": {"W/" + doc.ETagFor("")}}, 304},
		{"bare", http.Header{"If-None-Match": {unquoted}}, 304},
		{"any", http.Header{"If-None-Match": {"*"}}, 304},
		{"other encoding of the same document", http.Header{"If-None-Match": {doc.ETagFor("gzip")}}, 304},
		{"another", http.Header{"If-None-Match": {`"nope"`}}, 200},
		{"second line", http.Header{"If-None-Match": {`"nope"`, doc.ETagFor("")}}, 304},
		{"not newer", http.Header{"If-Modified-Since": {"Wed, 01 May 2024 12:00:00 GMT"}}, 304},
		{"newer", http.Header{"If-Modified-Since": {"Wed, 01 May 2024 11:59:59 GMT"}}, 200},
		{"no date", http.Header{"If-Modified-Since": {"yesterday"}}, 200},
		{
			"the tag counts, not the date",
			http.Header{"If-None-Match": {`"nope"`}, "If-Modified-Since": {"Wed, 01 May 2024 12:00:00 GMT"}}, 200,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			for k, v := range tt.header {
				r.Header[k] = v
			}
			w := httptest.NewRecorder()
			if err := ServeDocument(w, r, doc, "max-age=60"); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d", w.Code, tt.status)
			}
			for _, name := range []string{"ETag", "Vary", "Cache-Control", "Last-Modified"} {
				if w.Header().Get(name) == "" {
					t.Errorf("%d lacks %s", w.Code, name)
				}
			}
			if w.Code == 304 && (w.Body.Len() > 0 || w.Header().Get("Content-Length") != "") {
				t.Errorf("a 304 has a body or a length: %v", w.Header())
			}
		})
	}
}
