package disk

// This file shares the fsyncs of folders between all who need one at the same time.

import (
	"os"
	"sync"
)

// dirSync shares fsyncs of one folder between all who ask at the same time.
type dirSync struct {
	open func() (*os.File, error)

	mu   sync.Mutex
	next *syncRound // the round a caller joins now: its fsync has not started

	run  sync.Mutex // held during the fsync
	file *os.File   // under run; stays open so that a write-back error is reported to us
}

type syncRound struct {
	done bool // under dirSync.run, as err
	err  error
}

// dirFor returns the shared syncer of a folder.
func (f *Folder) dirFor(path string) *dirSync {
	if d, ok := f.dirs.Load(path); ok {
		return d.(*dirSync)
	}
	d, _ := f.dirs.LoadOrStore(path, &dirSync{open: func() (*os.File, error) { return os.Open(f.Path(path)) }})
	return d.(*dirSync)
}

// SyncDir makes every rename and creation in the folder that returned before this call durable.
//
// Why sharing is right: a caller joins the current round after its rename; the round is closed to newcomers before its
// fsync is issued; so the fsync started after the rename of everyone who takes its result. As for files, a failure is
// final.
func (f *Folder) SyncDir(path string) error { return f.syncVia(f.dirFor(path), path) }

func (f *Folder) syncVia(d *dirSync, path string) error {
	d.mu.Lock()
	if d.next == nil {
		d.next = &syncRound{}
	}
	r := d.next
	d.mu.Unlock()

	d.run.Lock()
	defer d.run.Unlock()
	if r.done {
		return r.err
	}
	d.mu.Lock()
	d.next = nil
	d.mu.Unlock()
	r.done = true
	if r.err = f.Step("syncdir", path, d.fsync); r.err != nil {
		f.Fail(r.err)
	}
	return r.err
}

// ready opens the folder before the rename it will have to make durable.
func (d *dirSync) ready() error {
	d.run.Lock()
	defer d.run.Unlock()
	return d.ensure()
}

func (d *dirSync) ensure() (err error) {
	if d.file == nil {
		d.file, err = d.open()
	}
	return err
}

func (d *dirSync) fsync() error {
	if err := d.ensure(); err != nil {
		return err
	}
	return d.file.Sync()
}

func (d *dirSync) close() {
	d.run.Lock()
	defer d.run.Unlock()
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
}
