package upstream

// This file keeps over a restart which names have been published here and are still to be compared with upstreams.

import (
	"context"
	"slices"
	"strings"

	"larder/store"
)

// tableUnsure has a row for each such name: kind, name → the upstreams that did not say, in words. Flush writes it.
// There are maxUnsure of a kind at most.
const tableUnsure = "upstream.unsure"

func unsureRow(k store.Kind, name string) []byte { return []byte(string(k) + "\x00" + name) }

// compared drops a name that need not be compared any more. The caller holds s.mu.
func (s *Set) compared(name string) {
	if s.unsure[name].later {
		s.unwritten = true
	}
	delete(s.unsure, name)
}

// readUnsure fills in the names that were not compared when the program ended.
func (r *Registry) readUnsure(ctx context.Context) error {
	return r.store.View(ctx, func(tx *store.Tx) error {
		for row, who := range tx.Table(tableUnsure).Scan(nil, nil) {
			kind, name, _ := strings.Cut(string(row), "\x00")
			if s := r.sets[store.Kind(kind)]; s != nil {
				s.unsure[name] = unsure{who: string(who), later: true}
			}
		}
		return nil
	})
}

// takeUnsure returns the names that are compared later, of the kinds in which they have changed since they were written
// down.
func (r *Registry) takeUnsure() map[store.Kind]map[string]string {
	all := map[store.Kind]map[string]string{}
	for k, s := range r.sets {
		s.mu.Lock()
		if s.unwritten {
			all[k], s.unwritten = map[string]string{}, false
			for name, u := range s.unsure {
				if u.later {
					all[k][name] = u.who
				}
			}
		}
		s.mu.Unlock()
	}
	return all
}

// giveBackUnsure has the next Flush write what this one could not.
func (r *Registry) giveBackUnsure(all map[store.Kind]map[string]string) {
	for k := range all {
		s := r.sets[k]
		s.mu.Lock()
		s.unwritten = true
		s.mu.Unlock()
	}
}

// writeUnsure makes the rows of each kind in all those names.
func writeUnsure(tx *store.Tx, all map[store.Kind]map[string]string) error {
	table := tx.Table(tableUnsure)
	for k, names := range all {
		var gone [][]byte
		prefix := unsureRow(k, "")
		for row := range table.Scan(prefix, nil) {
			if _, stays := names[string(row[len(prefix):])]; !stays {
				gone = append(gone, slices.Clone(row))
			}
		}
		for _, row := range gone {
			if err := table.Delete(row); err != nil {
				return err
			}
		}
		for name, who := range names {
			if err := table.Put(unsureRow(k, name), []byte(who)); err != nil {
				return err
			}
		}
	}
	return nil
}
