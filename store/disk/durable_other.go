//go:build !linux

package disk

// This file stands in for durable_linux.go on systems that are not asked, and get no hints.

import (
	"math"
	"os"
)

// fileSystem knows nothing: only ENOSPC and EROFS themselves tell that the disk is full or read-only.
func fileSystem(string) (free int64, locked bool, err error) { return math.MaxInt64, false, nil }

// ForgetPages is a hint that only Linux takes.
func ForgetPages(*os.File) {}

// SinglePages is a hint that only Linux takes.
func SinglePages(*os.File) {}

// startWriteback is a hint that only Linux takes.
func startWriteback(*os.File, int64, int64) {}
