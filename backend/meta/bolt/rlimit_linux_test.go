package bolt

import (
	"os/signal"
	"syscall"
)

// limitFileSize has the kernel refuse to write beyond a size, with an error and not with a signal.
func limitFileSize(bytes uint64) error {
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes})
}
