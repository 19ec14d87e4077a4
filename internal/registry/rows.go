package registry

// Rows of a protocol's own tables: keys in the order of time, and values of several fields.

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"larder/store"
)

// TimeKey is the key of a version's row in a table that is ordered by the time of publishing, to the millisecond.
func TimeKey(published time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(max(published.UnixMilli(), 0))), id...)
}

// CutTimeKey returns what TimeKey was made of; id is a part of key. store.ErrFormat.
func CutTimeKey(key []byte) (published time.Time, id []byte, err error) {
	if len(key) < 8 {
		return published, nil, fmt.Errorf("key of a row: %w", store.ErrFormat)
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key))).UTC(), key[8:], nil
}

// Drop deletes a version with its row in a table whose keys are TimeKey. Its ID is never given again.
func Drop[M any](tx *store.PackageTx[M], table, id string) error {
	v, err := tx.Version(id)
	if err != nil {
		return err
	}
	if err := tx.Delete(id, true); err != nil {
		return err
	}
	return tx.Index(table).Delete(TimeKey(v.Published, id))
}

// AppendField appends a field to a row, with its length before it.
func AppendField(row, field []byte) []byte {
	return append(binary.AppendUvarint(row, uint64(len(field))), field...)
}

// CutField returns the first field of a row, and the rest; store.ErrFormat when the row ends before the field does.
func CutField(row []byte) (field, rest []byte, err error) {
	n, size := binary.Uvarint(row)
	if size <= 0 || n > uint64(len(row)-size) {
		return nil, nil, store.ErrFormat
	}
	end := size + int(n)
	return row[size:end], row[end:], nil
}

// ReadRows decodes all rows of a table; n is how many there are about.
func ReadRows[T any](
	rows iter.Seq2[[]byte, []byte], n int, decode func(key, row []byte) (T, error),
) ([]T, error) {
	out := make([]T, 0, n)
	for k, v := range rows {
		one, err := decode(k, v)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
