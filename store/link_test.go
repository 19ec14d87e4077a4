package store_test

// This file tests blobs that are recorded together with what refers to them, and the right to read them.

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"larder/store"
	"larder/store/storetest"
)

// commits are the ways in which a body becomes a blob together with what link writes.
func commits(s *store.Store) map[string]func(body string, link func(*store.Tx, store.Blob) error) (store.Blob, error) {
	return map[string]func(string, func(*store.Tx, store.Blob) error) (store.Blob, error){
		"PutBytesWith": func(body string, link func(*store.Tx, store.Blob) error) (store.Blob, error) {
			return s.PutBytesWith(ctx, []byte(body), link)
		},
		"CommitWith": func(body string, link func(*store.Tx, store.Blob) error) (store.Blob, error) {
			st, err := s.Stage(ctx, store.StageOptions{})
			if err != nil {
				return store.Blob{}, err
			}
			defer st.Abort()
			if _, err := st.ReadFrom(strings.NewReader(body)); err != nil {
				return store.Blob{}, err
			}
			return st.CommitWith(ctx, link)
		},
		"Upload": func(body string, link func(*store.Tx, store.Blob) error) (store.Blob, error) {
			id, err := s.StartUpload(ctx, store.NPM, "a")
			if err != nil {
				return store.Blob{}, err
			}
			u, err := s.ResumeUpload(ctx, store.NPM, "a", id)
			if err != nil {
				return store.Blob{}, err
			}
			defer u.Release()
			if _, err := u.Append(ctx, strings.NewReader(body), 0); err != nil {
				return store.Blob{}, err
			}
			return u.Commit(ctx, digest.FromString(body), link)
		},
	}
}

// TestBlobAndItsVersionAreOneTransaction: in each way of committing, for a small and a large body, new and stored
// already, blob and version are there together, and when the version is refused neither is recorded.
func TestBlobAndItsVersionAreOneTransaction(t *testing.T) {
	for _, size := range []int{10, 100_000} {
		s := storetest.New(t)
		for how, commit := range commits(s) {
			body := strings.Repeat(how, size/len(how))
			publishAs := func(id string) func(*store.Tx, store.Blob) error {
				return func(tx *store.Tx, b store.Blob) error {
					return npm(s).In(tx, "a", func(p *packageTx) error { return p.Publish(ver(id, b)) })
				}
			}
			refuse := func(tx *store.Tx, b store.Blob) error {
				return errors.Join(publishAs("refused")(tx, b), errMine)
			}
			_, err := commit(body, refuse)
			wantErr(t, err, errMine)
			if has(t, s, "a", "refused") {
				t.Errorf("%s of %d bytes: the refused version is there", how, size)
			}
			_, err = s.StatBlob(ctx, digest.FromString(body))
			wantErr(t, err, store.ErrNotFound)

			for _, id := range []string{how + " new", how + " again"} {
				b, err := commit(body, publishAs(id))
				must(t, err)
				if b.Digest != digest.FromString(body) || b.Size != int64(len(body)) || !has(t, s, "a", id) {
					t.Errorf("%s of %d bytes as %q: blob %v, version there %t", how, size, id, b, has(t, s, "a", id))
				}
			}
			_, err = commit(body, refuse)
			wantErr(t, err, errMine)
			if _, err := s.StatBlob(ctx, digest.FromString(body)); err != nil {
				t.Errorf("%s of %d bytes: a refused version took the blob of others with it: %v", how, size, err)
			}
		}
	}
}

// TestSecondNameOfABlob: the sha512 digest a client knows leads to the same bytes, for as long as they are there; a
// sha256 digest needs no second name.
func TestSecondNameOfABlob(t *testing.T) {
	s := storetest.New(t)
	sha512 := digest.SHA512.FromString("layer")
	b, err := s.PutBytesWith(ctx, []byte("layer"), func(tx *store.Tx, b store.Blob) error {
		return errors.Join(tx.SetAlias(sha512, b), tx.SetAlias(b.Digest, b))
	})
	must(t, err)
	for _, d := range []digest.Digest{b.Digest, sha512} {
		got, err := s.StatBlob(ctx, d)
		if err != nil || got != b {
			t.Errorf("%s is %v, %v; want %v", d, got, err, b)
		}
	}
	publish(t, s, "a", version{ID: "1", Files: []store.File{{Name: "x", Digest: sha512}}})
	must(t, npm(s).View(ctx, "a", func(p *packageTx) error {
		if size, ok := p.Holds(sha512); !ok || size != b.Size {
			t.Errorf("the package holds %d bytes by the second name, %t; want %d", size, ok, b.Size)
		}
		return nil
	}))
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Delete("1", false) }))
	sweepNow(t, s)
	_, err = s.StatBlob(ctx, sha512)
	wantErr(t, err, store.ErrNotFound)
}

