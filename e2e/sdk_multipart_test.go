package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// upload is a multipart upload on its way, through the SDK.
type upload struct {
	t           testing.TB
	client      *s3.Client
	bucket, key string
	id          *string
	parts       []types.CompletedPart
}

func startUpload(t testing.TB, client *s3.Client, bucket, key string) *upload {
	t.Helper()
	out, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("create upload: %v", err)
	}
	return &upload{t: t, client: client, bucket: bucket, key: key, id: out.UploadId}
}

// part uploads a part and remembers it for complete.
func (u *upload) part(number int32, data []byte) error {
	u.t.Helper()
	out, err := u.client.UploadPart(u.t.Context(), &s3.UploadPartInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: u.id, PartNumber: &number, Body: bytes.NewReader(data),
	})
	if err == nil {
		u.parts = append(u.parts, types.CompletedPart{PartNumber: &number, ETag: out.ETag})
	}
	return err
}

func (u *upload) complete() (*s3.CompleteMultipartUploadOutput, error) {
	u.t.Helper()
	return u.client.CompleteMultipartUpload(u.t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
}

func (u *upload) abort() error {
	u.t.Helper()
	_, err := u.client.AbortMultipartUpload(context.Background(), &s3.AbortMultipartUploadInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: u.id,
	})
	return err
}

// multipartETag is S3's: the MD5 of the parts' MD5s, and how many they are.
func multipartETag(parts ...[]byte) string {
	h := md5.New()
	for _, p := range parts {
		sum := md5.Sum(p)
		h.Write(sum[:]) // never fails
	}
	return fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(h.Sum(nil)), len(parts))
}

func TestSDKMultipart(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("multipart"))
	first, second, third := random(1, 5*mib), random(2, 5*mib+1), random(3, 10)

	u := startUpload(t, client, *bucket, "big/object")
	for _, p := range []struct {
		number int32
		data   []byte
	}{{7, second}, {2, third}, {2, first}, {9, third}, {10_000, nil}} { // in any order, and replaced
		if err := u.part(p.number, p.data); err != nil {
			t.Fatalf("part %d: %v", p.number, err)
		}
	}
	list, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: &u.key, UploadId: u.id, MaxParts: aws.Int32(3)})
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, p := range list.Parts {
		listed = append(listed, fmt.Sprintf("%d:%d", *p.PartNumber, *p.Size))
	}
	if got := fmt.Sprint(listed); got != "[2:5242880 7:5242881 9:10]" || !aws.ToBool(list.IsTruncated) ||
		aws.ToString(list.NextPartNumberMarker) != "9" {
		t.Errorf("ListParts: %s, truncated %v, next %s", got, aws.ToBool(list.IsTruncated), aws.ToString(list.NextPartNumberMarker))
	}
	other := startUpload(t, client, *bucket, "another")
	uploads, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil || len(uploads.Uploads) != 2 || *uploads.Uploads[0].Key != "another" || *uploads.Uploads[1].UploadId != *u.id {
		t.Errorf("ListMultipartUploads: %+v, %v", uploads, err)
	}
	common, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, Delimiter: aws.String("/")})
	if err != nil || len(common.Uploads) != 1 || len(common.CommonPrefixes) != 1 || *common.CommonPrefixes[0].Prefix != "big/" {
		t.Errorf("ListMultipartUploads with a delimiter: %+v, %v", common, err)
	}
	if err := other.abort(); err != nil {
		t.Errorf("abort: %v", err)
	}
	wantCode(t, "part of an aborted upload", other.part(1, third), "NoSuchUpload")

	// An object of the key exists only once the upload is complete. An empty last part is allowed: the minimum does not
	// hold for the last.
	_, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &u.key})
	wantCode(t, "before complete", err, "NotFound")
	all := u.parts
	u.parts = []types.CompletedPart{all[0], all[2]}
	_, err = u.complete()
	wantCode(t, "parts out of order", err, "InvalidPartOrder")
	u.parts = []types.CompletedPart{all[2], all[3], all[4]}
	_, err = u.complete()
	wantCode(t, "a small part in the middle", err, "EntityTooSmall")
	u.parts = []types.CompletedPart{all[1], all[0]} // the ETag is that of the part that was replaced
	_, err = u.complete()
	wantCode(t, "a part that was replaced", err, "InvalidPart")
	u.parts = []types.CompletedPart{all[2], all[0], all[4]}
	out, err := u.complete()
	if err != nil {
		t.Fatalf("complete: %v", err)
	}
	if want := multipartETag(first, second, nil); aws.ToString(out.ETag) != want {
		t.Errorf("etag %s, want %s", aws.ToString(out.ETag), want)
	}
	wantObject(t, client, *bucket, u.key, append(append([]byte(nil), first...), second...))
	wantCode(t, "part of a complete upload", u.part(1, third), "NoSuchUpload")
}

