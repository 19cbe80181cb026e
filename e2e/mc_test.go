package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// mc is the MinIO client. Debian's mc is a file manager: the one in GOPATH goes first.
func (s *server) mc() *tool {
	s.t.Helper()
	mc := s.client("mc")
	if out, _ := mc.try("--version"); !strings.Contains(out, "RELEASE") && !strings.Contains(out, "DEVELOPMENT") {
		missing(s.t, "the mc in the path is not the MinIO client")
	}
	mc.args = []string{"--config-dir", s.t.TempDir(), "--disable-pager"}
	mc.run("alias", "set", "plimsoll", s.endpoint, accessKey, secretKey)
	return mc
}

func TestMC(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	small, big := random(1, 10_000), random(2, 17*mib) // above 16 MiB in parts
	mc.file("small.bin", small)
	mc.file("big.bin", big)
	mc.file("tree/a", []byte("a"))
	mc.file("tree/sub/b c", []byte("b"))

	mc.run("mb", "plimsoll/shelf")
	mc.run("cp", "small.bin", "big.bin", "plimsoll/shelf/")
	mc.run("cp", "plimsoll/shelf/big.bin", "back.bin")
	mc.same("back.bin", big)
	if out := mc.run("cat", "plimsoll/shelf/small.bin"); out != string(small) {
		t.Errorf("cat: %d bytes", len(out))
	}
	if out := mc.run("stat", "plimsoll/shelf/small.bin"); !strings.Contains(out, strings.Trim(quotedMD5(small), `"`)) {
		t.Errorf("stat: %s", out)
	}
	mc.run("mirror", "tree", "plimsoll/shelf/tree")
	mc.run("mirror", "plimsoll/shelf/tree", "down")
	mc.same("down/sub/b c", []byte("b"))
	out := mc.run("ls", "--recursive", "plimsoll/shelf")
	for _, want := range []string{"big.bin", "small.bin", "tree/a", "tree/sub/b c"} {
		if !strings.Contains(out, want) {
			t.Errorf("ls lacks %q:\n%s", want, out)
		}
	}
	mc.run("cp", "plimsoll/shelf/big.bin", "plimsoll/shelf/copy")
	wantObject(t, s.sdk(), "shelf", "copy", big)
	mc.run("mv", "plimsoll/shelf/copy", "plimsoll/shelf/moved")

	s.cli("quota", "set", "shelf", "--max-bytes", "40MiB")
	if out, err := mc.try("cp", "big.bin", "plimsoll/shelf/again"); err == nil || !strings.Contains(out, "has a limit of 40.0 MiB") {
		t.Errorf("cp over the limit: %v\n%s", err, out)
	}

	// --force sends x-minio-force-delete, which must not delete a bucket with everything in it.
	s.send(request{method: http.MethodDelete, path: "/shelf", header: map[string]string{"X-Minio-Force-Delete": "true"}}).
		want(t, "force delete", http.StatusConflict, "BucketNotEmpty")
	mc.run("rm", "--recursive", "--force", "plimsoll/shelf")
	mc.run("rb", "plimsoll/shelf")
	if out := mc.run("ls", "plimsoll"); strings.TrimSpace(out) != "" {
		t.Errorf("ls after rb: %s", out)
	}
}
