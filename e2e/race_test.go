//go:build race

package e2e

// raceEnabled says that this test binary was built with the race detector, and so shall be the server's.
const raceEnabled = true
