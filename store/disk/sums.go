package disk

// This file has the sums that are computed of a body while it is written.

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"golang.org/x/crypto/blake2b"

	"larder/internal/problem"
)

// sum is one running hash and its name in StageOptions.Sums.
type sum struct {
	name string
	hash.Hash
}

// newSums returns sha256, always the first, and the sums asked for.
func newSums(extra []string) ([]sum, error) {
	sums := []sum{{"sha256", sha256.New()}}
	for _, name := range extra {
		switch name {
		case "sha256":
		case "md5":
			sums = append(sums, sum{name, md5.New()})
		case "sha1":
			sums = append(sums, sum{name, sha1.New()})
		case "sha224":
			sums = append(sums, sum{name, sha256.New224()})
		case "sha384":
			sums = append(sums, sum{name, sha512.New384()})
		case "sha512":
			sums = append(sums, sum{name, sha512.New()})
		case "blake2b-256":
			h, err := blake2b.New256(nil)
			if err != nil {
				return nil, fmt.Errorf("sum %q: %w", name, err)
			}
			sums = append(sums, sum{name, h})
		default:
			return nil, fmt.Errorf("sum %q: %w", name, problem.ErrInvalid)
		}
	}
	return sums, nil
}
