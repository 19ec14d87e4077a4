package store

// This file reads the pages of larder.db as they are on disk and says what is wrong with them. bbolt follows damaged
// pages without looking: it panics, reads outside the file or never returns. So nothing is given to it before.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2. A page is a header {id 8, flags 2, count 2, overflow 4} and count elements of
// 16 bytes: leaf {flags 4, pos 4, ksize 4, vsize 4}, branch {pos 4, ksize 4, pgid 8}; pos counts from the element. The
// value of a bucket is {root 8, sequence 8}; with root 0 its one page follows. Pages 0 and 1 are metas of 64 bytes:
// {magic 4, version 4, page size 4, flags 4, root 8, sequence 8, freelist 8, pages 8, txid 8, checksum 8}.
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10

	noFreelist = ^uint64(0)
	maxDepth   = 64 // of a tree; a real one has fewer than ten levels
	maxPage    = 1 << 31
)

var native = binary.NativeEndian

// inspector is one reading of a database file.
type inspector struct {
	r        io.ReaderAt
	size     int64  // bytes of the file
	pageSize int64  // bytes
	pages    uint64 // the file's pages in use: ids are below
	used     []uint64
	spare    [][]byte // buffers of pages, by depth
}

// inspect reads every page that the last transaction of the file reaches, and the list of free ones. The error is a
// sentence about the first thing that is wrong. The file must not be written to meanwhile.
func inspect(r io.ReaderAt, size int64) error {
	x := &inspector{r: r, size: size}
	root, free, err := x.meta()
	if err != nil {
		return err
	}
	x.used = make([]uint64, x.pages/64+1)
	x.use(0)
	x.use(1)
	if err := x.page(root, nil, nil, 0, true); err != nil {
		return err
	}
	return x.freelist(free)
}

// inspectTree is inspect for the pages of one transaction of a database that is in use: they do not change until it
// ends.
func inspectTree(r io.ReaderAt, size, pageSize int64, root, pages uint64) error {
	x := &inspector{r: r, size: size, pageSize: pageSize, pages: pages, used: make([]uint64, pages/64+1)}
	return x.page(root, nil, nil, 0, true)
}

// meta finds the newer of the two valid meta pages, as bbolt does.
func (x *inspector) meta() (root, free uint64, err error) {
	var best []byte
	first, size := x.metaAt(0)
	if first != nil {
		best = first
	}
	sizes := []int64{size}
	if first == nil {
		sizes = sizes[:0]
		for n := int64(1 << 10); n <= 1<<24; n <<= 1 {
			sizes = append(sizes, n)
		}
	}
	for _, n := range sizes {
		m, size := x.metaAt(n)
		if m != nil && size == n && (best == nil || native.Uint64(m[48:]) > native.Uint64(best[48:])) {
			best = m
		}
	}
	if best == nil {
		return 0, 0, fmt.Errorf("neither of its two first pages is one of a database")
	}
	x.pageSize, x.pages = int64(native.Uint32(best[8:])), native.Uint64(best[40:])
	if x.pages < 2 || x.pages > uint64(x.size) || x.size/x.pageSize < int64(x.pages) {
		return 0, 0, fmt.Errorf(
			"it has %d bytes and should have %d pages of %d: its end is missing", x.size, x.pages, x.pageSize,
		)
	}
	return native.Uint64(best[16:]), native.Uint64(best[32:]), nil
}

// metaAt is the meta of a page that begins at off, and the page size it names; nil when it is none.
func (x *inspector) metaAt(off int64) ([]byte, int64) {
	m := make([]byte, metaSize)
	if _, err := x.r.ReadAt(m, off+pageHeader); err != nil {
		return nil, 0
	}
	size := native.Uint32(m[8:])
	sum := fnv.New64a()
	sum.Write(m[:56])
	if native.Uint32(m) != boltMagic || native.Uint32(m[4:]) != boltVersion || native.Uint64(m[56:]) != sum.Sum64() ||
		size < 512 || size&(size-1) != 0 {
		return nil, 0
	}
	return m, int64(size)
}

// use marks a page; false when it was marked before.
func (x *inspector) use(id uint64) bool {
	seen := x.used[id/64]&(1<<(id%64)) != 0
	x.used[id/64] |= 1 << (id % 64)
	return !seen
}

// read returns a page and those that follow it as its overflow, marked as used.
func (x *inspector) read(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= x.pages {
		return nil, fmt.Errorf("a page refers to page %d, which is none of its %d", id, x.pages)
	}
	for len(x.spare) <= depth {
		x.spare = append(x.spare, make([]byte, x.pageSize))
	}
	p := x.spare[depth][:x.pageSize]
	if _, err := x.r.ReadAt(p, int64(id)*x.pageSize); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	if got := native.Uint64(p); got != id {
		return nil, fmt.Errorf("page %d says that it is page %d", id, got)
	}
	more := uint64(native.Uint32(p[12:]))
	if more >= x.pages-id || int64(more+1) > maxPage/x.pageSize {
		return nil, fmt.Errorf("page %d says that it goes on for %d pages, beyond the end", id, more)
	}
	for i := id; i <= id+more; i++ {
		if !x.use(i) {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
	}
	if more == 0 {
		return p, nil
	}
	p = append(p, make([]byte, int64(more)*x.pageSize)...)
	x.spare[depth] = p
	if _, err := x.r.ReadAt(p, int64(id)*x.pageSize); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	return p, nil
}

// page inspects a page of a tree, whose keys must lie in [low, high), nil being no bound. At the root of the file every
// element is a bucket; below none is.
func (x *inspector) page(id uint64, low, high []byte, depth int, top bool) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d lies %d levels deep", id, depth)
	}
	p, err := x.read(id, depth)
	if err != nil {
		return err
	}
	return x.elements(id, p, low, high, depth, top)
}

