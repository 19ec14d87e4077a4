package disk

// This file keeps the reserve: how much room the disk has, asked rarely enough to cost nothing.

import (
	"sync"
	"time"

	"larder/internal/problem"
)

const (
	// SpaceStep is how many bytes may be written, by anyone, before free space is looked up again.
	SpaceStep = 64 << 20
	// spaceAge is after how long it is.
	spaceAge = 100 * time.Millisecond
)

// space remembers how much room the disk had when it was last asked. The clock is the machine's: it paces system calls.
type space struct {
	mu      sync.Mutex
	checked time.Time
	free    int64
	locked  bool  // the file system is mounted read-only
	since   int64 // bytes written after checked
}

// Room counts n bytes that are about to be written. ErrFull when those, and ahead more, would eat into the reserve;
// ErrReadOnly when the file system takes no changes at all.
func (f *Folder) Room(n, ahead int64) error {
	if f.reserve < 0 {
		return nil
	}
	s := &f.space
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since += n
	if s.since >= SpaceStep || time.Since(s.checked) >= spaceAge {
		err := f.Step("statfs", ".", func() (err error) {
			s.free, s.locked, err = fileSystem(f.dir)
			return err
		})
		if err != nil {
			return err
		}
		s.checked, s.since = time.Now(), n
	}
	if s.locked {
		return errMountedReadOnly()
	}
	if s.free-s.since-ahead < f.reserve {
		return problem.Errorf(ErrFull, "the registry's disk is full")
	}
	return nil
}

// ForgetSpace makes the next Room ask the kernel: a write has just found the disk full, or read-only.
func (f *Folder) ForgetSpace() {
	f.space.mu.Lock()
	defer f.space.mu.Unlock()
	f.space.checked = time.Time{}
}

// Free is how many bytes an unprivileged process may still write, as the kernel says.
func (f *Folder) Free() (int64, error) {
	free, _, err := fileSystem(f.dir)
	return free, err
}
