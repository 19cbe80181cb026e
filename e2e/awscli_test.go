package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// configure gives the AWS CLI a setting of its s3 section.
func (c *tool) configure(setting string) {
	c.t.Helper()
	c.env = append(c.env, "AWS_CONFIG_FILE="+c.file(".aws-config", []byte("[default]\ns3 =\n  "+setting+"\n")))
}

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	s := start(t)
	aws := s.client("aws")
	small, big := random(1, 10_000), random(2, 17*mib) // above 8 MiB the CLI uploads in parts
	aws.file("small.bin", small)
	aws.file("big.bin", big)
	aws.file("tree/a.txt", []byte("a"))
	aws.file("tree/sub dir/ü.txt", []byte("b"))
	aws.file("tree/empty", nil)

	aws.run("s3", "mb", "s3://cli")
	if out := aws.run("s3", "ls"); !strings.HasSuffix(strings.TrimSpace(out), " cli") {
		t.Errorf("ls: %q", out)
	}
	aws.run("s3", "cp", "small.bin", "s3://cli/")
	aws.run("s3", "cp", "big.bin", "s3://cli/dir/big.bin", "--no-progress")
	aws.run("s3", "cp", "s3://cli/dir/big.bin", "back.bin", "--no-progress")
	aws.same("back.bin", big)
	if out := aws.run("s3", "cp", "s3://cli/small.bin", "-"); out != string(small) {
		t.Errorf("cp to standard output: %d bytes", len(out))
	}
	pipe := exec.Command(aws.path, "s3", "cp", "-", "s3://cli/piped")
	pipe.Env, pipe.Dir, pipe.Stdin = aws.env, aws.dir, bytes.NewReader(big)
	if out, err := pipe.CombinedOutput(); err != nil {
		t.Errorf("cp from standard input: %v\n%s", err, out)
	}
	wantObject(t, s.sdk(), "cli", "piped", big)
	aws.run("s3", "cp", "s3://cli/dir/big.bin", "s3://cli/copied", "--no-progress") // UploadPartCopy by ranges
	wantObject(t, s.sdk(), "cli", "copied", big)
	aws.run("s3", "mv", "s3://cli/copied", "s3://cli/moved")

	aws.run("s3", "sync", "tree", "s3://cli/tree")
	if out := aws.run("s3", "sync", "tree", "s3://cli/tree"); strings.TrimSpace(out) != "" {
		t.Errorf("a second sync transfers again: %s", out)
	}
	aws.run("s3", "sync", "s3://cli/tree", "down")
	aws.same("down/sub dir/ü.txt", []byte("b"))
	aws.same("down/empty", nil)
	out := aws.run("s3", "ls", "s3://cli/", "--recursive", "--summarize")
	for _, want := range []string{"tree/sub dir/ü.txt", "dir/big.bin", "moved", "Total Objects: 7"} {
		if !strings.Contains(out, want) {
			t.Errorf("ls --recursive lacks %q:\n%s", want, out)
		}
	}

	// Version 1 of the CLI presigns with SigV2 in us-east-1 unless it is told otherwise. That is not served, and the
	// answer says what is.
	fetch := func() answer {
		t.Helper()
		response, err := s.http.Get(strings.TrimSpace(aws.run("s3", "presign", "s3://cli/small.bin")))
		if err != nil {
			t.Fatal(err)
		}
		return s.read(response)
	}
	if strings.HasPrefix(aws.run("--version"), "aws-cli/1.") {
		old := fetch()
		old.want(t, "SigV2", http.StatusBadRequest, "InvalidRequest")
		if !strings.Contains(old.err.Message, "AWS4-HMAC-SHA256") {
			t.Errorf("SigV2: %s", old.err.Message)
		}
	}
	aws.configure("signature_version = s3v4")
	got := fetch()
	if got.want(t, "presign", http.StatusOK, ""); !bytes.Equal(got.body, small) {
		t.Errorf("presign: %d bytes", len(got.body))
	}

	if out, err := aws.try("s3", "rb", "s3://cli"); err == nil || !strings.Contains(out, "BucketNotEmpty") {
		t.Errorf("rb of a bucket with objects: %v\n%s", err, out)
	}
	aws.run("s3", "rm", "s3://cli", "--recursive")
	aws.run("s3", "rb", "s3://cli")
}

