package store

// This file opens and closes a store, and says whether it takes writes.

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"larder/internal/budget"
	"larder/internal/problem"
	"larder/store/disk"
)

// Faults is a hook for tests around every durable step.
type Faults = disk.Faults

// Options says how to open a store; the zero value is right for production.
type Options struct {
	Reserve     int64              // bytes of free disk below which writes are refused; 0: 256 MiB
	Grace       time.Duration      // how long a blob without references stays; 0: 1 h
	UploadIdle  time.Duration      // how long an unfinished upload may rest; 0: 24 h
	ReadOnly    bool               // open with the read-only switch on
	Now         func() time.Time   // the clock; nil: time.Now
	Log         *slog.Logger       // nil: nothing is logged
	Policies    []Policy           // asked in order before each change
	Faults      Faults             // nil except in tests
	Touched     func(Kind, string) // called with each package that is read or changed by name; nil except in tests
	LockTimeout time.Duration      // how long to wait for another process to let go of the folder; 0: 1 s
	CacheBytes  int64              // memory for rendered documents; 0: 32 MiB

	AcceptNewDatabase  bool // open a folder with blobs whose database is missing, empty or another folder's
	AcceptMissingBlobs bool // open a folder that lacks many of the blobs its database knows, to look at it
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	o.Reserve = cmp.Or(o.Reserve, 256<<20)
	o.Grace = cmp.Or(o.Grace, time.Hour)
	o.UploadIdle = cmp.Or(o.UploadIdle, 24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.LockTimeout = cmp.Or(o.LockTimeout, time.Second)
	o.CacheBytes = cmp.Or(o.CacheBytes, 32<<20)
	return o
}

// ofFiles is the part of the options that the files need.
func (o Options) ofFiles() disk.Options {
	return disk.Options{Reserve: o.Reserve, Now: o.Now, Log: o.Log, Faults: o.Faults}
}

// Store is one data folder. Its methods may be called from any number of goroutines.
type Store struct {
	files *disk.Folder
	blobIndex
	uploadSecret atomic.Pointer[[]byte] // signs the ids of uploads; see uploadKey

	opt Options
	db  *bolt.DB
	// txBase is added to bbolt's numbers of transactions; see compact.go.
	txBase uint64
	group  writer
	gens   *generations
	held   memo[digest.Digest, Blob] // what HeldBlob found
	docs   *documents
	heavy  *budget.Pool // what takes a processor for milliseconds
	watch  watch

	switched atomic.Pointer[string] // reason of the runtime read-only switch; nil = writable
	damaged  atomic.Pointer[error]  // what bbolt stumbled over; never reset
	stuck    atomic.Bool            // a transaction could not be ended: the database cannot be closed either
	meters   meters
	pulls    pulls
	orphans  orphanState // orphans that wait for an operator's decision
	surveyed surveyed    // which packages take most
}

// dbName is the records' file inside the data folder.
const dbName = "larder.db"

// Open opens the data folder dir and creates what is missing of its layout. ErrLocked when another process holds it,
// ErrFormat when a newer Larder (or something else) wrote it, ErrDatabase with a sentence when folder and database do
// not belong together or the database is damaged.
func Open(dir string, o Options) (*Store, error) {
	s, err := open(dir, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return s, nil
}

func open(dir string, o Options) (*Store, error) {
	was, err := inspectFolder(dir)
	if err == nil {
		err = was.admit(o.AcceptNewDatabase)
	}
	if err != nil {
		return nil, err
	}
	f, err := disk.Open(dir, o.ofFiles())
	if err != nil {
		return nil, err
	}
	s, err := openStore(f, was, o)
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// openStore opens the records of a folder whose layout is complete.
func openStore(f *disk.Folder, was folder, o Options) (*Store, error) {
	if was.db > 0 && o.AcceptNewDatabase {
		aside, err := setAside(f, o)
		if err != nil {
			return nil, err
		}
		if aside {
			was.db = -1
		}
	}
	if was.db <= 0 {
		id := was.id
		if id == "" {
			id = newID()
		}
		if err := makeDB(f, o, id); err != nil {
			return nil, err
		}
	}
	db, err := openDB(f.Path(dbName), o)
	if err != nil {
		return nil, err
	}
	s, err := newStore(f, db, was, o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// newStore makes a store of a folder and its records when the two belong together.
func newStore(f *disk.Folder, db *bolt.DB, was folder, o Options) (*Store, error) {
	if err := matchIDs(f, db, was, o.AcceptNewDatabase); err != nil {
		return nil, err
	}
	s := &Store{files: f, opt: o, db: db, docs: newDocuments(o.CacheBytes), heavy: newHeavy()}
	s.blobIndex.init()
	if o.ReadOnly {
		s.SetReadOnly("it was started so")
	}
	if err := s.View(context.Background(), func(tx *Tx) error { s.txBase = tx.txBase(); return nil }); err != nil {
		return nil, err
	}
	s.gens = newGenerations(s.txid())
	s.held.init(s.gens)
	if !o.ReadOnly {
		if err := s.returnOrphans(context.Background()); err != nil {
			return nil, err
		}
	}
	if !o.AcceptMissingBlobs {
		if err := s.checkMissingBlobs(context.Background()); err != nil {
			return nil, err
		}
	}
	if err := s.loadDamages(context.Background()); err != nil {
		return nil, err
	}
	s.pulls.init()
	if err := s.loadMeters(context.Background()); err != nil {
		return nil, err
	}
	return s, nil
}

// openDB opens the records' file and brings it to the current format.
func openDB(path string, o Options) (*bolt.DB, error) {
	db, err := openRecords(path, o)
	if err != nil {
		return nil, err
	}
	if err := migrate(db, migrations()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.View(haveBuckets); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// haveBuckets is an error when one of the tables that every format has is missing.
func haveBuckets(tx *bolt.Tx) error {
	for _, name := range []string{
		bucketMeta, bucketPackage, bucketVersion, bucketFile, bucketTag, bucketTagged, bucketTagHistory, bucketHold,
		bucketHolder, bucketTombstone, bucketBlob, bucketAlias, bucketReview, bucketJournal, bucketIndex, bucketStat,
		bucketJournalIndex,
	} {
		if tx.Bucket([]byte(name)) == nil {
			return damage("its table " + name + " is missing")
		}
	}
	return nil
}

// initialMmap reserves address space, not memory: a write that outgrows the map has to wait for every open read.
func initialMmap() int {
	if strconv.IntSize < 64 {
		return 64 << 20
	}
	return 1 << 30
}

// Close waits for the running transactions and closes the folder.
func (s *Store) Close() error {
	s.files.Close()
	if s.stuck.Load() {
		return fmt.Errorf("close %s: %w", s.files.Dir(), *s.damaged.Load())
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", s.files.Dir(), err)
	}
	return nil
}

// Health is nil while the store takes writes, else ErrReadOnly or ErrFull wrapped with the reason.
func (s *Store) Health() error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.files.Room(0, 0)
}

// SetReadOnly refuses every change from now on, with the reason in the error; "" allows them again. After a failed
// fsync the store stays read-only until it has been closed and opened.
func (s *Store) SetReadOnly(reason string) {
	if reason == "" {
		s.switched.Store(nil)
		return
	}
	s.switched.Store(&reason)
}

// writable is ErrReadOnly with the reason, or nil.
func (s *Store) writable() error {
	if p := s.damaged.Load(); p != nil {
		return &problem.Refusal{Err: fmt.Errorf("%w: %w", ErrReadOnly, *p),
			Text: "the store is read-only because its database is damaged; the server's log says what was seen"}
	}
	if err := s.files.Failure(); err != nil {
		return &problem.Refusal{Err: err, Text: "the store is read-only because a disk write failed"}
	}
	if reason := s.switched.Load(); reason != nil {
		return problem.Errorf(ErrReadOnly, "the store is read-only: %s", *reason)
	}
	return nil
}

// txid is the number of the last committed transaction; it grows with every commit, also across restarts.
func (s *Store) txid() uint64 {
	id := s.txBase
	if tx, err := s.db.Begin(false); err == nil {
		id += uint64(tx.ID())
		rollback(tx)
	}
	return id
}

// rollback ends a read transaction, which cannot fail, or drops a write transaction whose error is already known.
func rollback(tx *bolt.Tx) { _ = tx.Rollback() }

// migration brings the records from the format before it to its own.
type migration struct {
	name string
	run  func(tx *bolt.Tx) error
}

// migrations are numbered from 1 by their place; append only.
func migrations() []migration {
	return []migration{
		{"create buckets", createBuckets},
		{"own the names that are known", ownKnownNames},
		{"a publish writes no rows of names and of the journal's index", indexLater},
	}
}

func createBuckets(tx *bolt.Tx) error {
	for _, name := range buckets() {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
	}
	return nil
}

// formatKey is the row of meta that holds the number of the last migration that ran.
var formatKey = []byte("format")

// migrate runs what is missing, each step in a transaction of its own, so that a crash resumes where it stopped.
func migrate(db *bolt.DB, steps []migration) error {
	at, err := readFormat(db)
	if err != nil {
		return err
	}
	if at > len(steps) {
		return problem.Errorf(ErrFormat,
			"the data folder has format %d, this Larder knows %d; use a newer one", at, len(steps))
	}
	for i := at; i < len(steps); i++ {
		err := db.Update(func(tx *bolt.Tx) error {
			if err := steps[i].run(tx); err != nil {
				return err
			}
			return writeFormat(tx, i+1)
		})
		if err != nil {
			return fmt.Errorf("migration %d (%s): %w", i+1, steps[i].name, err)
		}
	}
	return nil
}

// readFormat is 0 for a new file; ErrFormat when the file is a bbolt database of something else.
func readFormat(db *bolt.DB) (at int, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return problem.Errorf(ErrFormat, "%s belongs to another program", dbName)
			}
			return nil
		}
		v := meta.Get(formatKey)
		if len(v) != 8 {
			return problem.Errorf(ErrFormat, "%s has no format number", dbName)
		}
		at = int(binary.BigEndian.Uint64(v))
		return nil
	})
	return at, err
}

func writeFormat(tx *bolt.Tx, n int) error {
	meta, err := tx.CreateBucketIfNotExists([]byte(bucketMeta))
	if err != nil {
		return err
	}
	return meta.Put(formatKey, be64(uint64(n)))
}
