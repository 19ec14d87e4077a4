package store

// This file has the keys and values of the records.

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"larder/internal/problem"
)

// The top-level buckets; doc.go says what each holds.
const (
	bucketMeta       = "meta"
	bucketPackage    = "package"
	bucketVersion    = "version"
	bucketFile       = "file"
	bucketTag        = "tag"
	bucketTagged     = "tagged"
	bucketTagHistory = "taghistory"
	bucketHold       = "hold"
	bucketHolder     = "holder"
	bucketTombstone  = "tombstone"
	bucketName       = "name"
	bucketBlob       = "blob"
	bucketAlias      = "alias"
	bucketReview     = "review"
	bucketJournal    = "journal"
	bucketIndex      = "index"
	bucketStat       = "stat"
	bucketDamage     = "damage" // made by the first row

	bucketJournalIndex = "journalindex"
)

func buckets() []string {
	return []string{
		bucketMeta, bucketPackage, bucketVersion, bucketFile, bucketTag, bucketTagged, bucketTagHistory, bucketHold,
		bucketHolder, bucketTombstone, bucketName, bucketBlob, bucketAlias, bucketReview, bucketJournal, bucketIndex,
		bucketStat, bucketJournalIndex,
	}
}

// recordFormat is the first byte of every JSON value; a reader refuses bytes it does not know.
const recordFormat = 1

// key joins parts with 0x00. The parts come from checked names, which cannot contain one.
func key(parts ...string) []byte { return []byte(strings.Join(parts, "\x00")) }

// prefix is the start of every key whose first parts are these.
func prefix(parts ...string) []byte { return append(key(parts...), 0) }

// splitKey undoes key.
func splitKey(k []byte) []string { return strings.Split(string(k), "\x00") }

// lastPart is what follows the last 0x00.
func lastPart(k []byte) string { return string(k[bytes.LastIndexByte(k, 0)+1:]) }

// be64 makes keys whose byte order is their number's order.
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// checkName refuses names that would break keys. What a name may look like is each protocol's business.
func checkName(what, s string) error {
	if s == "" || len(s) > maxName || strings.IndexByte(s, 0) >= 0 {
		return problem.Errorf(ErrInvalid, "%s %.80q is empty, too long or contains a zero byte", what, s)
	}
	return nil
}

// maxName bounds one part of a key: four of them stay far below bbolt's 32 KiB, and keys stay small next to their
// pages.
const maxName = 1024

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return append([]byte{recordFormat}, b...), nil
}

func decode(b []byte, v any) error {
	if len(b) == 0 || b[0] != recordFormat {
		return fmt.Errorf("decode record: %w", ErrFormat)
	}
	if err := json.Unmarshal(b[1:], v); err != nil {
		return fmt.Errorf("decode record: %w: %w", ErrFormat, err)
	}
	return nil
}

// blobRow is the value of a blob row.
type blobRow struct {
	Size    int64 `json:"size"`
	Created int64 `json:"created"` // Unix seconds
}

// resolve follows a sha512 alias to the sha256 digest under which the bytes are stored.
func (tx *Tx) resolve(d digest.Digest) digest.Digest {
	if v := tx.get(bucketAlias, []byte(d)); v != nil {
		return digest.Digest(v)
	}
	return d
}

// blob returns the committed blob d (or the one d is an alias of).
func (tx *Tx) blob(d digest.Digest) (Blob, bool, error) {
	d = tx.resolve(d)
	v := tx.get(bucketBlob, []byte(d))
	if v == nil {
		return Blob{}, false, nil
	}
	var row blobRow
	if err := decode(v, &row); err != nil {
		return Blob{}, false, fmt.Errorf("blob %s: %w", d, err)
	}
	return Blob{Digest: d, Size: row.Size}, true, nil
}

// putBlob records that the bytes of b are durable; counting each blob once.
func (tx *Tx) putBlob(b Blob) error {
	if tx.get(bucketBlob, []byte(b.Digest)) != nil {
		return nil
	}
	if err := tx.NeedRoom(); err != nil {
		return err
	}
	if err := tx.putRow(bucketBlob, []byte(b.Digest), blobRow{Size: b.Size, Created: tx.now.Unix()}); err != nil {
		return err
	}
	return tx.count(statBlobs, counter{Blobs: 1, Bytes: b.Size})
}

// deleteBlob forgets b; the sweeper unlinks the bytes after the commit.
func (tx *Tx) deleteBlob(b Blob) error {
	if tx.get(bucketBlob, []byte(b.Digest)) == nil {
		return nil
	}
	if err := errors.Join(tx.del(bucketBlob, []byte(b.Digest)), tx.forgetDamage(b.Digest)); err != nil {
		return err
	}
	return tx.count(statBlobs, counter{Blobs: -1, Bytes: -b.Size})
}

// queueReview asks the sweeper to look at d once the grace period from now is over.
func (tx *Tx) queueReview(d digest.Digest) error {
	due := tx.now.Add(tx.s.opt.Grace).Unix()
	return tx.put(bucketReview, append(append(be64(uint64(due)), 0), d...), []byte{})
}

// seqOf reads the number at the end of a key.
func seqOf(k []byte) uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }

// hasPrefixLen reports whether k is prefix followed by exactly n bytes.
func hasPrefixLen(k, prefix []byte, n int) bool {
	return len(k) == len(prefix)+n && bytes.HasPrefix(k, prefix)
}
