package bolt

import (
	"math"
	"os/signal"
	"syscall"
)

// limitFileSize has the kernel refuse to write beyond a size, with an error and not with a signal. It can be raised again.
func limitFileSize(bytes uint64) error {
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: math.MaxUint64})
}
