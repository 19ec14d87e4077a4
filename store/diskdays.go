package store

// This file notes once a day how much the blobs and the database take, to tell when the disk will be full.

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// tableDiskDays has day (since 1970, 8 bytes) → DiskDay. FlushUse writes the row of the day with the first figures of
// each hour.
const tableDiskDays = "disk.days"

// DiskDay is how much the data folder took on one day, when it was looked at last.
type DiskDay struct {
	Day      time.Time `json:"-"` // its beginning, UTC
	Blobs    int64     `json:"blobs"`
	Database int64     `json:"database"`
}

// noteDisk writes the row of the day.
func (tx *Tx) noteDisk() error {
	blobs, err := tx.counted(statBlobs)
	if err != nil {
		return err
	}
	return tx.putRow(tableDiskDays, be64(uint64(dayOf(tx.now))), DiskDay{Blobs: blobs.Bytes, Database: tx.b.Size()})
}

// DiskDays lists the days from the given time on, those without requests left out.
func (s *Store) DiskDays(ctx context.Context, from time.Time) (list []DiskDay, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		list = nil
		for k, v := range tx.scan(tableDiskDays, nil, be64(uint64(dayOf(from)-1))) {
			d := DiskDay{Day: time.Unix(int64(binary.BigEndian.Uint64(k))*24*3600, 0).UTC()}
			if err := decode(v, &d); err != nil {
				return fmt.Errorf("disk of %s: %w", d.Day.Format(time.DateOnly), err)
			}
			list = append(list, d)
		}
		return nil
	})
	return list, err
}
