package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// put stores bytes through the SDK's defaults.
func put(t testing.TB, client *s3.Client, bucket, key string, data []byte) *s3.PutObjectOutput {
	t.Helper()
	out, err := client.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(data),
	})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return out
}

// wantObject fails the test unless the key has these bytes.
func wantObject(t testing.TB, client *s3.Client, bucket, key string, want []byte) *s3.GetObjectOutput {
	t.Helper()
	out, err := client.GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return nil
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil {
		t.Errorf("reading %q: %v", key, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("get %q: %d bytes that differ from the %d stored", key, len(got), len(want))
	}
	return out
}

func quotedMD5(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func TestSDKBuckets(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client := t.Context(), s.sdk()
	for _, name := range []string{"zebra", "alpha", "with-dash", "with.dot"} {
		s.bucket(name)
	}
	list, err := client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range list.Buckets {
		names = append(names, *b.Name)
		if age := time.Since(*b.CreationDate); age < -time.Minute || age > time.Hour {
			t.Errorf("bucket %s was created %v ago", *b.Name, age)
		}
	}
	if got := strings.Join(names, " "); got != "alpha with-dash with.dot zebra" {
		t.Errorf("buckets: %s", got)
	}
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("alpha")}); err != nil {
		t.Errorf("head: %v", err)
	}
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("absent")})
	wantCode(t, "head of an absent bucket", err, "NotFound")
	location, err := client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: aws.String("alpha")})
	if err != nil || location.LocationConstraint != "" { // S3 has the empty constraint for us-east-1
		t.Errorf("location: %+v, %v", location, err)
	}

	put(t, client, "zebra", "stripe", []byte("x"))
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("zebra")})
	wantCode(t, "delete of a bucket with an object", err, "BucketNotEmpty")
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("alpha")}); err != nil {
		t.Errorf("delete: %v", err)
	}
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("alpha")})
	wantCode(t, "second delete", err, "NoSuchBucket")
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("alpha"), Key: aws.String("k"), Body: strings.NewReader("x"),
	})
	wantCode(t, "put into the deleted bucket", err, "NoSuchBucket")
}

func TestSDKObjects(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("objects"))

	for _, size := range []int{0, 1, 4096, 64*kib - 1, 64 * kib, mib + 7, 3 * mib} {
		data := random(uint64(size), size)
		if out := put(t, client, *bucket, "object", data); aws.ToString(out.ETag) != quotedMD5(data) {
			t.Errorf("%d bytes: etag %s, want the MD5 %s", size, aws.ToString(out.ETag), quotedMD5(data))
		}
		out := wantObject(t, client, *bucket, "object", data)
		if out == nil || aws.ToInt64(out.ContentLength) != int64(size) || aws.ToString(out.ETag) != quotedMD5(data) {
			t.Errorf("%d bytes: get %+v", size, out)
		}
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("object")})
		if err != nil || aws.ToInt64(head.ContentLength) != int64(size) {
			t.Errorf("%d bytes: head %+v, %v", size, head, err)
		}
	}

	for range 2 { // deleting what is not there succeeds, too
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("object")}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("object")})
	wantCode(t, "get of a deleted object", err, "NoSuchKey")
	_, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("object")})
	wantCode(t, "head of a deleted object", err, "NotFound")
}