// TestAWSCLIQuota is the session of the README: the message of the 507 reaches the terminal, in one attempt.
func TestAWSCLIQuota(t *testing.T) {
	t.Parallel()
	s := start(t)
	aws := s.client("aws")
	aws.file("big.bin", make([]byte, 64*mib))
	aws.file("small.bin", []byte("small"))
	aws.run("s3", "mb", "s3://photos")
	s.cli("quota", "set", "photos", "--max-bytes", "10MiB", "--max-objects", "1000")
	for _, command := range []string{
		"s3 cp big.bin s3://photos/ --no-progress",                      // in parts
		"s3api put-object --bucket photos --key big.bin --body big.bin", // at once
	} {
		out, err := aws.try(strings.Fields(command)...)
		if err == nil || !strings.Contains(out, "QuotaExceeded") || !strings.Contains(out, `Bucket "photos" has a limit of 10.0 MiB`) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		if strings.Contains(out, "reached max retries") {
			t.Errorf("%s: the CLI has tried again:\n%s", command, out)
		}
	}
	aws.run("s3", "cp", "small.bin", "s3://photos/")
	// The CLI aborts the upload that was refused: nothing is left of it.
	s.wantUsage("photos", 5, 1, 0)
	if out := s.cli("usage", "photos"); !strings.Contains(out, "10.0 MiB") {
		t.Errorf("usage: %s", out)
	}
}

func TestAWSCLIMultipart(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.bucket("api")
	aws := s.client("aws")
	parts := [][]byte{random(1, 5*mib), random(2, 1000)}
	var created struct {
		UploadID string `json:"UploadId"`
	}
	var part struct{ ETag string }
	api := func(into any, args ...string) string {
		t.Helper()
		out := aws.run(append([]string{"s3api"}, append(args, "--bucket", "api", "--key", "k", "--output", "json")...)...)
		if into != nil {
			if err := json.Unmarshal([]byte(out), into); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		return out
	}
	api(&created, "create-multipart-upload")
	var complete struct {
		Parts []map[string]any
	}
	for i, data := range parts {
		number := fmt.Sprint(i + 1)
		api(&part, "upload-part", "--upload-id", created.UploadID, "--part-number", number, "--body", aws.file("part"+number, data))
		complete.Parts = append(complete.Parts, map[string]any{"PartNumber": i + 1, "ETag": part.ETag})
	}
	if out := api(nil, "list-parts", "--upload-id", created.UploadID); !strings.Contains(out, "5242880") {
		t.Errorf("list-parts: %s", out)
	}
	document, err := json.Marshal(complete)
	if err != nil {
		t.Fatal(err)
	}
	out := api(nil, "complete-multipart-upload", "--upload-id", created.UploadID, "--multipart-upload", "file://"+aws.file("parts.json", document))
	if !strings.Contains(out, strings.Trim(multipartETag(parts...), `"`)) {
		t.Errorf("complete-multipart-upload: %s", out)
	}
	wantObject(t, s.sdk(), "api", "k", bytes.Join(parts, nil))
}

// TestVirtualHosts: the bucket's name in the host's.
func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	s := start(t, "--domain", "s3.example.com")
	s.bucket("virtual")
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	for i, host := range []string{"virtual.localhost", "virtual.localhost:" + port, "virtual.s3.example.com", "VIRTUAL.S3.example.com"} {
		key, data := fmt.Sprintf("key/%d", i), []byte(host)
		s.send(request{method: http.MethodPut, path: "/" + key, host: host, body: data}).want(t, "put to "+host, http.StatusOK, "")
		got := s.send(request{method: http.MethodGet, path: "/" + key, host: host})
		if got.want(t, "get from "+host, http.StatusOK, ""); !bytes.Equal(got.body, data) {
			t.Errorf("get from %s: %q", host, got.body)
		}
		wantObject(t, s.sdk(), "virtual", key, data) // the same object in path style
	}
	s.send(request{method: http.MethodGet, path: "/key/0", host: "absent.localhost"}).want(t, "absent", http.StatusNotFound, "NoSuchBucket")

	t.Run("aws CLI", func(t *testing.T) {
		if _, err := net.LookupHost("virtual.localhost"); err != nil {
			t.Skip("this machine does not resolve *.localhost: " + err.Error())
		}
		aws := s.client("aws")
		aws.configure("addressing_style = virtual")
		aws.env = append(aws.env, "AWS_ENDPOINT_URL=http://localhost:"+port)
		aws.file("small.bin", []byte("small"))
		aws.run("s3", "cp", "small.bin", "s3://virtual/from-cli")
		if out := aws.run("s3", "cp", "s3://virtual/from-cli", "-"); out != "small" {
			t.Errorf("cp: %q", out)
		}
	})
}
