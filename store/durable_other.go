//go:build !linux

package store

import (
	"math"
	"os"
)

// freeSpace: elsewhere only ENOSPC itself tells that the disk is full.
func freeSpace(string) (int64, error) { return math.MaxInt64, nil }

// forgetPages is a hint that only Linux takes.
func forgetPages(*os.File) {}

// startWriteback is a hint that only Linux takes.
func startWriteback(*os.File, int64, int64) {}
