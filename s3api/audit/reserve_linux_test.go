package audit

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// allocated returns what the file system has taken for a file.
func allocated(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

// The space of a file is taken before it is needed, so that a full disk leaves room for it, after a restart and a rotation
// as well; and no more than that, when the log is closed.
func TestSpaceIsReserved(t *testing.T) {
	dir := t.TempDir()
	probe, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	if err := unix.Fallocate(int(probe.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 4096); err != nil {
		t.Skipf("the file system takes no space in advance: %v", err)
	}
	const maxBytes = 256 << 10
	path := filepath.Join(dir, "audit.log")
	for range 2 {
		l := openLog(t, Options{Dir: dir, MaxBytes: maxBytes, NoSync: true})
		change(t, l, "alice", "a")
		if got := allocated(t, path); got < maxBytes {
			t.Errorf("%d bytes are taken of %d", got, maxBytes)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if got := allocated(t, path); got > 16<<10 {
			t.Errorf("a closed log keeps %d bytes", got)
		}
	}
	l := openLog(t, Options{Dir: dir, MaxBytes: maxBytes, NoSync: true})
	for len(rotated(t, dir)) == 0 {
		change(t, l, "alice", "a")
	}
	if got := allocated(t, path); got < maxBytes {
		t.Errorf("after a rotation %d bytes are taken of %d", got, maxBytes)
	}
	if got := allocated(t, rotated(t, dir)[0]); got > maxBytes+16<<10 {
		t.Errorf("a rotated file keeps %d bytes", got)
	}
}

func rotated(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "audit.log.*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
