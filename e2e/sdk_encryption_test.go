package e2e

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The content of encrypted objects: it must not be on the disk.
var secretText = []byte(strings.Repeat("nobody but the owner may read this line\n", 10_000))

// wantNotOnDisk fails the test if a file of the server has the text as it is.
func (s *server) wantNotOnDisk(text []byte) {
	s.t.Helper()
	files := 0
	err := filepath.WalkDir(s.data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil // it was deleted meanwhile
		}
		if files++; bytes.Contains(content, text) {
			s.t.Errorf("%s has the text as it is", path)
		}
		return nil
	})
	if err != nil || files == 0 {
		s.t.Errorf("%d files were looked through, error %v", files, err)
	}
}

func TestSDKServerSideEncryption(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.bucket("photos")
	ctx, client := t.Context(), s.sdk()
	out, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("k"), Body: bytes.NewReader(secretText),
		ServerSideEncryption: types.ServerSideEncryptionAes256,
	})
	if err != nil || out.ServerSideEncryption != types.ServerSideEncryptionAes256 || *out.ETag != quotedMD5(secretText) {
		t.Fatalf("put: %+v, error %v", out, err)
	}
	if got := wantObject(t, client, "photos", "k", secretText); got.ServerSideEncryption != types.ServerSideEncryptionAes256 {
		t.Errorf("get tells %q", got.ServerSideEncryption)
	}
	// An upload of parts, whose own sizes are those of the SDK.
	large := bytes.Repeat(secretText, 30)
	_, err = inParts(client).UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("large"), Body: bytes.NewReader(large), ServerSideEncryption: "AES256",
	})
	if err != nil {
		t.Fatal(err)
	}
	wantObject(t, client, "photos", "large", large)
	s.wantNotOnDisk(secretText[:40])

	// What was encrypted is read after a start with the same keyring.
	s.stop()
	s.run()
	wantObject(t, s.sdk(), "photos", "k", secretText)
}

func TestSDKBucketEncryption(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.bucket("photos")
	ctx, client := t.Context(), s.sdk()
	_, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String("photos")})
	wantCode(t, "no default encryption", err, "ServerSideEncryptionConfigurationNotFoundError")
	_, err = client.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
		Bucket: aws.String("photos"),
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{
				ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
					SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String("default"),
				},
				BucketKeyEnabled: aws.Bool(true),
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String("photos")})
	if err != nil {
		t.Fatal(err)
	}
	rule := got.ServerSideEncryptionConfiguration.Rules[0]
	if rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm != types.ServerSideEncryptionAwsKms || !*rule.BucketKeyEnabled {
		t.Errorf("%+v", rule)
	}
	if out := put(t, client, "photos", "k", secretText); out.ServerSideEncryption != types.ServerSideEncryptionAwsKms ||
		aws.ToString(out.SSEKMSKeyId) != "default" || *out.ETag == quotedMD5(secretText) {
		t.Errorf("%+v", out)
	}
	wantObject(t, client, "photos", "k", secretText)
	s.wantNotOnDisk(secretText[:40])
	if _, err := client.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: aws.String("photos")}); err != nil {
		t.Fatal(err)
	}
	if out := put(t, client, "photos", "plain", secretText); out.ServerSideEncryption != "" {
		t.Errorf("%+v", out)
	}
}

// TestSDKCustomerKeys goes over https: the SDK sends no customer's key over http.
func TestSDKCustomerKeys(t *testing.T) {
	t.Parallel()
	s, _ := startTLS(t)
	ctx, client := t.Context(), s.sdk(func(o *s3.Options) { o.HTTPClient = s.http })
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("photos")}); err != nil {
		t.Fatal(err)
	}
	key := strings.Repeat("k", 32)
	sum := md5.Sum([]byte(key))
	algorithm, encoded, keyMD5 := aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString([]byte(key))),
		aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	put, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("k"), Body: bytes.NewReader(secretText),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: encoded, SSECustomerKeyMD5: keyMD5,
	})
	if err != nil || aws.ToString(put.SSECustomerKeyMD5) != *keyMD5 {
		t.Fatalf("put: %+v, error %v", put, err)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("k"),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: encoded, SSECustomerKeyMD5: keyMD5,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if content, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(content, secretText) {
		t.Errorf("%d bytes, error %v", len(content), err)
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("k")})
	wantCode(t, "get without the key", err, "InvalidRequest")
	_, err = client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("copy"), CopySource: aws.String("photos/k"),
		CopySourceSSECustomerAlgorithm: algorithm, CopySourceSSECustomerKey: encoded, CopySourceSSECustomerKeyMD5: keyMD5,
		ServerSideEncryption: types.ServerSideEncryptionAes256,
	})
	if err != nil {
		t.Fatal(err)
	}
	wantObject(t, client, "photos", "copy", secretText)
	s.wantNotOnDisk(secretText[:40])

	large := bytes.Repeat(secretText, 30)
	_, err = inParts(client).UploadObject(ctx, &transfermanager.UploadObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("k"), Body: bytes.NewReader(large),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: encoded, SSECustomerKeyMD5: keyMD5,
	})
	if err != nil {
		t.Fatal(err)
	}
	written := &buffer{data: make([]byte, len(large))}
	_, err = inParts(client).DownloadObject(ctx, &transfermanager.DownloadObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("k"), WriterAt: written,
		SSECustomerAlgorithm: algorithm, SSECustomerKey: encoded, SSECustomerKeyMD5: keyMD5,
	})
	if err != nil || !bytes.Equal(written.data, large) {
		t.Errorf("download in parts: error %v", err)
	}
}

// inParts moves objects in parts of 5 MiB.
func inParts(client *s3.Client) *transfermanager.Client {
	return transfermanager.New(client, func(o *transfermanager.Options) {
		o.PartSizeBytes = 5 * mib
		o.MultipartUploadThreshold = 5 * mib
	})
}
