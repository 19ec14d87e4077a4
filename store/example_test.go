package store_test

// This file shows the store as a protocol uses it. The examples are compiled and their output is checked.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
	"larder/store"
)

// Readme is what a protocol of its own keeps of each version.
type Readme struct {
	Text string `json:"text"`
}

// openExample opens a store in a folder of its own, which close removes.
func openExample(o store.Options) (s *store.Store, close func()) {
	dir, err := os.MkdirTemp("", "larder-example-")
	if err != nil {
		log.Fatal(err)
	}
	if s, err = store.Open(dir, o); err != nil {
		log.Fatal(err)
	}
	return s, func() {
		if err := errors.Join(s.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// A version is published in two steps: its bytes become blobs, then one transaction makes everybody see it.
func Example() {
	s, close := openExample(store.Options{Reserve: 1})
	defer close()
	ctx := store.WithActor(context.Background(), store.Actor{User: "ada"})

	blob, err := s.PutBytes(ctx, []byte("module.exports = 42\n"))
	if err != nil {
		log.Fatal(err)
	}
	packages := store.NewRepo[Readme](s, store.NPM)
	err = packages.Update(ctx, "answer", func(p *store.PackageTx[Readme]) error {
		err := p.Publish(store.Version[Readme]{
			ID:    "1.0.0",
			Files: []store.File{{Name: "answer-1.0.0.tgz", Digest: blob.Digest}},
			Meta:  Readme{Text: "# The answer"},
		})
		if err != nil {
			return err // nothing is written
		}
		return p.SetTag("latest", "1.0.0", store.TagCond{})
	})
	if err != nil {
		log.Fatal(err)
	}

	err = packages.View(ctx, "answer", func(p *store.PackageTx[Readme]) error {
		tag, err := p.Tag("latest")
		if err != nil {
			return err
		}
		v, err := p.Version(tag.Version)
		if err != nil {
			return err
		}
		fmt.Println(v.ID, "by", v.By, "says", v.Meta.Text)
		_, file, err := p.File("answer-1.0.0.tgz")
		if err != nil {
			return err
		}
		fmt.Println(file.Name, "has", file.Size, "bytes")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	f, _, err := s.OpenBlob(ctx, blob.Digest)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// 1.0.0 by ada says # The answer
	// answer-1.0.0.tgz has 20 bytes
	// module.exports = 42
	// <nil>
}

// A body that may be large is staged: it is hashed as it arrives, can be looked at, and is committed or dropped.
func ExampleStore_Stage() {
	s, close := openExample(store.Options{Reserve: 1})
	defer close()
	ctx := context.Background()

	st, err := s.Stage(ctx, store.StageOptions{Size: -1, Limit: 1 << 20, Sums: []string{"md5"}})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Abort() // does nothing after Commit
	if _, err := st.ReadFrom(strings.NewReader("hello")); err != nil {
		log.Fatal(err)
	}
	first := make([]byte, 2)
	if _, err := st.ReadAt(first, 0); err != nil {
		log.Fatal(err)
	}
	blob, err := st.Commit(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s… is %d bytes with md5 %s\n", first, blob.Size, st.Sum("md5"))
	// Output: he… is 5 bytes with md5 5d41402abc4b2a76b9719d911017c592
}

// A resumable upload takes a body in pieces, each in a request of its own. Its id is good for its owner only.
func ExampleStore_StartUpload() {
	s, close := openExample(store.Options{Reserve: 1})
	defer close()
	ctx := store.WithActor(context.Background(), store.Actor{User: "ada"})

	id, err := s.StartUpload(ctx, store.OCI, "app")
	if err != nil {
		log.Fatal(err)
	}
	for _, piece := range []string{"hel", "lo"} {
		u, err := s.ResumeUpload(ctx, store.OCI, "app", id)
		if err != nil {
			log.Fatal(err)
		}
		n, err := u.Append(ctx, strings.NewReader(piece), -1)
		fmt.Println(n, "bytes more,", u.Offset(), "in all:", err)
		u.Release()
	}
	_, err = s.ResumeUpload(store.WithActor(ctx, store.Actor{User: "eve"}), store.OCI, "app", id)
	fmt.Println("for eve there is no such upload:", errors.Is(err, store.ErrNotFound))

	u, err := s.ResumeUpload(ctx, store.OCI, "app", id)
	if err != nil {
		log.Fatal(err)
	}
	defer u.Release()
	// The package holds the blob from the moment that it exists.
	blob, err := u.Commit(ctx, digest.FromString("hello"), func(tx *store.Tx, b store.Blob) error {
		return store.NewRepo[Readme](s, store.OCI).In(tx, "app", func(p *store.PackageTx[Readme]) error { return p.Hold(b) })
	})
	fmt.Println(blob.Size, "bytes are a blob:", err)
	// Output:
	// 3 bytes more, 3 in all: <nil>
	// 2 bytes more, 5 in all: <nil>
	// for eve there is no such upload: true
	// 5 bytes are a blob: <nil>
}

// Every change is in the journal, with who made it.
func ExampleStore_Journal() {
	s, close := openExample(store.Options{Reserve: 1})
	defer close()
	ctx := store.WithActor(context.Background(), store.Actor{User: "ada"})

	packages := store.NewRepo[Readme](s, store.Cargo)
	err := packages.Update(ctx, "answer", func(p *store.PackageTx[Readme]) error {
		if err := p.Publish(store.Version[Readme]{ID: "1.0.0"}); err != nil {
			return err
		}
		return p.SetTag("newest", "1.0.0", store.TagCond{})
	})
	if err != nil {
		log.Fatal(err)
	}
	entries, err := s.Journal(ctx, 0, 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range entries {
		fmt.Println(e.Seq, e.Actor.User, e.Op, e.Kind, e.Package, e.Version)
	}
	// Output:
	// 1 ada publish cargo answer 1.0.0
	// 2 ada tag cargo answer 1.0.0
}

// Policies are asked inside the transaction, before the change commits. What they refuse has a sentence for the
// client's user.
func ExampleNewRules() {
	rules := store.NewRules(store.RulesConfig{
		Protected: []store.Protected{{Kind: store.NPM, Package: "@team/*", Users: []string{"ada"}}},
	})
	s, close := openExample(store.Options{Reserve: 1, Policies: []store.Policy{rules}})
	defer close()

	for _, user := range []string{"ada", "eve"} {
		ctx := store.WithActor(context.Background(), store.Actor{User: user})
		err := store.NewRepo[Readme](s, store.NPM).Update(ctx, "@team/app", func(p *store.PackageTx[Readme]) error {
			return p.Publish(store.Version[Readme]{ID: "1.0.0 of " + user})
		})
		fmt.Printf("%s: refused %t %q\n", user, errors.Is(err, store.ErrProtected), problem.Public(err))
	}
	// Output:
	// ada: refused false ""
	// eve: refused true "package @team/app is protected"
}

// A document is rendered once for all who ask, and anew when its package has changed.
func ExampleStore_Document() {
	s, close := openExample(store.Options{Reserve: 1})
	defer close()
	ctx := context.Background()
	packages := store.NewRepo[Readme](s, store.PyPI)

	publish := func(version string) {
		err := packages.Update(ctx, "answer", func(p *store.PackageTx[Readme]) error {
			return p.Publish(store.Version[Readme]{ID: version})
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	render := func(ctx context.Context) (store.Rendered, error) {
		var ids []string
		err := packages.View(ctx, "answer", func(p *store.PackageTx[Readme]) error {
			for id, err := range p.VersionIDs("") {
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return nil
		})
		fmt.Println("rendering")
		return store.Rendered{Body: []byte(strings.Join(ids, " ")), Type: "text/plain"}, err
	}
	ask := func() {
		key := store.DocKey{Kind: store.PyPI, Package: "answer", Base: "http://127.0.0.1/", Format: "text"}
		d, err := s.Document(ctx, key, render)
		if err != nil {
			log.Fatal(err)
		}
		body, err := d.Encoded(store.Identity)
		fmt.Printf("%s %v\n", body, err)
	}
	publish("1.0")
	ask()
	ask()
	publish("1.1")
	ask()
	// Output:
	// rendering
	// 1.0 <nil>
	// 1.0 <nil>
	// rendering
	// 1.0 1.1 <nil>
}
