package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRcloneVersions(t *testing.T) {
	t.Parallel()
	s := start(t)
	rclone := s.rclone()
	rclone.file("src/kept", []byte("kept"))
	rclone.file("src/changed", []byte("one"))
	rclone.file("src/sub/removed", []byte("removed"))
	rclone.run("mkdir", ":s3:deck")
	rclone.want(words("backend versioning :s3:deck"), "Unversioned")
	rclone.want(words("backend versioning :s3:deck Enabled"), "Enabled")
	rclone.run("sync", "src", ":s3:deck/copy")

	rclone.file("src/changed", []byte("second"))
	if err := os.Remove(filepath.Join(rclone.dir, "src", "sub", "removed")); err != nil {
		t.Fatal(err)
	}
	rclone.run("sync", "src", ":s3:deck/copy")
	rclone.run("check", "--download", "src", ":s3:deck/copy")
	s.wantUsage("deck", 4+3+6+7, 4, 0)
	// Old versions are listed with their time in the name, and can be read under it.
	old := ""
	for _, line := range strings.Split(rclone.run("--s3-versions", "lsf", "--recursive", ":s3:deck/copy"), "\n") {
		if strings.HasPrefix(line, "changed-v") {
			old = line
		}
	}
	if out := rclone.run("--s3-versions", "cat", ":s3:deck/copy/"+old); old == "" || out != "one" {
		t.Errorf("cat of the old version %q: %q", old, out)
	}
	rclone.want(words("--s3-versions lsf --recursive :s3:deck/copy"), "kept", "changed\n", "sub/removed-v")

	rclone.run("backend", "cleanup-hidden", ":s3:deck")
	if out := rclone.run("--s3-versions", "lsf", "--recursive", ":s3:deck/copy"); strings.Contains(out, "-v") {
		t.Errorf("old versions are left:\n%s", out)
	}
	s.wantUsage("deck", 4+6, 2, 0)
	rclone.want(words("backend versioning :s3:deck Suspended"), "Suspended")
	rclone.run("--s3-versions", "purge", ":s3:deck")
	if out := rclone.run("lsd", ":s3:"); strings.TrimSpace(out) != "" {
		t.Errorf("lsd after purge: %s", out)
	}
}
