package disk

// This file tests the reserve, and the memory that streams borrow.

import (
	"bytes"
	"math"
	"syscall"
	"testing"
)

// TestReserveIsKept: what would eat into the reserve is refused, for what is written and for what is announced.
func TestReserveIsKept(t *testing.T) {
	f := newFolder(t)
	free, err := f.Free()
	must(t, err)
	f.reserve = free / 2
	must(t, f.Room(0, 0))
	wantErr(t, "announced", f.Room(0, free), ErrFull)
	f.ForgetSpace()
	wantErr(t, "written", f.Room(free, 0), ErrFull)
	f.ForgetSpace()
	must(t, f.Room(0, 0))
	f.reserve = math.MaxInt64
	wantErr(t, "no room at all", f.Room(0, 0), ErrFull)
	f.reserve = -1
	must(t, f.Room(0, math.MaxInt64))
}

// TestSpaceIsAskedRarely: bodies in small pieces do not cost a system call each, and many bytes cost another.
func TestSpaceIsAskedRarely(t *testing.T) {
	asked := 0
	f := openFolder(t, t.TempDir(), Options{Reserve: 1, Faults: countSteps{"statfs", &asked}})
	for range SpaceStep >> 20 {
		must(t, f.Room(1<<20, 0))
	}
	few := asked
	if few > SpaceStep>>20/2 {
		t.Errorf("%d pieces asked %d times", SpaceStep>>20, few)
	}
	must(t, f.Room(SpaceStep, 0))
	if asked == few {
		t.Error("free space is not looked up after many bytes")
	}
}

// countSteps counts the steps of one kind, for tests with one goroutine.
type countSteps struct {
	op string
	n  *int
}

// Before implements Faults.
func (c countSteps) Before(op, _ string) error {
	if op == c.op {
		*c.n++
	}
	return nil
}

// After implements Faults.
func (c countSteps) After(string, string) error { return nil }

// TestUnknownSpaceIsNoFullDisk: a file system that cannot be asked is an error of its own, and breaks nothing.
func TestUnknownSpaceIsNoFullDisk(t *testing.T) {
	h := &fault{op: "statfs", err: syscall.EIO}
	f := openFolder(t, t.TempDir(), Options{Reserve: 1, Faults: h})
	h.arm(true)
	err := f.Room(0, 0)
	h.arm(false)
	wantErr(t, "Room", err, syscall.EIO)
	if f.Failure() != nil {
		t.Errorf("the folder is read-only: %v", f.Failure())
	}
}

// TestDiskFillsWhileStreaming: a body that no longer fits ends its stage and leaves nothing.
func TestDiskFillsWhileStreaming(t *testing.T) {
	f := openFolder(t, t.TempDir(), Options{Reserve: 1})
	st, err := f.NewStage(ctx, StageOptions{})
	must(t, err)
	f.reserve = 1 << 60
	_, err = st.ReadFrom(bytes.NewReader(make([]byte, 2*largeBuffer)))
	wantErr(t, "ReadFrom", err, ErrFull)
	st.Abort()
	wantUploads(t, f)
}

// TestBuffersAreBounded: many streams at once degrade to small buffers; nobody waits and everything is given back.
func TestBuffersAreBounded(t *testing.T) {
	f := newFolder(t)
	body := random(9, 2*largeBuffer)
	var stages []*Stage
	for range 40 {
		st, err := f.NewStage(ctx, StageOptions{})
		must(t, err)
		_, err = st.ReadFrom(bytes.NewReader(body))
		must(t, err)
		stages = append(stages, st)
		if lent := f.lent.Load(); lent > largeBudget {
			t.Fatalf("%d bytes lent, the budget is %d", lent, largeBudget)
		}
	}
	for _, st := range stages {
		st.Abort()
	}
	if lent := f.lent.Load(); lent != 0 {
		t.Errorf("%d bytes were not given back", lent)
	}
}

// TestBuffersDegrade: whoever comes when the large buffers are in use gets a small one.
func TestBuffersDegrade(t *testing.T) {
	f := newFolder(t)
	var lent []*[]byte
	for range largeBudget / largeBuffer {
		lent = append(lent, f.Buffer())
	}
	late := f.Buffer()
	if len(*lent[0]) != largeBuffer || len(*late) != smallBuffer {
		t.Errorf("buffers of %d and %d bytes, want %d and %d", len(*lent[0]), len(*late), largeBuffer, smallBuffer)
	}
	f.GiveBack(lent[0])
	if again := f.Buffer(); len(*again) != largeBuffer {
		t.Errorf("after one was given back: %d bytes, want %d", len(*again), largeBuffer)
	}
}
