//go:build race

package store

// This file says that the tests run with the race detector.

// raceEnabled: the race detector multiplies memory, so limits on it do not hold.
const raceEnabled = true
