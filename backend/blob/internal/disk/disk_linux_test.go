//go:build amd64 || arm64

package disk

import (
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestSendOutForbidden: a sandbox that does not know the system call answers it with EPERM, as it does all that it does not
// know. That is no disk that fails: Sync does it all.
func TestSendOutForbidden(t *testing.T) {
	f, err := Open(filepath.Join(t.TempDir(), "f"), unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.Write(f.FD, make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	var forbidden, sent, synced error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine, and the filter with the thread
		if forbidden = forbid(unix.SYS_SYNC_FILE_RANGE); forbidden == nil {
			sent, synced = f.SendOut(0, 4096), f.Sync()
		}
	}()
	<-done
	if forbidden != nil {
		t.Skip("no system call can be forbidden here:", forbidden)
	}
	if sent != nil || synced != nil {
		t.Errorf("SendOut: %v, Sync: %v", sent, synced)
	}
}

// forbid has the system answer EPERM to a system call of this thread.
func forbid(call uint32) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