// sweepNow removes what nobody holds, without a grace period.
func sweepNow(t *testing.T, s *store.Store) store.SweepReport {
	t.Helper()
	now := time.Duration(0)
	r, err := s.Sweep(ctx, store.SweepOptions{Grace: &now})
	must(t, err)
	return r
}

// TestHeldBlobIsForHolders: a blob can be had through a package that holds it, by each of its names, and through no
// other; who lost the last hold has lost it, whatever was remembered.
func TestHeldBlobIsForHolders(t *testing.T) {
	s := storetest.New(t)
	sha512 := digest.SHA512.FromString("layer")
	alias := func(tx *store.Tx, b store.Blob) error { return tx.SetAlias(sha512, b) }
	b, err := s.PutBytesWith(ctx, []byte("layer"), alias)
	must(t, err)
	publish(t, s, "a", ver("1", b))
	for range 2 { // the second time from memory
		for _, d := range []digest.Digest{b.Digest, sha512} {
			if got, err := s.HeldBlob(ctx, store.NPM, "a", d); err != nil || got != b {
				t.Errorf("HeldBlob(a, %s) = %v, %v; want %v", d, got, err, b)
			}
		}
		_, err := s.HeldBlob(ctx, store.NPM, "b", b.Digest)
		wantErr(t, err, store.ErrNotFound)
		_, err = s.HeldBlob(ctx, store.PyPI, "a", b.Digest)
		wantErr(t, err, store.ErrNotFound)
		_, err = s.HeldBlob(ctx, store.NPM, "a", digest.FromString("other"))
		wantErr(t, err, store.ErrNotFound)
	}
	must(t, npm(s).Update(ctx, "b", func(p *packageTx) error { return p.Hold(b) }))
	_, err = s.HeldBlob(ctx, store.NPM, "b", b.Digest)
	must(t, err)
	must(t, npm(s).Update(ctx, "b", func(p *packageTx) error { return p.Unhold(b.Digest) }))
	_, err = s.HeldBlob(ctx, store.NPM, "b", b.Digest)
	wantErr(t, err, store.ErrNotFound)
}

// TestBlobThatWasPromisedStays: whoever is told that a blob exists skips its upload, so the sweeper waits from then on.
func TestBlobThatWasPromisedStays(t *testing.T) {
	clock := storetest.NewClock()
	s := storetest.New(t, storetest.WithClock(clock))
	b := storetest.Put(t, s, "layer")
	must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Hold(b) }))
	clock.Advance(50 * time.Minute)
	_, err := s.HeldBlob(ctx, store.NPM, "a", b.Digest)
	must(t, err)
	clock.Advance(50 * time.Minute)
	if r, err := s.Sweep(ctx, store.SweepOptions{}); err != nil || r.Blobs != 0 {
		t.Errorf("sweep 50 minutes after the promise: %+v, %v; want nothing removed", r, err)
	}
	clock.Advance(2 * time.Hour)
	if r, err := s.Sweep(ctx, store.SweepOptions{}); err != nil || r.Blobs != 1 {
		t.Errorf("sweep hours after the promise: %+v, %v; want the blob removed", r, err)
	}
}

// TestReadersAndSweeperAgree: while blobs are released and swept, a reader gets the right bytes or none.
func TestReadersAndSweeperAgree(t *testing.T) {
	s := storetest.New(t)
	stop, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for stop.Err() == nil {
				b, err := s.HeldBlob(ctx, store.NPM, "a", digest.FromString("contested"))
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
				p, err := s.ReadBlob(ctx, b.Digest, 100)
				if err != nil && !errors.Is(err, store.ErrNotFound) || err == nil && string(p) != "contested" {
					t.Errorf("read %q, %v", p, err)
				}
			}
		})
	}
	for range 30 {
		b := storetest.Put(t, s, "contested")
		must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Hold(b) }))
		must(t, npm(s).Update(ctx, "a", func(p *packageTx) error { return p.Unhold(b.Digest) }))
		sweepNow(t, s)
	}
	cancel()
	readers.Wait()
}