func TestSDKUploadPartCopy(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("part-copy"))
	source := random(4, 6*mib)
	put(t, client, *bucket, "source", source)
	u := startUpload(t, client, *bucket, "assembled")
	for i, spec := range []*string{nil, aws.String("bytes=100-5242979"), aws.String("bytes=6291455-6291455")} {
		out, err := client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(int32(i + 1)),
			CopySource: aws.String(*bucket + "/source"), CopySourceRange: spec,
		})
		if err != nil {
			t.Fatalf("part copy %s: %v", aws.ToString(spec), err)
		}
		u.parts = append(u.parts, types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.CopyPartResult.ETag})
	}
	_, err := client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(4),
		CopySource: aws.String(*bucket + "/source"), CopySourceRange: aws.String("bytes=6291455-6291456"),
	})
	// S3 documents that the copied range must lie within the source; it answers 400 or 416 by its code.
	if got := code(err); got != "InvalidRange" && got != "InvalidArgument" && got != "InvalidRequest" {
		t.Errorf("copy of a range past the end: %v", err)
	}
	if _, err := u.complete(); err != nil {
		t.Fatal(err)
	}
	want := bytes.Join([][]byte{source, source[100 : 100+5*mib], source[len(source)-1:]}, nil)
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("source")}); err != nil {
		t.Fatal(err)
	}
	wantObject(t, client, *bucket, "assembled", want)
}

func TestSDKTransferManager(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket, key := t.Context(), s.sdk(), aws.String(s.bucket("transfer")), aws.String("16 MiB")
	data := random(5, 16*mib+12345)
	manager := transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes = 5 * mib
		o.MultipartUploadThreshold = 5 * mib
	})
	// A reader of unknown length, as from a pipe.
	if _, err := manager.UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: bucket, Key: key, Body: io.MultiReader(bytes.NewReader(data)),
	}); err != nil {
		t.Fatalf("upload: %v", err)
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if err != nil || aws.ToString(head.ETag) != multipartETag(data[:5*mib], data[5*mib:10*mib], data[10*mib:15*mib], data[15*mib:]) {
		t.Errorf("etag %s, %v", aws.ToString(head.ETag), err)
	}
	out, err := manager.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatalf("download: %v", err)
	}
	got, err := io.ReadAll(out.Body)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("download: %d bytes, %v", len(got), err)
	}
	written := &buffer{data: make([]byte, len(data))}
	if _, err := manager.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: bucket, Key: key, WriterAt: written}); err != nil {
		t.Fatalf("concurrent download: %v", err)
	}
	if !bytes.Equal(written.data, data) {
		t.Error("concurrent download: other bytes")
	}
}

// buffer is an io.WriterAt of a fixed size. Writers write to ranges of their own.
type buffer struct{ data []byte }

func (b *buffer) WriteAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > int64(len(b.data)) {
		return 0, io.ErrShortWrite
	}
	return copy(b.data[offset:], p), nil
}
