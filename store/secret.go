package store

// This file keeps random secrets.

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
)

// Secret returns n random bytes that are made at the first call with this name and then stay the same. It works on a
// store that was switched read-only, too: a server that only serves still has to sign its tokens.
func (s *Store) Secret(ctx context.Context, name string, n int) (secret []byte, err error) {
	k := key("secret", name)
	err = s.View(ctx, func(tx *Tx) error {
		secret = bytes.Clone(tx.get(bucketMeta, k))
		return nil
	})
	if err == nil && secret == nil {
		err = s.submit(ctx, func(tx *Tx) error {
			if secret = bytes.Clone(tx.get(bucketMeta, k)); secret != nil {
				return nil
			}
			secret = make([]byte, n)
			_, _ = rand.Read(secret) // never fails: it ends the program instead
			return tx.put(bucketMeta, k, bytes.Clone(secret))
		})
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	if len(secret) != n {
		return nil, fmt.Errorf("secret %s: has %d bytes, not %d: %w", name, len(secret), n, ErrFormat)
	}
	return secret, nil
}
