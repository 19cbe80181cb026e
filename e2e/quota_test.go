package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// account is what the command line tells of a bucket or the server with --json.
type account struct {
	Scope          string `json:"scope"`
	Name           string `json:"name"`
	MaxBytes       int64  `json:"max_bytes"`
	MaxObjects     int64  `json:"max_objects"`
	UsedBytes      int64  `json:"used_bytes"`
	Objects        int64  `json:"objects"`
	PartBytes      int64  `json:"part_bytes"`
	Uploads        int64  `json:"uploads"`
	ReservedBytes  int64  `json:"reserved_bytes"`
	AvailableBytes *int64 `json:"available_bytes"`
}

func (s *server) usage(bucket string) account {
	s.t.Helper()
	var a account
	out := s.cli("usage", bucket, "--json")
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		s.t.Fatalf("usage --json: %v\n%s", err, out)
	}
	return a
}

// wantUsage fails the test unless a bucket holds this much, by the command line and by the metrics.
func (s *server) wantUsage(bucket string, bytes, objects, partBytes int64) {
	s.t.Helper()
	if a := s.usage(bucket); a.UsedBytes != bytes || a.Objects != objects || a.PartBytes != partBytes || a.ReservedBytes != 0 {
		s.t.Errorf("usage of %s: %+v, want %d bytes, %d objects, %d in parts", bucket, a, bytes, objects, partBytes)
	}
}

// want507 fails the test unless the error is a 507 of a limit that reached the SDK as that.
func want507(t testing.TB, what string, err error) {
	t.Helper()
	wantCode(t, what, err, "QuotaExceeded")
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() != http.StatusInsufficientStorage {
		t.Errorf("%s: status %d, want 507", what, response.HTTPStatusCode())
	}
}

func TestQuotaByOneByte(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("one-byte"))
	s.cli("quota", "set", *bucket, "--max-bytes", "1MiB")
	write := func(key string, size int) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(random(1, size))})
		return err
	}
	if err := write("a", mib-100); err != nil {
		t.Fatal(err)
	}
	want507(t, "one byte over", write("b", 101))
	wantCode(t, "exactly at the limit", write("b", 100), "")
	s.wantUsage(*bucket, mib, 2, 0)
	want507(t, "a byte into a full bucket", write("c", 1))
	wantCode(t, "nothing into a full bucket", write("empty", 0), "")
	// What is overwritten is credited, and no more than that.
	wantCode(t, "the same size again", write("b", 100), "")
	want507(t, "overwrite by one more", write("b", 101))
	wantCode(t, "overwrite by one less", write("b", 99), "")
	wantCode(t, "the byte that is left", write("c", 1), "")
	want507(t, "and no other", write("d", 1))

	// The figures in the answer are those of the store.
	got := s.send(request{method: http.MethodPut, path: "/one-byte/d", body: make([]byte, 500)})
	got.want(t, "figures", http.StatusInsufficientStorage, "QuotaExceeded")
	if e := got.err; e.Scope != "bucket" || e.QuotaTotal != mib || e.QuotaUsed != mib || e.QuotaAvailable != 0 ||
		e.QuotaRequested != 500 || e.Resource != "/one-byte/d" || e.SuggestedAction == "" ||
		!strings.Contains(e.Message, `Bucket "one-byte" has a limit of 1.0 MiB`) || !strings.Contains(e.Message, "500 B") {
		t.Errorf("figures: %+v", e)
	}
	if got.header.Get("Retry-After") != "3600" || got.header.Get("Server") != "Plimsoll" {
		t.Errorf("headers: %v", got.header)
	}

	// Deleting makes room; lowering the limit deletes nothing and stops growth only.
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
	s.wantUsage(*bucket, 100, 3, 0)
	s.cli("quota", "set", *bucket, "--max-bytes", "50")
	want507(t, "above a lowered limit", write("d", 1))
	wantCode(t, "shrinking above a lowered limit", write("b", 60), "")
	s.cli("quota", "clear", *bucket)
	wantCode(t, "without a limit", write("d", 2*mib), "")
}

func TestQuotaOfObjects(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("counted"))
	s.cli("quota", "set", *bucket, "--max-objects", "3")
	write := func(key string) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(key)})
		return err
	}
	for _, key := range []string{"1", "2", "3"} {
		wantCode(t, key, write(key), "")
	}
	want507(t, "a fourth", write("4"))
	wantCode(t, "an overwrite", write("3"), "")
	_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("4"), CopySource: aws.String(*bucket + "/1")})
	want507(t, "a copy", err)
	u := startUpload(t, client, *bucket, "4")
	if err := u.part(1, []byte("part")); err == nil { // whether the part is refused already is up to the rule's second half
		_, err = u.complete()
		want507(t, "complete", err)
	} else {
		want507(t, "part", err)
	}
	if err := u.abort(); err != nil {
		t.Error(err)
	}
	s.wantUsage(*bucket, 3, 3, 0)
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "after a delete", write("4"), "")
	want507(t, "and again", write("5"))
}