func TestSDKMetadataAndCopy(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("metadata"))
	data := random(1, 10_000)
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: aws.String("source key+1"), Body: bytes.NewReader(data),
		ContentType: aws.String("image/png"), CacheControl: aws.String("max-age=60"),
		ContentDisposition: aws.String(`attachment; filename="a b.png"`), ContentEncoding: aws.String("identity"),
		ContentLanguage: aws.String("de"), Expires: aws.Time(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)),
		Metadata: map[string]string{"ship": "Cutty Sark", "empty": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ship": "Cutty Sark", "empty": ""}
	expect := func(key string, metadata map[string]string, contentType string) {
		t.Helper()
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &key})
		if err != nil {
			t.Errorf("head %s: %v", key, err)
			return
		}
		if !maps.Equal(head.Metadata, metadata) || aws.ToString(head.ContentType) != contentType {
			t.Errorf("%s: metadata %v, content type %s", key, head.Metadata, aws.ToString(head.ContentType))
		}
	}
	expect("source key+1", want, "image/png")
	out := wantObject(t, client, *bucket, "source key+1", data)
	if out == nil {
		t.FailNow()
	}
	for name, pair := range map[string][2]string{
		"Cache-Control":       {aws.ToString(out.CacheControl), "max-age=60"},
		"Content-Disposition": {aws.ToString(out.ContentDisposition), `attachment; filename="a b.png"`},
		"Content-Encoding":    {aws.ToString(out.ContentEncoding), "identity"},
		"Content-Language":    {aws.ToString(out.ContentLanguage), "de"},
		"Expires":             {aws.ToString(out.ExpiresString), "Wed, 02 Jan 2030 03:04:05 GMT"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", name, pair[0], pair[1])
		}
	}

	source := aws.String(*bucket + "/source%20key%2B1") // the copy source is URL-encoded
	copied, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copy"), CopySource: source})
	if err != nil || aws.ToString(copied.CopyObjectResult.ETag) != quotedMD5(data) {
		t.Fatalf("copy: %+v, %v", copied, err)
	}
	expect("copy", want, "image/png")
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("replaced"), CopySource: source,
		MetadataDirective: types.MetadataDirectiveReplace, ContentType: aws.String("text/plain"),
		Metadata: map[string]string{"new": "yes"},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect("replaced", map[string]string{"new": "yes"}, "text/plain")
	// A copy onto itself that changes nothing is refused by S3; one that replaces the metadata is how they are edited.
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("source key+1"), CopySource: source})
	wantCode(t, "copy onto itself", err, "InvalidRequest")
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("source key+1"), CopySource: source,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"edited": "1"},
	})
	if err != nil {
		t.Errorf("copy onto itself with REPLACE: %v", err)
	}
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("x"), CopySource: aws.String(*bucket + "/absent"),
	})
	wantCode(t, "copy of nothing", err, "NoSuchKey")
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: bucket, Key: aws.String("x"), CopySource: source, CopySourceIfMatch: aws.String(`"other"`),
	})
	wantCode(t, "copy of another etag", err, "PreconditionFailed")

	// A copy shares its source's bytes and must survive it.
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("source key+1")}); err != nil {
		t.Fatal(err)
	}
	wantObject(t, client, *bucket, "copy", data)
	wantObject(t, client, *bucket, "replaced", data)
}

func TestSDKRanges(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("ranges"))
	const size = 200_000 // crosses several checksum blocks
	data := random(7, size)
	put(t, client, *bucket, "k", data)
	for _, c := range []struct {
		spec         string
		from, to     int
		contentRange string
	}{
		{"bytes=0-0", 0, 1, "bytes 0-0/200000"},
		{"bytes=65535-65536", 65535, 65537, "bytes 65535-65536/200000"},
		{"bytes=100-", 100, size, "bytes 100-199999/200000"},
		{"bytes=-1", size - 1, size, "bytes 199999-199999/200000"},
		{"bytes=-300000", 0, size, "bytes 0-199999/200000"}, // a suffix longer than the object is all of it
		{"bytes=199999-900000", size - 1, size, "bytes 199999-199999/200000"},
		// RFC 9110, 14.2: a range that does not parse is ignored.
		{"bytes=9-3", 0, size, ""},
		{"octets=0-1", 0, size, ""},
	} {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k"), Range: &c.spec})
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		got, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err != nil || !bytes.Equal(got, data[c.from:c.to]) || aws.ToString(out.ContentRange) != c.contentRange {
			t.Errorf("%s: %d bytes, Content-Range %q, %v", c.spec, len(got), aws.ToString(out.ContentRange), err)
		}
	}
	for _, spec := range []string{"bytes=200000-", "bytes=200000-200001", "bytes=-0"} {
		_, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k"), Range: &spec})
		wantCode(t, spec, err, "InvalidRange")
	}
}

