package store

// This file keeps the counters: how much there is of each kind, user and package.

import (
	"context"
	"fmt"
	"slices"
)

// counter is one row of the stat bucket; each row uses the fields it needs.
type counter struct {
	Packages int64 `json:"packages,omitempty"`
	Versions int64 `json:"versions,omitempty"`
	Tags     int64 `json:"tags,omitempty"`
	Blobs    int64 `json:"blobs,omitempty"`
	Bytes    int64 `json:"bytes,omitempty"`
}

func (c counter) plus(d counter) counter {
	return counter{c.Packages + d.Packages, c.Versions + d.Versions, c.Tags + d.Tags, c.Blobs + d.Blobs, c.Bytes + d.Bytes}
}

// The keys of the stat bucket: "blobs", "kind␀oci", "user␀ada".
const (
	statBlobs = "blobs"
	statKind  = "kind"
	statUser  = "user"
)

// count adds d to a counter row; a row of zeros is removed.
func (tx *Tx) count(row string, d counter) error {
	if d == (counter{}) {
		return nil
	}
	var c counter
	if _, err := tx.row(bucketStat, []byte(row), &c); err != nil {
		return err
	}
	if c = c.plus(d); c == (counter{}) {
		return tx.del(bucketStat, []byte(row))
	}
	return tx.putRow(bucketStat, []byte(row), c)
}

// counted reads a counter row.
func (tx *Tx) counted(parts ...string) (c counter, err error) {
	_, err = tx.row(bucketStat, key(parts...), &c)
	return c, err
}

// KindStats counts what one kind holds, and how often it was fetched. Bytes counts each blob once per package that
// holds it.
type KindStats struct {
	Packages int64 `json:"packages"`
	Versions int64 `json:"versions"`
	Tags     int64 `json:"tags"`
	Bytes    int64 `json:"bytes"`
	// Pulls are since the folder was made, Recent those of the last 30 days, of copies as well; both as they were written
	// down last. Kinds of copies have none.
	Pulls  int64 `json:"pulls,omitempty"`
	Recent int64 `json:"pulls_30d,omitempty"`
}

// Stats is the store's size at one moment.
type Stats struct {
	Kinds     map[Kind]KindStats `json:"kinds"`
	Users     map[string]int64   `json:"users"` // bytes each user brought into packages
	Blobs     int64              `json:"blobs"`
	BlobBytes int64              `json:"blob_bytes"` // on disk: each blob once
	Damaged   int64              `json:"damaged"`    // blobs known to have wrong bytes, or none
	Uploads   int                `json:"uploads"`    // unfinished
	Journal   uint64             `json:"journal"`    // last sequence number
	Database  int64              `json:"database"`   // bytes of larder.db
	Free      int64              `json:"free"`       // bytes of disk
}

// Stats reads the counters; its cost does not depend on how much is stored.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Kinds: map[Kind]KindStats{}, Users: map[string]int64{}, Damaged: s.DamagedBlobs()}
	err := s.View(ctx, func(tx *Tx) error {
		blobs, err := tx.counted(statBlobs)
		if err != nil {
			return err
		}
		st.Blobs, st.BlobBytes = blobs.Blobs, blobs.Bytes
		st.Journal = tx.bucket(bucketJournal).Sequence()
		st.Database = tx.b.Size()
		return st.readGroups(tx)
	})
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	uploads, err := s.files.Uploads()
	if err == nil {
		st.Uploads = len(uploads)
		st.Free, err = s.files.Free()
	}
	if err != nil {
		return Stats{}, fmt.Errorf("stats: %w", err)
	}
	return st, nil
}

func (st *Stats) readGroups(tx *Tx) error {
	for _, k := range allKinds() {
		c, err := tx.counted(statKind, string(k))
		if err != nil {
			return err
		}
		if c == (counter{}) && !slices.Contains(Kinds(), k) {
			continue
		}
		pulls, err := tx.kindPulls(k)
		if err != nil {
			return err
		}
		st.Kinds[k] = KindStats{Packages: c.Packages, Versions: c.Versions, Tags: c.Tags, Bytes: c.Bytes,
			Pulls: pulls.Total, Recent: pulls.Since(30, tx.now)}
	}
	for k, v := range tx.scan(bucketStat, prefix(statUser), nil) {
		var c counter
		if err := decode(v, &c); err != nil {
			return err
		}
		st.Users[lastPart(k)] = c.Bytes
	}
	return nil
}
