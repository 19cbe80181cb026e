package e2e

import (
	"net"
	"strings"
	"testing"
)

func TestS3cmd(t *testing.T) {
	t.Parallel()
	s := start(t)
	s3cmd := s.client("s3cmd")
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	config := s3cmd.file("s3cfg", []byte(strings.Join([]string{
		"[default]", "access_key = " + accessKey, "secret_key = " + secretKey, "host_base = " + host + ":" + port,
		"host_bucket = " + host + ":" + port, "use_https = False", "bucket_location = us-east-1", "",
	}, "\n")))
	s3cmd.args = []string{"--config", config, "--no-progress"}
	small, big := random(1, 10_000), random(2, 12*mib)
	s3cmd.file("small.bin", small)
	s3cmd.file("big.bin", big)

	s3cmd.run("mb", "s3://hold")
	s3cmd.run("put", "small.bin", "s3://hold/a b/small.bin")
	s3cmd.run("put", "--multipart-chunk-size-mb=5", "big.bin", "s3://hold/big.bin")
	wantObject(t, s.sdk(), "hold", "big.bin", big)
	s3cmd.run("get", "s3://hold/a b/small.bin", "back.bin")
	s3cmd.same("back.bin", small)
	out := s3cmd.run("ls", "--recursive", "s3://hold")
	for _, want := range []string{"s3://hold/a b/small.bin", "s3://hold/big.bin"} {
		if !strings.Contains(out, want) {
			t.Errorf("ls lacks %q:\n%s", want, out)
		}
	}
	s3cmd.run("del", "--recursive", "--force", "s3://hold")
	s3cmd.run("rb", "s3://hold")
}
