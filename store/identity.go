package store

// This file keeps a data folder and its database together: both carry the same random id, and a folder that has blobs
// does not start with a database that is missing, empty or another folder's.

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	bolt "go.etcd.io/bbolt"

	"larder/internal/problem"
	"larder/store/disk"
)

// idName is the file that holds the folder's id: one line of 26 letters and digits.
const idName = "larder.id"

// newDBName is the records' file of a new folder until it is complete, so that larder.db is never a half-made file.
const newDBName = "larder.db.new"

// idKey is the row of meta that holds the same id.
var idKey = []byte("id")

// folder is what a look at a data folder finds before anything of it is opened or made.
type folder struct {
	dir     string
	id      string // of larder.id; "" when there is none
	db      int64  // bytes of larder.db; -1 when there is none
	restore bool   // an unfinished restore is here
}

// inspectFolder looks at dir and changes nothing.
func inspectFolder(dir string) (f folder, err error) {
	f = folder{dir: dir, db: -1}
	st, err := os.Stat(filepath.Join(dir, dbName))
	switch {
	case err == nil:
		f.db = st.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return f, err
	}
	text, err := os.ReadFile(filepath.Join(dir, idName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f.id = strings.TrimSpace(string(text))
	_, err = os.Stat(filepath.Join(dir, restoreName))
	f.restore = err == nil
	return f, nil
}

// IsDataFolder reports whether dir is, or was, a data folder: it has a database, an id or blobs.
func IsDataFolder(dir string) bool {
	for _, name := range []string{dbName, idName, disk.BlobsDir} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// recoveryHelp ends every sentence about a database that cannot be used.
const recoveryHelp = "To go on with a backup: larder restore BACKUP into an empty folder. To see what the files are, " +
	"and copy them out to be published again: larder check --rebuild."

// newDatabaseHelp is the last of them.
const newDatabaseHelp = "To begin with an empty database beside these files: larder serve --accept-new-database."

// admit refuses a folder whose database is missing or empty although it has blobs or an id, unless that was accepted.
func (f folder) admit(accept bool) error {
	if f.db > 0 || accept {
		return nil
	}
	blobs, bytes, err := countBlobs(f.dir)
	if err != nil {
		return err
	}
	if blobs == 0 && f.id == "" {
		return nil // a new folder
	}
	what := "is missing"
	if f.db == 0 {
		what = "is empty"
	}
	if f.restore {
		what += " because a restore did not finish (" + restoreName + " is there; empty the folder and restore again)"
	}
	return problem.Errorf(
		ErrDatabase, "%s %s, but the folder has %s%s. If the disk of the database is not mounted, mount it. %s %s", dbName,
		what, blobText(blobs, bytes), f.idText(), recoveryHelp, newDatabaseHelp,
	)
}

func (f folder) idText() string {
	if f.id == "" {
		return ""
	}
	return " and the id " + f.id
}

func blobText(blobs, bytes int64) string {
	return fmt.Sprintf("%d blobs (%.2f GiB)", blobs, float64(bytes)/(1<<30))
}

// countBlobs counts the files below blobs/ and orphans/, whatever they are.
func countBlobs(dir string) (blobs, bytes int64, err error) {
	for _, root := range []string{disk.BlobsDir, disk.OrphansDir} {
		err = filepath.WalkDir(filepath.Join(dir, root), func(_ string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return ignoreAbsent(err)
			}
			st, err := e.Info()
			if err == nil {
				blobs++
				bytes += st.Size()
			}
			return ignoreAbsent(err)
		})
		if err != nil {
			return blobs, bytes, err
		}
	}
	return blobs, bytes, nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// makeDB makes the records of a new folder under another name and renames the finished file: a crash leaves either no
// larder.db or a whole one.
func makeDB(f *disk.Folder, o Options, id string) error {
	if err := f.Remove(newDBName); err != nil {
		return err
	}
	db, err := bolt.Open(f.Path(newDBName), 0o600, boltOptions(o))
	if err != nil {
		return err
	}
	err = migrate(db, migrations())
	if err == nil {
		err = db.Update(func(tx *bolt.Tx) error { return putID(tx, id) })
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := f.Rename(newDBName, dbName); err != nil {
		return err
	}
	return f.SyncDir(".")
}

// setAside gives a damaged database another name, so that what is still readable can be recovered. What may be replaced
// by an empty one was accepted before.
func setAside(f *disk.Folder, o Options) (bool, error) {
	err := inspectFile(f.Path(dbName), o)
	if !errors.Is(err, ErrDatabase) {
		return false, err
	}
	name := dbName + ".damaged-" + o.Now().UTC().Format("20060102-150405")
	o.Log.Warn("a damaged database is set aside", "name", name, "error", err)
	return true, errors.Join(f.Rename(dbName, name), f.SyncDir("."))
}

func newID() string { return rand.Text() }

func putID(tx *bolt.Tx, id string) error { return tx.Bucket([]byte(bucketMeta)).Put(idKey, []byte(id)) }

// readID is "" for a database of a Larder that knew no ids.
func readID(db *bolt.DB) (id string, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		id = string(tx.Bucket([]byte(bucketMeta)).Get(idKey))
		return nil
	})
	return id, err
}

// matchIDs makes the folder and its open database carry one id, or refuses. A database without an id is adopted by a
// folder without one. A folder without larder.id takes the database's: its first start was cut off, or it was restored.
// With accept the folder's id wins, so that the database that belongs here can come back without another word.
//
// The database's id is written first, so a crash in between is a folder that takes the database's.
func matchIDs(f *disk.Folder, db *bolt.DB, was folder, accept bool) error {
	id, err := readID(db)
	if err != nil {
		return err
	}
	if was.id != "" && was.id == id {
		return nil
	}
	if was.id != "" && !accept {
		return was.foreignDatabase(id)
	}
	want := was.id
	if want == "" {
		want = id
	}
	if want == "" {
		want = newID()
	}
	if want != id {
		if err := db.Update(func(tx *bolt.Tx) error { return putID(tx, want) }); err != nil {
			return err
		}
	}
	if want == was.id {
		return nil
	}
	return f.ReplaceFile(idName, 0o600, func(w io.Writer) error {
		_, err := io.WriteString(w, want+"\n")
		return err
	})
}

// foreignDatabase is the refusal of a database that has another id than its folder.
func (f folder) foreignDatabase(id string) error {
	blobs, bytes, err := countBlobs(f.dir)
	if err != nil {
		return err
	}
	has := "has the id " + id
	if id == "" {
		has = "has no id"
	}
	return problem.Errorf(
		ErrDatabase,
		"%s %s and belongs to another data folder: this one has the id %s and %s. Put the right %s back. %s "+
			"To take this database as this folder's: larder serve --accept-new-database.",
		dbName, has, f.id, blobText(blobs, bytes), dbName, recoveryHelp,
	)
}
