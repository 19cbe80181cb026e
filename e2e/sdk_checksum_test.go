package e2e

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
)

// algorithms are S3's checksums, each with an implementation that is not the server's.
var algorithms = []struct {
	name types.ChecksumAlgorithm
	hash func() hash.Hash
	// types are those that S3 allows for multipart uploads:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
	types []types.ChecksumType
}{
	{"CRC32", func() hash.Hash { return crc32.NewIEEE() }, []types.ChecksumType{"COMPOSITE", "FULL_OBJECT"}},
	{"CRC32C", func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }, []types.ChecksumType{"COMPOSITE", "FULL_OBJECT"}},
	{"CRC64NVME", func() hash.Hash { return crc64nvme.New() }, []types.ChecksumType{"FULL_OBJECT"}},
	{"SHA1", sha1.New, []types.ChecksumType{"COMPOSITE"}},
	{"SHA256", sha256.New, []types.ChecksumType{"COMPOSITE"}},
}

func digest(newHash func() hash.Hash, data []byte) []byte {
	h := newHash()
	h.Write(data) // never fails
	return h.Sum(nil)
}

func base64Of(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// checksumOf picks the value of an algorithm out of an output's five fields.
func checksumOf(name types.ChecksumAlgorithm, c32, c32c, c64, s1, s256 *string) string {
	return aws.ToString(map[types.ChecksumAlgorithm]*string{
		"CRC32": c32, "CRC32C": c32c, "CRC64NVME": c64, "SHA1": s1, "SHA256": s256,
	}[name])
}

func TestSDKChecksums(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("checksums"))
	data := random(11, 300_000)
	for _, a := range algorithms {
		key, want := string(a.name), base64Of(digest(a.hash, data))
		out, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: bucket, Key: &key, Body: bytes.NewReader(data), ChecksumAlgorithm: a.name,
		})
		if err != nil {
			t.Errorf("%s: put: %v", a.name, err)
			continue
		}
		got := checksumOf(a.name, out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256)
		if got != want {
			t.Errorf("%s: put answers %q, want %q", a.name, got, want)
		}
		get, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			t.Errorf("%s: get: %v", a.name, err)
			continue
		}
		body, err := io.ReadAll(get.Body) // the SDK verifies at the end
		get.Body.Close()
		got = checksumOf(a.name, get.ChecksumCRC32, get.ChecksumCRC32C, get.ChecksumCRC64NVME, get.ChecksumSHA1, get.ChecksumSHA256)
		if err != nil || !bytes.Equal(body, data) || got != want || get.ChecksumType != types.ChecksumTypeFullObject {
			t.Errorf("%s: get: %d bytes, checksum %q of type %q, %v; want %q", a.name, len(body), got, get.ChecksumType, err, want)
		}
		head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			t.Errorf("%s: head: %v", a.name, err)
			continue
		}
		got = checksumOf(a.name, head.ChecksumCRC32, head.ChecksumCRC32C, head.ChecksumCRC64NVME, head.ChecksumSHA1, head.ChecksumSHA256)
		if got != want {
			t.Errorf("%s: head: %q, want %q", a.name, got, want)
		}
		part, err := client.GetObject(ctx, &s3.GetObjectInput{
			Bucket: bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled, Range: aws.String("bytes=5-9"),
		})
		if err != nil {
			t.Errorf("%s: range: %v", a.name, err)
			continue
		}
		part.Body.Close()
		got = checksumOf(a.name, part.ChecksumCRC32, part.ChecksumCRC32C, part.ChecksumCRC64NVME, part.ChecksumSHA1, part.ChecksumSHA256)
		if got != "" {
			t.Errorf("%s: a partial range carries the checksum of the whole, which no client can verify", a.name)
		}
	}

	// A value that the caller gives is held against the body.
	for _, a := range algorithms {
		wrong := aws.String(base64Of(digest(a.hash, []byte("other"))))
		in := &s3.PutObjectInput{Bucket: bucket, Key: aws.String("wrong"), Body: bytes.NewReader(data)}
		switch a.name {
		case "CRC32":
			in.ChecksumCRC32 = wrong
		case "CRC32C":
			in.ChecksumCRC32C = wrong
		case "CRC64NVME":
			in.ChecksumCRC64NVME = wrong
		case "SHA1":
			in.ChecksumSHA1 = wrong
		case "SHA256":
			in.ChecksumSHA256 = wrong
		}
		_, err := client.PutObject(ctx, in)
		wantCode(t, "wrong "+string(a.name), err, "BadDigest")
	}
	_, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("wrong")})
	wantCode(t, "the object with a wrong checksum", err, "NotFound")
}

func TestSDKMultipartChecksums(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("multipart-checksums"))
	parts := [][]byte{random(1, 5*mib), random(2, 70_000)}
	whole := bytes.Join(parts, nil)
	for _, a := range algorithms {
		for _, kind := range []types.ChecksumType{"COMPOSITE", "FULL_OBJECT"} {
			name, key := fmt.Sprintf("%s %s", a.name, kind), aws.String(fmt.Sprintf("%s-%s", a.name, kind))
			created, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
				Bucket: bucket, Key: key, ChecksumAlgorithm: a.name, ChecksumType: kind,
			})
			if !slices.Contains(a.types, kind) {
				wantCode(t, name, err, "InvalidRequest")
				continue
			}
			if err != nil {
				t.Errorf("%s: create: %v", name, err)
				continue
			}
			var completed []types.CompletedPart
			var sums []byte
			for i, part := range parts {
				out, err := client.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: bucket, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(int32(i + 1)),
					Body: bytes.NewReader(part), ChecksumAlgorithm: a.name,
				})
				if err != nil {
					t.Fatalf("%s: part: %v", name, err)
				}
				sum := digest(a.hash, part)
				sums = append(sums, sum...)
				got := checksumOf(a.name, out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256)
				if got != base64Of(sum) {
					t.Errorf("%s: part answers %q, want %q", name, got, base64Of(sum))
				}
				completed = append(completed, types.CompletedPart{
					PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32,
					ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
					ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
				})
			}
			done, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
				Bucket: bucket, Key: key, UploadId: created.UploadId, ChecksumType: kind,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
			})
			if err != nil {
				t.Errorf("%s: complete: %v", name, err)
				continue
			}
			want := base64Of(digest(a.hash, whole))
			if kind == types.ChecksumTypeComposite { // the checksum of the parts' checksums, and how many they are
				want = fmt.Sprintf("%s-%d", base64Of(digest(a.hash, sums)), len(parts))
			}
			got := checksumOf(a.name, done.ChecksumCRC32, done.ChecksumCRC32C, done.ChecksumCRC64NVME, done.ChecksumSHA1, done.ChecksumSHA256)
			if got != want || done.ChecksumType != kind {
				t.Errorf("%s: complete answers %q of type %s, want %q", name, got, done.ChecksumType, want)
			}
			get, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				t.Errorf("%s: get: %v", name, err)
				continue
			}
			body, err := io.ReadAll(get.Body)
			get.Body.Close()
			got = checksumOf(a.name, get.ChecksumCRC32, get.ChecksumCRC32C, get.ChecksumCRC64NVME, get.ChecksumSHA1, get.ChecksumSHA256)
			if err != nil || !bytes.Equal(body, whole) || got != want || get.ChecksumType != kind {
				t.Errorf("%s: get: %d bytes, %q of type %s, %v; want %q", name, len(body), got, get.ChecksumType, err, want)
			}
		}
	}
}
