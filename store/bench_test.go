package store

// This file has benchmarks of taking bodies in and reading them.

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"testing"

	"larder/store/disk"
)

// source yields n bytes that differ from run to run, so that every blob is new, without costing time.
type source struct {
	block []byte
	n     int64
	mark  uint64
}

func (s *source) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), s.n)], s.block)
	if n >= 8 {
		binary.LittleEndian.PutUint64(p, s.mark)
	}
	s.n -= int64(n)
	return n, nil
}

// openBench leaves out the check at the end: benchmarks remove files behind the store's back.
func openBench(b *testing.B) *Store {
	s, err := Open(b.TempDir(), Options{Reserve: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func BenchmarkStage(b *testing.B) {
	block := randomBytes(1, 256<<10)
	for _, size := range []int64{1 << 10, 32 << 10, 1 << 20, 64 << 20, 512 << 20} {
		for _, sums := range [][]string{nil, {"md5", "sha1", "sha512"}} {
			b.Run(fmt.Sprintf("%dKiB/sums=%d", size>>10, len(sums)), func(b *testing.B) {
				s := openBench(b)
				b.SetBytes(size)
				for mark := uint64(0); b.Loop(); mark++ {
					benchStage(b, s, StageOptions{Size: size, Sums: sums}, &source{block, size, mark})
				}
			})
		}
	}
}

func benchStage(b *testing.B, s *Store, o StageOptions, r io.Reader) {
	ctx := context.Background()
	st, err := s.Stage(ctx, o)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := st.ReadFrom(r); err != nil {
		b.Fatal(err)
	}
	blob, err := st.Commit(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.StopTimer() // the disk is to write to the same places in each round
	if err := os.Remove(s.files.Path(disk.BlobPath(blob.Digest))); err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
}

func BenchmarkPutBytes(b *testing.B) {
	for _, workers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("new/parallel=%d", workers), func(b *testing.B) {
			s := openBytes(b, b.TempDir(), Options{})
			b.SetParallelism(workers)
			var mark atomic.Uint64
			b.RunParallel(func(pb *testing.PB) {
				p := randomBytes(1, 4096)
				for pb.Next() {
					binary.LittleEndian.PutUint64(p, mark.Add(1))
					mustPut(b, s, p)
				}
			})
		})
	}
	b.Run("exists", func(b *testing.B) {
		s := openBytes(b, b.TempDir(), Options{})
		for b.Loop() {
			mustPut(b, s, []byte("{}"))
		}
	})
}

func BenchmarkReadBlob(b *testing.B) {
	s := openBytes(b, b.TempDir(), Options{})
	blob := mustPut(b, s, randomBytes(1, 4096))
	for b.Loop() {
		if _, err := s.ReadBlob(context.Background(), blob.Digest, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpload(b *testing.B) {
	s := openBytes(b, b.TempDir(), Options{})
	body := randomBytes(1, 64<<10)
	ctx := context.Background()
	b.SetBytes(int64(len(body)))
	for n := uint64(0); b.Loop(); n++ {
		binary.LittleEndian.PutUint64(body, n)
		if err := uploadAll(ctx, s, body); err != nil {
			b.Fatal(err)
		}
	}
}
