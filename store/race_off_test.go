//go:build !race

package store

// This file says that the tests run without the race detector.

// raceEnabled is false: limits on memory hold.
const raceEnabled = false
