package upstream

// This file remembers over a restart when upstreams last said that what is kept is current.

import (
	"slices"
	"time"

	"larder/store"
)

// tableConfirmed has the records of documents, and of files that change under their names, which an upstream has
// confirmed since they were fetched: kind of the records, package, id → Unix seconds. Flush writes it: what a crash
// loses of it costs a conditional request.
const tableConfirmed = "upstream.confirmed"

// confirm notes that the upstream has just said that the document with the id is as it is kept. It costs no
// transaction.
func (s *Set) confirm(id docID) time.Time {
	now := s.r.now()
	s.with(id, func(st *state) { st.checked, st.absent = now, time.Time{} })
	s.r.uses.confirm(useKey{s.docs.Kind(), id.pkg, id.id}, now)
	return now
}

// checked is when the upstream last said that what is kept is current, as far as the store knows.
func (k *kept) checked() time.Time {
	if k.confirmed.After(k.Fetched) {
		return k.confirmed
	}
	return k.Fetched
}

// confirmedAt reads when a record was confirmed; zero when it was not since it was fetched.
func confirmedAt(tx *store.Tx, k useKey) time.Time {
	if raw := tx.Table(tableConfirmed).Get(k.row()); raw != nil {
		return time.Unix(number(raw), 0).UTC()
	}
	return time.Time{}
}

// unconfirm drops the rows of the records of a package that are removed; of all of them without ids.
func unconfirm(tx *store.Tx, kind store.Kind, pkg string, ids ...string) error {
	table := tx.Table(tableConfirmed)
	var rows [][]byte
	for _, id := range ids {
		rows = append(rows, useKey{kind, pkg, id}.row())
	}
	if len(ids) == 0 {
		for row := range table.Scan(useKey{kind, pkg, ""}.row(), nil) {
			rows = append(rows, slices.Clone(row))
		}
	}
	for _, row := range rows {
		if err := table.Delete(row); err != nil {
			return err
		}
	}
	return nil
}
