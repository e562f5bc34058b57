//go:build race

package sim

// A simulation is one goroutine: there is little for the race detector to find, and it takes ten
// times as long.
const defaultSeeds = 200
