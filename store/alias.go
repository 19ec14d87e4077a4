package store

// This file gives blobs a second name: the sha512 digest that a client knows them by.

import "github.com/opencontainers/go-digest"

// SetAlias makes the sha512 digest another name of b, for as long as the blob exists. A sha256 digest needs none.
func (tx *Tx) SetAlias(d digest.Digest, b Blob) error {
	if d.Algorithm() != digest.SHA512 {
		return nil
	}
	if err := tx.put(bucketAlias, []byte(d), []byte(b.Digest)); err != nil {
		return err
	}
	return tx.put(bucketAlias, aliasKey(b.Digest, d), []byte{})
}

// aliasKey is the row by which the sweeper finds the aliases of a blob: sha256 ␀ sha512.
func aliasKey(d, alias digest.Digest) []byte { return key(string(d), string(alias)) }

// dropAliases removes every other name of d.
func (tx *Tx) dropAliases(d digest.Digest) error {
	for k := range tx.scan(bucketAlias, prefix(string(d)), nil) {
		alias := []byte(lastPart(k))
		if err := tx.del(bucketAlias, aliasKey(d, digest.Digest(alias))); err != nil {
			return err
		}
		if err := tx.del(bucketAlias, alias); err != nil {
			return err
		}
	}
	return nil
}
