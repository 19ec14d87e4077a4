package store

// This file is the part of a check that looks at the database itself: its pages, and whether each row can be read.

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// findingsMost bounds how many of bbolt's findings are reported; a damaged list of free pages has one for each page.
const findingsMost = 100

// pages inspects the tree, and when that is sound lets bbolt check it and the list of free pages.
func (c *checker) pages() error {
	if err := c.s.damaged.Load(); err != nil {
		c.badPages("%v", *err)
		return nil
	}
	f, err := os.Open(c.s.files.Path(dbName))
	if err != nil {
		return err
	}
	defer f.Close()
	err = c.s.View(c.ctx, func(tx *Tx) error {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		size := int64(c.s.db.Info().PageSize)
		root := uint64(tx.b.Cursor().Bucket().Root())
		if err := inspectTree(f, st.Size(), size, root, uint64(tx.b.Size()/size)); err != nil {
			c.badPages("%s is damaged: %v. %s", dbName, err, recoveryHelp)
		}
		return nil
	})
	if err == nil && !c.broken {
		err = c.boltCheck()
	}
	if errors.Is(err, ErrDatabase) {
		c.badPages("%v", err)
		err = nil
	}
	return err
}

// badPages reports something that makes the rest of the check impossible.
func (c *checker) badPages(format string, args ...any) {
	c.broken = true
	c.report.Problems = append(c.report.Problems, Problem{What: fmt.Sprintf(format, args...)})
}

// boltCheck is bbolt's own check. It reads the list of free pages, which only a write transaction keeps still.
func (c *checker) boltCheck() error {
	b, err := c.s.begin()
	if err != nil {
		return beginError(err)
	}
	defer c.s.drop(b)
	found := 0
	for err := range b.Check() {
		if found++; found <= findingsMost {
			c.report.Problems = append(c.report.Problems, Problem{What: fmt.Sprintf("%s: %v", dbName, err)})
		}
	}
	if found > findingsMost {
		c.report.Problems = append(c.report.Problems,
			Problem{What: fmt.Sprintf("%s: %d more findings of this sort", dbName, found-findingsMost)})
	}
	return nil
}

// readable is check for rows that can be read. One that cannot is a problem that names table and key, and no reason to
// stop; it is reported once.
func (c *checker) readable(bucket string, check rowCheck) rowCheck {
	return func(tx *Tx, k, v []byte) (err error) {
		at := bucket + "\x00" + string(k)
		if c.bad[at] {
			return nil
		}
		defer func() {
			if p := recover(); p != nil {
				if err = fmt.Errorf("%w: %v", ErrFormat, p); isDamage(p) {
					err = c.s.recovered(p) // the database, not the row
				}
			}
			if err == nil || c.ctx.Err() != nil || errors.Is(err, ErrClosed) || errors.Is(err, errMoved) ||
				errors.Is(err, context.Canceled) || errors.Is(err, ErrDatabase) {
				return
			}
			c.bad[at] = true
			c.report.Problems = append(c.report.Problems,
				Problem{What: fmt.Sprintf("row %.200q of table %s cannot be read: %v", k, bucket, err)})
			err = nil
		}()
		return check(tx, k, v)
	}
}

// decodes is the check of a row of which only the form is looked at.
func decodes[T any](_ *Tx, _, v []byte) error {
	var row T
	return decode(v, &row)
}

// review is the check of a row of the sweeper's queue.
func review(_ *Tx, k, _ []byte) error {
	if len(k) < 9 || k[8] != 0 {
		return fmt.Errorf("the key has no time: %w", ErrFormat)
	}
	if _, err := ParseDigest(string(k[9:])); err != nil {
		return err
	}
	return nil
}