func TestQuotaOfCopies(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client := t.Context(), s.sdk()
	from, to := s.bucket("copy-from"), s.bucket("copy-to")
	put(t, client, from, "k", random(1, 1000))
	duplicate := func(bucket, key string) error {
		_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: aws.String(from + "/k")})
		return err
	}
	// A copy moves no bytes, and is charged in full.
	s.cli("quota", "set", to, "--max-bytes", "1999")
	wantCode(t, "first copy", duplicate(to, "1"), "")
	want507(t, "second copy, one byte over", duplicate(to, "2"))
	s.cli("quota", "set", to, "--max-bytes", "2000")
	wantCode(t, "second copy, exactly", duplicate(to, "2"), "")
	wantCode(t, "a copy over a copy", duplicate(to, "2"), "")
	s.wantUsage(to, 2000, 2, 0)

	// The server's limit is over all buckets.
	s.cli("quota", "set", "--server", "--max-bytes", "3999")
	want507(t, "server scope", duplicate(from, "k2"))
	s.cli("quota", "set", "--server", "--max-bytes", "4000")
	wantCode(t, "server scope, exactly", duplicate(from, "k2"), "")
	got := s.send(request{method: http.MethodPut, path: "/" + from + "/x", body: []byte("x")})
	got.want(t, "server scope", http.StatusInsufficientStorage, "QuotaExceeded")
	if got.err.Scope != "server" || got.err.QuotaTotal != 4000 || got.err.QuotaUsed != 4000 {
		t.Errorf("server scope: %+v", got.err)
	}
}

func TestQuotaOfMultipart(t *testing.T) {
	t.Parallel()
	s := start(t)
	client, bucket := s.sdk(), s.bucket("parts")
	part := random(1, 5*mib)
	s.cli("quota", "set", bucket, "--max-bytes", fmt.Sprint(5*mib+10))

	u := startUpload(t, client, bucket, "k")
	wantCode(t, "part 1", u.part(1, part), "")
	s.wantUsage(bucket, 0, 0, 5*mib)
	want507(t, "a part of one byte over", u.part(2, make([]byte, 11)))
	wantCode(t, "a part that ends at the limit", u.part(2, make([]byte, 10)), "")
	if _, err := u.complete(); err != nil {
		t.Fatalf("complete at the limit: %v", err)
	}
	s.wantUsage(bucket, 5*mib+10, 1, 0)

	// An upload that replaces the object is credited for it.
	u = startUpload(t, client, bucket, "k")
	wantCode(t, "replacing part 1", u.part(1, part), "")
	wantCode(t, "replacing part 2", u.part(2, make([]byte, 10)), "")
	// Complete has the last word, without exception: the limit went down in the meantime.
	s.cli("quota", "set", bucket, "--max-bytes", fmt.Sprint(5*mib+9))
	_, err := u.complete()
	want507(t, "complete under a lowered limit", err)
	s.cli("quota", "set", bucket, "--max-bytes", fmt.Sprint(5*mib+10))
	_, err = u.complete()
	wantCode(t, "complete of a replacement at the limit", err, "")
	s.cli("quota", "set", bucket, "--max-bytes", "20MiB")
	u = startUpload(t, client, bucket, "other")
	wantCode(t, "part of another", u.part(1, part), "")
	s.cli("quota", "set", bucket, "--max-bytes", fmt.Sprint(10*mib+9))
	_, err = u.complete()
	want507(t, "complete, one byte over", err)
	s.cli("quota", "set", bucket, "--max-bytes", fmt.Sprint(10*mib+10))
	_, err = u.complete() // the refused one left the upload as it was
	wantCode(t, "complete, exactly", err, "")
	s.wantUsage(bucket, 10*mib+10, 2, 0)

	// Limits survive a restart, as does what is stored.
	s.stop()
	s.run()
	s.wantUsage(bucket, 10*mib+10, 2, 0)
	_, err = s.sdk().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("x"), Body: strings.NewReader("x")})
	want507(t, "after a restart", err)
}

func TestQuotaInJSON(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "json:100", "--retry-after", "90s")
	got := s.send(request{
		method: http.MethodPut, path: "/json/k", body: make([]byte, 101),
		header: map[string]string{"Accept": "application/json"},
	})
	if got.status != http.StatusInsufficientStorage || got.header.Get("Retry-After") != "90" ||
		got.header.Get("Content-Type") != "application/json" {
		t.Errorf("answer: %d, %v", got.status, got.header)
	}
	var facts map[string]any
	if err := json.Unmarshal(got.body, &facts); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	for name, want := range map[string]any{
		"error": "QuotaExceeded", "scope": "bucket", "quota_total": 100.0, "quota_used": 0.0, "quota_available": 100.0,
		"quota_requested": 101.0,
	} {
		if facts[name] != want {
			t.Errorf("%s: %v, want %v", name, facts[name], want)
		}
	}
	for _, name := range []string{"message", "suggested_action"} {
		if text, _ := facts[name].(string); text == "" {
			t.Errorf("%s is missing: %s", name, got.body)
		}
	}
}
