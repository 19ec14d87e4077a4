package upstream_test

// This file shows the package to those who want to use it.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"larder/store"
	"larder/upstream"
)

// remote is a registry with one package.
func remote() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/left-pad" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"name":"left-pad"}`)
	}))
}

// A document is fetched once, answered from what is kept while it is fresh, and goes on being answered when the
// registry is down.
func ExampleSet_Document() {
	registry := remote()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	kept, err := store.Open(dir, store.Options{Reserve: 1})
	if err != nil {
		panic(err)
	}
	defer kept.Close()
	copies, err := upstream.New(kept, nil, upstream.Options{
		Upstreams: []upstream.Config{{Kind: store.NPM, Name: "public", URL: registry.URL}},
	})
	if err != nil {
		panic(err)
	}
	defer copies.Close()

	ctx := context.Background()
	npm := copies.Set(store.NPM, upstream.Protocol{})
	ask := func(name string, fresh time.Duration) {
		d, err := npm.Document(ctx, upstream.Query{Package: name, Key: "packument", Ref: name, Fresh: fresh})
		switch {
		case errors.Is(err, store.ErrNotFound):
			fmt.Println(name, "does not exist")
		case err != nil:
			fmt.Println(name, err)
		default:
			body, err := d.Bytes(ctx)
			fmt.Println(d.Cache, string(body), err)
		}
	}
	ask("left-pad", time.Minute)
	ask("left-pad", time.Minute)
	ask("right-pad", time.Minute)
	registry.Close()
	ask("left-pad", -1) // asks whatever is kept
	// Output:
	// MISS {"name":"left-pad"} <nil>
	// HIT {"name":"left-pad"} <nil>
	// right-pad does not exist
	// STALE {"name":"left-pad"} <nil>
}

// Rules are patterns of names, with or without a version.
func ExampleCheckRule() {
	for _, rule := range []string{"npm:@acme/*", "pypi:requests@2.*", "requests", "npm:left-pad@"} {
		fmt.Println(upstream.CheckRule(rule))
	}
	// Output:
	// <nil>
	// <nil>
	// "requests" is not a pattern kind:name
	// "npm:left-pad@" has no version behind its @
}

// A rule may leave out what a semantic version has as zeros.
func ExampleSameSemVer() {
	fmt.Println(upstream.SameSemVer("v1.2", "1.2.0+build.7"), upstream.SameSemVer("1.2", "1.2.1"))
	// Output: true false
}

// Claimed names are never asked for.
func ExampleOptions_claims() {
	registry := remote()
	defer registry.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	kept, err := store.Open(dir, store.Options{Reserve: 1})
	if err != nil {
		panic(err)
	}
	defer kept.Close()
	copies, err := upstream.New(kept, nil, upstream.Options{
		Upstreams: []upstream.Config{{Kind: store.NPM, Name: "public", URL: registry.URL}},
		Claims:    []string{"npm:left-*"},
	})
	if err != nil {
		panic(err)
	}
	defer copies.Close()
	npm := copies.Set(store.NPM, upstream.Protocol{})
	_, err = npm.Document(context.Background(), upstream.Query{Package: "left-pad", Key: "packument", Ref: "left-pad"})
	fmt.Println(errors.Is(err, store.ErrNotFound), copies.ClaimedByRule(store.NPM, "left-pad"))
	fmt.Println(copies.Status()[0].Requests, "requests")
	// Output:
	// true npm:left-*
	// 0 requests
}
