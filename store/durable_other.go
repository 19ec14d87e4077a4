//go:build !linux

package store

import (
	"math"
	"os"
)

// fileSystem: elsewhere only ENOSPC and EROFS themselves tell that the disk is full or read-only.
func fileSystem(string) (free int64, locked bool, err error) { return math.MaxInt64, false, nil }

// forgetPages is a hint that only Linux takes.
func forgetPages(*os.File) {}

// startWriteback is a hint that only Linux takes.
func startWriteback(*os.File, int64, int64) {}
