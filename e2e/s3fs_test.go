package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestS3FS mounts a bucket where the kernel lets the test do so.
func TestS3FS(t *testing.T) {
	t.Parallel()
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no file systems in user space here: ", err)
	}
	_ = fuse.Close()
	unmount := require(t, "fusermount")
	s := start(t)
	s.bucket("mounted")
	s3fs := s.client("s3fs")
	passwords := s3fs.file("passwords", []byte(accessKey+":"+secretKey+"\n"))
	if err := os.Chmod(passwords, 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(s3fs.dir, "mount")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	s3fs.run("mounted", root, "-o", "passwd_file="+passwords+",url="+s.endpoint+
		",use_path_request_style,sigv4,multipart_size=5,parallel_count=2,retries=1")
	mounted := true
	release := func() {
		if mounted {
			if out, err := exec.Command(unmount, "-u", root).CombinedOutput(); err != nil {
				t.Errorf("unmounting: %v\n%s", err, out)
			}
			mounted = false
		}
	}
	t.Cleanup(release)

	small, big := random(1, 10_000), random(2, 12*mib)
	s3fs.file("mount/dir/small", small)
	s3fs.file("mount/big", big) // in parts
	if err := os.Rename(filepath.Join(root, "dir", "small"), filepath.Join(root, "dir", "moved")); err != nil {
		t.Error(err)
	}
	s3fs.same("mount/dir/moved", small)
	s3fs.same("mount/big", big)
	wantObject(t, s.sdk(), "mounted", "dir/moved", small)
	wantObject(t, s.sdk(), "mounted", "big", big)
	if err := os.RemoveAll(filepath.Join(root, "dir")); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 1 || entries[0].Name() != "big" {
		t.Errorf("readdir: %v, %v", entries, err)
	}
	release()
}
