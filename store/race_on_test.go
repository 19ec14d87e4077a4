//go:build race

package store

// raceEnabled: the race detector multiplies memory, so limits on it do not hold.
const raceEnabled = true
