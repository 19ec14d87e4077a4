package e2e

// The mixed load on a full disk. The disk is a small tmpfs, which the test mounts in a mount namespace of its own,
// where it runs itself again.

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mountedAt is the variable that tells the inner run where to mount its disk.
const mountedAt = "LARDER_TEST_DISK"

// TestKillWithFullDisk ends the server with SIGKILL at random instants while its disk fills up.
// LARDER_FULL_KILLS is the number of kills.
func TestKillWithFullDisk(t *testing.T) {
	dir := os.Getenv(mountedAt)
	if dir == "" {
		runInside(t)
		return
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	disk := &smallDisk{t: t, dir: dir}
	n := kills("LARDER_FULL_KILLS", 3)
	k := newTorture(t, dir, "reserve: 1\n")
	k.full, k.crowd = true, disk.fill
	for round := range n {
		k.killed(round)
		last := round == n-1 || (round+1)%foldersFor == 0
		if last || rand.IntN(3) > 0 { // else it starts without room
			disk.free()
		}
		if last {
			k.end(round)
		}
	}
	t.Log(k.summary(n))
}

// runInside runs the test again in a mount namespace, and in a user namespace as well if the user is not root.
func runInside(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2h")
	cmd.Env = append(os.Environ(), mountedAt+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// smallDisk is a mounted tmpfs and the file that fills it.
type smallDisk struct {
	t   *testing.T
	dir string
}

func (d *smallDisk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves little free space or none.
func (d *smallDisk) fill() {
	d.t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		d.t.Fatal(err)
	}
	leave := int64(rand.IntN(2) * rand.IntN(400<<10))
	size := int64(st.Bavail)*st.Bsize - leave
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); size > 0; size -= int64(len(chunk)) {
		if _, err := f.Write(chunk[:min(size, int64(len(chunk)))]); err != nil {
			return // the load was faster: it is full
		}
	}
}

func (d *smallDisk) free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
}