func TestSDKConditions(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket, key := t.Context(), s.sdk(), aws.String(s.bucket("conditions")), aws.String("k")
	etag := put(t, client, *bucket, *key, []byte("first")).ETag
	other, past, future := aws.String(`"0123"`), aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))

	for _, c := range []struct {
		name  string
		input s3.GetObjectInput
		want  string // of GET
	}{
		{"if-match", s3.GetObjectInput{IfMatch: etag}, ""},
		{"if-match other", s3.GetObjectInput{IfMatch: other}, "PreconditionFailed"},
		{"if-none-match", s3.GetObjectInput{IfNoneMatch: etag}, "NotModified"},
		{"if-none-match other", s3.GetObjectInput{IfNoneMatch: other}, ""},
		{"if-modified-since past", s3.GetObjectInput{IfModifiedSince: past}, ""},
		{"if-unmodified-since past", s3.GetObjectInput{IfUnmodifiedSince: past}, "PreconditionFailed"},
		{"if-unmodified-since future", s3.GetObjectInput{IfUnmodifiedSince: future}, ""},
		// The etag has precedence over the date.
		{"if-match and unmodified past", s3.GetObjectInput{IfMatch: etag, IfUnmodifiedSince: past}, ""},
		{"if-none-match and modified past", s3.GetObjectInput{IfNoneMatch: etag, IfModifiedSince: past}, "NotModified"},
	} {
		c.input.Bucket, c.input.Key = bucket, key
		out, err := client.GetObject(ctx, &c.input)
		wantCode(t, "get "+c.name, err, c.want)
		if err == nil {
			out.Body.Close()
		}
	}

	write := func(ifMatch, ifNoneMatch *string, key string) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: bucket, Key: &key, Body: strings.NewReader("second"), IfMatch: ifMatch, IfNoneMatch: ifNoneMatch,
		})
		return err
	}
	wantCode(t, "create what exists", write(nil, aws.String("*"), *key), "PreconditionFailed")
	wantCode(t, "replace another", write(other, nil, *key), "PreconditionFailed")
	wantCode(t, "replace what is absent", write(other, nil, "absent"), "NoSuchKey")
	wantObject(t, client, *bucket, *key, []byte("first"))
	wantCode(t, "create", write(nil, aws.String("*"), "new"), "")
	wantCode(t, "replace", write(etag, nil, *key), "")
	wantObject(t, client, *bucket, *key, []byte("second"))
}

func TestSDKPresigned(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, bucket, key := t.Context(), aws.String(s.bucket("presigned")), aws.String("a b/ü+%.bin")
	presign := s3.NewPresignClient(s.sdk())
	data := random(3, 100_000)

	upload, err := presign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(method, target string, body []byte) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return s.read(response)
	}
	fetch(http.MethodPut, upload.URL, data).want(t, "presigned PUT", http.StatusOK, "")
	download, err := presign.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: bucket, Key: key, ResponseContentType: aws.String("text/x-ship"),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fetch(http.MethodGet, download.URL, nil)
	got.want(t, "presigned GET", http.StatusOK, "")
	if !bytes.Equal(got.body, data) || got.header.Get("Content-Type") != "text/x-ship" {
		t.Errorf("presigned GET: %d bytes of %s", len(got.body), got.header.Get("Content-Type"))
	}
	// What was signed for one method, key or time is good for nothing else.
	fetch(http.MethodDelete, download.URL, nil).want(t, "another method", http.StatusForbidden, "SignatureDoesNotMatch")
	fetch(http.MethodGet, strings.Replace(download.URL, "/a", "/b", 1), nil).
		want(t, "another key", http.StatusForbidden, "SignatureDoesNotMatch")
	fetch(http.MethodGet, strings.Replace(download.URL, "X-Amz-Expires=900", "X-Amz-Expires=901", 1), nil).
		want(t, "another expiry", http.StatusForbidden, "SignatureDoesNotMatch")
	wantObject(t, s.sdk(), *bucket, *key, data)
}
