package auth_test

// This file shows how a protocol asks who a request comes from and what they may do. The examples are compiled and
// their output is checked.

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"

	"larder/auth"
	"larder/internal/problem"
	"larder/store"
)

// openExample opens the users of a data folder of its own, which close removes. ann may read and create the packages of
// her team.
func openExample() (users *auth.Local, close func()) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	s, err := store.Open(dir, store.Options{Reserve: 1})
	if err != nil {
		log.Fatal(err)
	}
	users, err = auth.NewLocal(ctx, s, auth.Options{Private: []string{"npm:package:@team/*"}, Cost: 4})
	if err != nil {
		log.Fatal(err)
	}
	scopes, err := auth.ParseScopes([]string{"npm:package:@team/*:read,create"})
	if err != nil {
		log.Fatal(err)
	}
	if err := users.AddUser(ctx, auth.User{Name: "ann", Password: "correct horse battery", Scopes: scopes}); err != nil {
		log.Fatal(err)
	}
	return users, func() {
		if err := errors.Join(s.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// access is something to be done to a package of npm.
func access(name string, action auth.Action) auth.Access {
	return auth.Access{Kind: store.NPM, Type: "package", Name: name, Action: action}
}

// A request is answered in two steps: who it comes from, and whether they may. What may not be seen answers like what
// is not there.
func Example() {
	users, close := openExample()
	defer close()
	ctx := context.Background()

	ann, err := users.Authenticate(ctx, auth.Credentials{User: "ann", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []auth.Identity{ann, auth.Anonymous()} {
		for _, a := range []auth.Access{
			access("left-pad", auth.Read), access("@team/app", auth.Read),
			access("@team/app", auth.Create), access("@team/app", auth.Delete),
		} {
			status := problem.Status(users.Authorize(ctx, id, a))
			fmt.Printf("%q: %s %s: %d\n", id.User, a.Action, a.Name, status)
		}
	}
	// Output:
	// "ann": read left-pad: 200
	// "ann": read @team/app: 200
	// "ann": create @team/app: 200
	// "ann": delete @team/app: 403
	// "": read left-pad: 200
	// "": read @team/app: 404
	// "": create @team/app: 401
	// "": delete @team/app: 401
}

// A token is limited further than its user, and is no password.
func ExampleLocal_CreateToken() {
	users, close := openExample()
	defer close()
	ctx := context.Background()

	scopes, err := auth.ParseScopes([]string{"npm:package:@team/app:create"})
	if err != nil {
		log.Fatal(err)
	}
	_, secret, err := users.CreateToken(ctx, auth.TokenSpec{User: "ann", Name: "CI", Scopes: scopes})
	if err != nil {
		log.Fatal(err)
	}
	ci, err := users.Authenticate(ctx, auth.Credentials{Token: secret})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"@team/app", "@team/other"} {
		fmt.Println(ci.User, name, ci.Can(access(name, auth.Create)))
	}
	_, err = users.VerifyPassword(ctx, "ann", secret, netip.Addr{})
	fmt.Println("a token is a password:", !errors.Is(err, auth.ErrNoPassword))
	// Output:
	// ann @team/app true
	// ann @team/other false
	// a token is a password: false
}

// What two lists of scopes have in common is a list of scopes again.
func ExampleScopes_Intersect() {
	team, err := auth.ParseScopes([]string{"npm:package:@team/*:read,create"})
	if err != nil {
		log.Fatal(err)
	}
	apps, err := auth.ParseScopes([]string{"npm:package:@team/app:create,delete"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(team.Intersect(apps))
	// Output:
	// npm:package:@team/app:create
}
