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
func ForgetPages(f *os.File) { advise(f, unix.FADV_DONTNEED) }

// SinglePages asks the kernel to remember what is read of the file in single pages. Read ahead, it would be remembered
// in blocks of up to 2 MiB, and ext4 then looks at every page of a block for each page that is written into it. It is a
// hint.
func SinglePages(f *os.File) { advise(f, unix.FADV_RANDOM) }

func advise(f *os.File, advice int) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	// A file system that refuses the hint answers as it would to anybody else.
	_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, advice) })
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
