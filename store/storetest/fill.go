package storetest

// Large data folders for the program that measures Larder, written without HTTP.

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"larder/store"
)

// together is how many versions of a filling are written in one transaction.
const together = 1000

// Fill fills the data folders that LARDER_BENCH_FILL lists, one a line: FOLDER=N is N packages of one version each, and
// FOLDER=NAME*N one package of N versions. add writes a version whose files are all the same. A benchmark of each
// protocol calls it, since only the protocol knows its records; internal/bench runs those: through HTTP, each version
// would wait until its file is on the disk.
func Fill(b *testing.B, add func(s *store.Store, tx *store.Tx, name, version string, file store.Blob) error) {
	for line := range strings.Lines(os.Getenv("LARDER_BENCH_FILL")) {
		dir, what, _ := strings.Cut(strings.TrimSpace(line), "=")
		long, count, of := strings.Cut(what, "*")
		if !of {
			count = what
		}
		n, err := strconv.Atoi(count)
		if err != nil {
			b.Fatal(err)
		}
		s, err := store.Open(dir, store.Options{Reserve: 1})
		if err != nil {
			b.Fatal(err)
		}
		FillWith(b, s, n, func(tx *store.Tx, i int, file store.Blob) error {
			if of {
				return add(s, tx, long, fmt.Sprintf("%d.%d.%d", i/400, i/20%20, i%20), file)
			}
			return add(s, tx, FillName(i), "1.0.0", file)
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// FillWith calls add n times in few transactions, with a file that is there.
func FillWith(t testing.TB, s *store.Store, n int, add func(tx *store.Tx, i int, file store.Blob) error) {
	t.Helper()
	file := Put(t, s, "the file of all versions")
	for from := 0; from < n; from += together {
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			for i := from; i < min(n, from+together); i++ {
				if err := add(tx, i, file); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fillWords are what names of packages are made of.
var fillWords = strings.Fields("json yaml http color parser router cache queue stream buffer graph matrix string " +
	"array date time file path mail image audio chart table form")

// FillName is the name of the ith package: two words, by which it is found among many, and a number.
func FillName(i int) string {
	n := len(fillWords)
	return fmt.Sprintf("%s-%s-%06d", fillWords[i%n], fillWords[i/n%n], i)
}
