//go:build !race

package store

// raceEnabled is false: limits on memory hold.
const raceEnabled = false
