package e2e

import (
	"strings"
	"testing"
)

// rclone finds the server as ":s3:", without a configuration file.
func (s *server) rclone() *tool {
	s.t.Helper()
	return s.client("rclone", "--config", "/dev/null", "--s3-provider", "Other", "--s3-endpoint", s.endpoint,
		"--s3-access-key-id", accessKey, "--s3-secret-access-key", secretKey, "--s3-region", region,
		"--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", "--retries", "1")
}

func TestRclone(t *testing.T) {
	t.Parallel()
	s := start(t)
	rclone := s.rclone()
	big := random(2, 12*mib)
	rclone.file("src/big.bin", big)
	rclone.file("src/sub/ü space.txt", []byte("b"))
	rclone.file("src/empty", nil)

	rclone.run("mkdir", ":s3:deck")
	rclone.run("copy", "src", ":s3:deck/copy")
	rclone.run("check", "--download", "src", ":s3:deck/copy")
	wantObject(t, s.sdk(), "deck", "copy/big.bin", big)
	if out := rclone.run("cat", ":s3:deck/copy/sub/ü space.txt"); out != "b" {
		t.Errorf("cat: %q", out)
	}
	rclone.run("sync", ":s3:deck/copy", ":s3:deck/again") // copies on the server
	rclone.run("sync", ":s3:deck/again", "down")
	rclone.same("down/big.bin", big)
	out := rclone.run("ls", ":s3:deck/again")
	for _, want := range []string{"12582912 big.bin", "0 empty", "1 sub/ü space.txt"} {
		if !strings.Contains(out, want) {
			t.Errorf("ls lacks %q:\n%s", want, out)
		}
	}
	s.cli("quota", "set", "deck", "--max-bytes", "30MiB")
	if out, err := rclone.try("copyto", "src/big.bin", ":s3:deck/third", "--low-level-retries", "1"); err == nil || !strings.Contains(out, "QuotaExceeded") {
		t.Errorf("copy over the limit: %v\n%s", err, out)
	}
	rclone.run("delete", ":s3:deck/again")
	rclone.run("purge", ":s3:deck")
}
