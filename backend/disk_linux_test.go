package backend

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

const diskBytes = 24 << 20

// smallDisk returns a data directory on a file system of diskBytes, and where that is mounted.
func smallDisk(t *testing.T) (dir, mount string) {
	t.Helper()
	mount = t.TempDir()
	err := syscall.Mount("plimsoll-test", mount, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a small tmpfs needs root")
	}
	if err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return filepath.Join(mount, "data"), mount
}

func onDisk(dir string, reserve DiskReserve) func(*Options) {
	return func(o *Options) { o.Dir, o.Reserve = dir, reserve }
}

// fill takes the rest of the disk with a junk file, to the last page.
func fill(t *testing.T, mount string) (junk string) {
	t.Helper()
	junk = filepath.Join(mount, "junk")
	f, err := os.OpenFile(junk, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return junk
}

// wantFull requires that err is the refusal of a disk, with figures that make sense.
func wantFull(t *testing.T, err error) InsufficientStorageError {
	t.Helper()
	var e *InsufficientStorageError
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want the refusal of a full disk", err)
	}
	if e.Available < 0 || e.Requested < 0 || e.Total != diskBytes {
		t.Errorf("%+v", *e)
	}
	return *e
}

// fillWithObjects puts objects of size bytes until the disk refuses one, and returns how many there are.
func (f *fixture) fillWithObjects(t *testing.T, prefix string, size int) (n int) {
	t.Helper()
	for ; n <= diskBytes/4096; n++ {
		if err := f.tryPut(meta.Key(fmt.Sprintf("%s%d", prefix, n)), noise(size, uint64(n))); err != nil {
			wantFull(t, err)
			return n
		}
	}
	t.Fatal("a small disk takes more than it has")
	return 0
}

func TestAFullDiskServesReadsAndDeletes(t *testing.T) {
	dir, _ := smallDisk(t)
	f := open(t, onDisk(dir, DiskReserve{}))
	id := f.createUpload("up", meta.Upload{})
	f.part("up", id, 1, noise(1000, 1))
	const large = 300_000
	n := f.fillWithObjects(t, "large", large)
	// What is left takes small ones, to the last page.
	small := f.fillWithObjects(t, "small", 1)
	if n < 10 || small < 1 {
		t.Fatalf("%d large and %d small objects filled the disk", n, small)
	}
	_, err := f.tryPart("up", id, 2, body(noise(large, 1)))
	wantFull(t, err)
	for i := range n {
		f.wantContent(meta.Key(fmt.Sprintf("large%d", i)), noise(large, uint64(i)))
	}
	f.abort("up", id)
	for i := range n / 2 {
		f.delete(meta.Key(fmt.Sprintf("large%d", i)))
	}
	f.garbage.wait()
	for i := range n/2 - 2 {
		f.put(meta.Key(fmt.Sprintf("again%d", i)), noise(large, uint64(i)))
	}
	f = f.reopen()
	f.wantContent("again0", noise(large, 0))
}

func TestADiskThatFillsWhileABodyArrives(t *testing.T) {
	dir, mount := smallDisk(t)
	f := open(t, onDisk(dir, DiskReserve{}))
	f.put("k", noise(1000, 1))
	content := noise(900_000, 2)
	var junk string
	_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: Body{
		Size: int64(len(content)),
		Reader: io.MultiReader(bytes.NewReader(content[:400_000]), &hook{do: func() { junk = fill(t, mount) }},
			bytes.NewReader(content[400_000:])),
	}})
	if e := wantFull(t, err); !errors.Is(err, syscall.ENOSPC) || e.Requested != 900_000 {
		t.Errorf("%+v", e)
	}
	f.wantIdle()
	f.wantNoOrphans()
	f.wantContent("k", noise(1000, 1))
	if err := os.Remove(junk); err != nil {
		t.Fatal(err)
	}
	f.put("k", content)
	f.wantContent("k", content)
}

// TestOnADiskThatIsFullOfOtherThings has not a page left for a commit, but for the ballast's.
func TestOnADiskThatIsFullOfOtherThings(t *testing.T) {
	dir, mount := smallDisk(t)
	f := open(t, onDisk(dir, DiskReserve{}))
	keys := make([]meta.Key, 500)
	for i := range keys {
		keys[i] = meta.Key(fmt.Sprintf("k%d", i))
		f.put(keys[i], nil) // frees no blob when it is deleted
	}
	f.put("last", noise(1000, 1))
	<-f.cleaned
	f.awaitBallast()
	junk := fill(t, mount)
	in := PutObjectInput{Bucket: "b", Key: "new", Body: Body{Reader: unread{t}, Size: 1000}}
	_, err := f.PutObject(background, in)
	wantFull(t, err)
	in.Key = "last" // no growth, and yet it takes space before it gives some back
	_, err = f.PutObject(background, in)
	wantFull(t, err)
	wantFull(t, f.copy("last", "copy"))
	for i, err := range f.deleteAll("b", keys) {
		if err != nil {
			t.Fatalf("delete %d: %v", i, err)
		}
	}
	f.wantContent("last", noise(1000, 1))
	f.wantUsage(bucketB, quota.Usage{Bytes: 1000, Objects: 1})
	if err := os.Remove(junk); err != nil {
		t.Fatal(err)
	}
	f.put("new", noise(1000, 2))
}

