package npm_test

// This file shows how the registry is put together and asked. The example is compiled and its output is checked.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"larder/auth"
	"larder/internal/wire"
	"larder/npm"
	"larder/store"
)

// The registry needs a store, somebody who knows the users, and the address that clients use. What it cannot answer
// is an error body that npm prints.
func ExampleNew() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(dir, store.Options{Reserve: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	users, err := auth.NewLocal(ctx, s, auth.Options{})
	if err != nil {
		log.Fatal(err)
	}
	base, err := wire.NewBase("https://packages.example.com", nil)
	if err != nil {
		log.Fatal(err)
	}
	registry := npm.New(wire.Deps{Store: s, Auth: users, Base: base}, npm.Options{})

	for _, path := range []string{"/npm/-/ping", "/npm/left-pad"} {
		w := httptest.NewRecorder()
		registry.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, err := io.ReadAll(w.Body)
		if err = errors.Join(err, w.Result().Body.Close()); err != nil {
			log.Fatal(err)
		}
		fmt.Println(path, w.Code, strings.TrimSpace(string(body)))
	}
	// Output:
	// /npm/-/ping 200 {}
	// /npm/left-pad 404 {"error":"package not found","message":"package not found"}
}
