package disk

// This file asks Linux about the file system, and gives it hints.

import (
	"os"

	"golang.org/x/sys/unix"
)

// fileSystem says how many bytes an unprivileged process may still write to dir's file system, and whether that is
// mounted read-only.
func fileSystem(dir string) (free int64, locked bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false, err
	}
	return int64(st.Bavail) * st.Bsize, st.Flags&unix.ST_RDONLY != 0, nil
}

// ForgetPages asks the kernel to drop what it remembers of the file, so that reading it reads the disk. It is a hint.
func ForgetPages(f *os.File) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	// A file system that refuses the hint answers from memory, as it would to anybody else.
	_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED) })
}

// startWriteback asks the kernel to begin writing a range to disk, so that the fsync at the end finds little left to
// do. It is a hint: errors of the write itself are reported by fsync.
func startWriteback(f *os.File, off, n int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	// Errors are those of a hint refused by the file system; fsync decides.
	_ = c.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), off, n, unix.SYNC_FILE_RANGE_WRITE) })
}