// elements inspects the content of a page, or of a bucket's page within a page.
func (x *inspector) elements(id uint64, p, low, high []byte, depth int, top bool) error {
	flags, count := native.Uint16(p[8:]), int(native.Uint16(p[10:]))
	if flags != flagBranch && flags != flagLeaf {
		return fmt.Errorf("page %d is neither leaf nor branch of a tree (flags %#x)", id, flags)
	}
	if pageHeader+count*elementSize > len(p) {
		return fmt.Errorf("page %d says that it has %d elements, more than fit", id, count)
	}
	if flags == flagBranch && count == 0 {
		return fmt.Errorf("page %d is a branch without leaves", id)
	}
	e := elements{p, count, flags == flagBranch}
	var last []byte
	for i := range count {
		k, ok := e.key(i)
		if !ok {
			return fmt.Errorf("element %d of page %d lies outside of it", i, id)
		}
		if len(k) == 0 && !(e.branch && i == 0) {
			return fmt.Errorf("element %d of page %d has an empty key", i, id)
		}
		if i > 0 && bytes.Compare(last, k) >= 0 {
			return fmt.Errorf("the keys of page %d are not in order: %.80q follows %.80q", id, k, last)
		}
		if i == 0 && low != nil && bytes.Compare(k, low) < 0 || high != nil && bytes.Compare(k, high) >= 0 {
			return fmt.Errorf("key %.80q of page %d belongs to another page", k, id)
		}
		last = k
	}
	for i := range count {
		if err := x.element(id, e, i, high, depth, top); err != nil {
			return err
		}
	}
	return nil
}

// element inspects what an element leads to.
func (x *inspector) element(id uint64, e elements, i int, high []byte, depth int, top bool) error {
	k, _ := e.key(i)
	if e.branch {
		if i+1 < e.count {
			high, _ = e.key(i + 1)
		}
		return x.page(native.Uint64(e.at(i)[8:]), k, high, depth+1, top)
	}
	isBucket := native.Uint32(e.at(i)) == 1
	if native.Uint32(e.at(i)) > 1 || isBucket != top {
		return fmt.Errorf("element %d of page %d (%.80q) is of the wrong sort", i, id, k)
	}
	if !isBucket {
		return nil
	}
	v := e.value(i)
	if len(v) < 16 {
		return fmt.Errorf("bucket %.80q of page %d is cut off", k, id)
	}
	if root := native.Uint64(v); root != 0 {
		return x.page(root, nil, nil, depth+1, false)
	}
	if v = v[16:]; len(v) < pageHeader || native.Uint16(v[8:]) != flagLeaf {
		return fmt.Errorf("bucket %.80q of page %d is not one", k, id)
	}
	return x.elements(id, v, nil, nil, depth, false)
}

// elements are the elements of a page.
type elements struct {
	p      []byte
	count  int
	branch bool
}

func (e elements) at(i int) []byte {
	off := pageHeader + i*elementSize
	return e.p[off : off+elementSize]
}

// bounds are where key and value of element i begin, and where the value ends; false when that is outside of the page.
func (e elements) bounds(i int) (key, value, end int, ok bool) {
	el := e.at(i)
	var pos, ksize, vsize uint64
	if e.branch {
		pos, ksize = uint64(native.Uint32(el)), uint64(native.Uint32(el[4:]))
	} else {
		pos, ksize, vsize = uint64(native.Uint32(el[4:])), uint64(native.Uint32(el[8:])), uint64(native.Uint32(el[12:]))
	}
	from := uint64(pageHeader+i*elementSize) + pos
	if from < uint64(pageHeader+e.count*elementSize) || from+ksize+vsize > uint64(len(e.p)) {
		return 0, 0, 0, false
	}
	return int(from), int(from + ksize), int(from + ksize + vsize), true
}

func (e elements) key(i int) ([]byte, bool) {
	k, v, _, ok := e.bounds(i)
	return e.p[k:v], ok
}

func (e elements) value(i int) []byte {
	_, v, end, _ := e.bounds(i)
	return e.p[v:end]
}

// freelist inspects the list of free pages: a page that is free and in use would be overwritten.
func (x *inspector) freelist(id uint64) error {
	if id == noFreelist {
		return nil
	}
	p, err := x.read(id, 0)
	if err != nil {
		return fmt.Errorf("the list of free pages: %w", err)
	}
	if flags := native.Uint16(p[8:]); flags != flagFreelist {
		return fmt.Errorf("page %d is not the list of free pages (flags %#x)", id, flags)
	}
	count, at := uint64(native.Uint16(p[10:])), pageHeader
	if count == 0xFFFF {
		if len(p) < pageHeader+8 {
			return fmt.Errorf("the list of free pages is cut off")
		}
		count, at = native.Uint64(p[pageHeader:]), pageHeader+8
	}
	if count > uint64(len(p)-at)/8 {
		return fmt.Errorf("the list of free pages says that it has %d entries, more than fit", count)
	}
	for i := range count {
		free := native.Uint64(p[at+int(i)*8:])
		if free < 2 || free >= x.pages {
			return fmt.Errorf("the list of free pages has page %d, which is none of its %d", free, x.pages)
		}
		if !x.use(free) {
			return fmt.Errorf("page %d is in use and listed as free", free)
		}
	}
	return nil
}