// awaitBallast takes the ballast if the store has not yet done so itself.
func (f *fixture) awaitBallast() {
	f.t.Helper()
	available, _, err := f.blobs.Free()
	if err != nil {
		f.t.Fatal(err)
	}
	f.ballast.take(available)
	if info, err := os.Stat(f.ballast.path); err != nil || info.Size() != ballastBytes {
		f.t.Fatalf("no ballast with %d bytes available: %v", available, err)
	}
}

// TestOpeningOnAFullDisk drops the ballast to make room, and does not let objects take its place: deletes need it.
func TestOpeningOnAFullDisk(t *testing.T) {
	dir, mount := smallDisk(t)
	f := open(t, onDisk(dir, DiskReserve{}))
	keys := make([]meta.Key, 300)
	for i := range keys {
		keys[i] = meta.Key(fmt.Sprintf("k%d", i))
		f.put(keys[i], nil)
	}
	f.put("blob", noise(1000, 1))
	f.awaitBallast()
	f.finish()
	junk := fill(t, mount)
	f.check() // as plimsoll check does, on the full disk

	f = openWith(t, f.options)
	f.fillWithObjects(t, "large", 64<<10)
	f.fillWithObjects(t, "small", 1)
	for i := range 300 { // shrinks nothing and grows nothing
		err := f.tryPut("blob", noise(1000, uint64(i)))
		if err != nil {
			wantFull(t, err)
		}
	}
	for i, err := range f.deleteAll("b", keys) {
		if err != nil {
			t.Fatalf("delete %d: %v", i, err)
		}
	}
	f.delete("blob")
	f.wantUsage(bucketB, quota.Usage{})
	if err := os.Remove(junk); err != nil {
		t.Fatal(err)
	}
	f.put("large", noise(1<<20, 1))
}

func TestTheReserveIsLeftAlone(t *testing.T) {
	for _, reserve := range []DiskReserve{{Bytes: 10 << 20}, {Percent: 50}, {Bytes: 1 << 20, Percent: 50}} {
		t.Run(fmt.Sprintf("%+v", reserve), func(t *testing.T) {
			dir, _ := smallDisk(t)
			f := open(t, onDisk(dir, reserve))
			f.awaitBallast()
			n := f.fillWithObjects(t, "k", 300_000)
			free, _, err := f.blobs.Free()
			if err != nil || free < reserve.of(diskBytes) || free > reserve.of(diskBytes)+400_000 {
				t.Errorf("%d bytes are free with a reserve of %d, error %v", free, reserve.of(diskBytes), err)
			}
			_, err = f.PutObject(background, PutObjectInput{Bucket: "b", Key: "l", Body: Body{Reader: unread{t}, Size: 300_000}})
			if e := wantFull(t, err); e.Cause != nil || e.Transient || e.Available >= 300_000 || e.Requested != 300_000 {
				t.Errorf("%+v", e)
			}
			f.put("k0", noise(300_000, 9)) // what does not grow may pass through the reserve
			f.delete("k1")
			f.garbage.wait()
			f.put("l", noise(300_000, 1))
			if n < 3 {
				t.Errorf("%d objects filled the disk", n)
			}
		})
	}
}

// preallocated is the size from which a blob takes its space when it begins.
const preallocated = 1 << 20

// TestBodiesThatArriveAddUpAgainstTheDisk holds a body back: what it still has to write is taken to be gone.
func TestBodiesThatArriveAddUpAgainstTheDisk(t *testing.T) {
	dir, _ := smallDisk(t)
	f := open(t, onDisk(dir, DiskReserve{}))
	f.awaitBallast()
	for i := range 3 {
		f.put(meta.Key(fmt.Sprintf("fill%d", i)), noise(6<<20, uint64(i)))
	}
	const size = preallocated - 1000
	available, _, err := f.Free()
	if err != nil || available < size || available > 2*size {
		t.Fatalf("%d bytes are left, error %v: the test wants room for one body", available, err)
	}
	b := Body{Size: size, Reader: &hook{do: func() {
		_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "second", Body: Body{Reader: unread{t}, Size: size}})
		if e := wantFull(t, err); !e.Transient {
			t.Errorf("a refusal that only the first body caused is said to last: %+v", e)
		}
	}}}
	if _, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "first", Body: b}); !errors.Is(err, ErrIncompleteBody) {
		t.Error(err)
	}
	f.put("second", noise(size, 2))
}
