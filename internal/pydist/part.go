package pydist

// This file reads the metadata of a wheel in parts, without the rest of it.

import (
	stdzip "archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxPart is how many bytes of a wheel are read for its METADATA. The directory of the largest wheels has two
// megabytes, and each entry of it needs memory.
const maxPart = 16 << 20

// bounded is a reader that fails after a number of bytes.
type bounded struct {
	r    io.ReaderAt
	left int
}

func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, refuse("The wheel's directory is larger than is accepted.")
	}
	return b.r.ReadAt(p, off)
}

// ReadMetadata reads METADATA of a wheel of an upstream, and as little else as possible: r may fetch each piece from
// the network. It returns problem.ErrInvalid if the wheel has none that can be read, or an error of r.
func ReadMetadata(r io.ReaderAt, size int64) ([]byte, error) {
	z, err := stdzip.NewReader(&bounded{r, maxPart}, size)
	if err != nil {
		return nil, unreadable(err)
	}
	var found *stdzip.File
	for _, f := range z.File {
		folder, name, _ := strings.Cut(f.Name, "/")
		if name != "METADATA" || !strings.HasSuffix(folder, ".dist-info") {
			continue
		}
		if found != nil {
			return nil, refuse("The wheel has two files METADATA.")
		}
		found = f
	}
	if found == nil || found.UncompressedSize64 > maxMetadata {
		return nil, refuse("The wheel has no file METADATA that can be read.")
	}
	in, err := found.Open()
	if err != nil {
		return nil, unreadable(err)
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, maxMetadata+1))
	if err != nil {
		return nil, unreadable(err)
	}
	return raw, nil
}

// unreadable turns errors of the archive into problem.ErrInvalid; others stay as they are.
func unreadable(err error) error {
	for _, damage := range []error{
		stdzip.ErrFormat, stdzip.ErrAlgorithm, stdzip.ErrChecksum, io.ErrUnexpectedEOF, io.EOF,
	} {
		if errors.Is(err, damage) {
			return fmt.Errorf("%w: %w", refuse("The wheel is damaged."), err)
		}
	}
	return err
}
