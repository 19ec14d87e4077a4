package wiretest

// This file checks that a copy forgets no file that it has shown.

import (
	"context"
	"testing"

	"larder/store"
)

// Forgotten is an upstream's file that its document names no more.
type Forgotten struct {
	Kind store.Kind
	// Open opens a copy of the upstream that asks for documents each time.
	Open func() *Rig
	// Document is the path of the document, and File that of the file, which nobody has asked for before; Body is in it.
	Document, File, Body string
	// Drop makes the upstream's document name the file no more, and Gone the whole document absent.
	Drop, Gone func()
}

// Run checks that the file is still found where it was shown, after the copies are purged, too, and nowhere else.
func (f Forgotten) Run(t *testing.T) {
	g := f.Open()
	g.Want(g.Do("GET", f.Document, nil), 200, "")
	f.Drop()
	g.Want(g.Do("GET", f.Document, nil), 200, "")
	g.Want(g.Do("GET", f.File, nil), 200, f.Body)
	f.purge(g)
	g.Want(g.Do("GET", f.File, nil), 200, f.Body)
	f.Gone()
	f.purge(g)
	g.Want(g.Do("GET", f.Document, nil), 404, "")
	g.Want(g.Do("GET", f.File, nil), 200, f.Body)
	g = f.Open()
	g.Want(g.Do("GET", f.File, nil), 404, "") // it never showed it
}

func (f Forgotten) purge(g *Rig) {
	g.T.Helper()
	if _, err := g.Deps.Upstreams.Purge(context.Background(), f.Kind, "*"); err != nil {
		g.T.Fatal(err)
	}
}
