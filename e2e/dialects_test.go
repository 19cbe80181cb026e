package e2e

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithymiddleware "github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/huaweicloud/huaweicloud-sdk-go-obs/obs"
)

// room is what an answer's headers tell of the tightest limit: used, available and total bytes.
func room(t testing.TB, metadata smithymiddleware.Metadata) string {
	t.Helper()
	response, ok := middleware.GetRawResponse(metadata).(*smithyhttp.Response)
	if !ok {
		t.Fatal("the SDK has no response")
	}
	var figures []string
	for _, name := range []string{"used", "available", "total"} {
		figures = append(figures, response.Header.Get("x-plimsoll-quota-"+name+"-bytes"))
	}
	return strings.TrimSpace(strings.Join(figures, " "))
}

// An application reads the figures where its SDK hands out the response of an operation.
func TestQuotaHeadersInTheSDK(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, test := range map[string]struct {
		flags     []string
		put, head string
	}{
		"by default": {nil, "300 700 1000", "300 700 1000"},
		"off":        {[]string{"--quota-headers=false"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, append(test.flags, "--bucket", "tiny:1000")...)
			put, err := s.sdk().PutObject(ctx, &s3.PutObjectInput{
				Bucket: aws.String("tiny"), Key: aws.String("k"), Body: strings.NewReader(strings.Repeat("x", 300)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := room(t, put.ResultMetadata); got != test.put {
				t.Errorf("PutObject tells %q, want %q", got, test.put)
			}
			head, err := s.sdk().HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("tiny")})
			if err != nil {
				t.Fatal(err)
			}
			if got := room(t, head.ResultMetadata); got != test.head {
				t.Errorf("HeadBucket tells %q, want %q", got, test.head)
			}
		})
	}
}

// Huawei's own SDK sets, reads and meets a limit.
func TestOBSSDK(t *testing.T) {
	t.Parallel()
	s := start(t)
	client, err := obs.New(accessKey, secretKey, s.endpoint, obs.WithSignature(obs.SignatureV4), obs.WithRegion(region),
		obs.WithPathStyle(true), obs.WithMaxRetryCount(0))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	try := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	_, err = client.CreateBucket(&obs.CreateBucketInput{Bucket: "photos"})
	try("CreateBucket", err)
	wantQuota := func(want int64) {
		t.Helper()
		got, err := client.GetBucketQuota("photos")
		try("GetBucketQuota", err)
		if got.Quota != want {
			t.Errorf("GetBucketQuota: %d, want %d", got.Quota, want)
		}
	}
	setQuota := func(n int64) {
		t.Helper()
		in := &obs.SetBucketQuotaInput{Bucket: "photos", BucketQuota: obs.BucketQuota{Quota: n}}
		_, err := client.SetBucketQuota(in)
		try("SetBucketQuota", err)
		wantQuota(n)
	}
	wantQuota(0)
	setQuota(10)
	put := func(key, content string) error {
		in := &obs.PutObjectInput{Body: strings.NewReader(content)}
		in.Bucket, in.Key = "photos", key
		_, err := client.PutObject(in)
		return err
	}
	try("PutObject", put("k", "12345"))
	refused, ok := put("l", "123456").(obs.ObsError) //nolint:errorlint // the SDK returns it bare
	if !ok || refused.StatusCode != http.StatusInsufficientStorage || refused.Code != "QuotaExceeded" {
		t.Errorf("a body that is too large: %+v", refused)
	}
	info, err := client.GetBucketStorageInfo("photos")
	try("GetBucketStorageInfo", err)
	if info.Size != 5 || info.ObjectNumber != 1 {
		t.Errorf("GetBucketStorageInfo: %+v", info)
	}
	setQuota(0)
	try("PutObject", put("l", "123456"))
}

// TestBoto3Quota runs testdata/boto3_quota.py, which fails at the first thing that is not as it should be: RGW's and
// Scality's ways, as scripts use them with boto3, and Veeam's.
func TestBoto3Quota(t *testing.T) {
	t.Parallel()
	interpreter := python(t, "boto3")
	script, err := filepath.Abs("testdata/boto3_quota.py")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "--bucket", "tiny:1000")
	s.client(interpreter, script).run(s.endpoint)
}

// Backup software asks the SOSAPI documents by plain GETs; here the AWS CLI does.
func TestSOSAPIByAWSCLI(t *testing.T) {
	t.Parallel()
	s := start(t, "--bucket", "tiny:1000")
	cli := s.client("aws")
	const folder = "s3://tiny/.system-d26a9498-cb7c-4a87-a44a-8ae204f5ba6c/"
	system := cli.run("s3", "cp", folder+"system.xml", "-")
	if !strings.Contains(system, "<CapacityInfo>true</CapacityInfo>") {
		t.Errorf("system.xml: %s", system)
	}
	cli.file("k", []byte("12345"))
	cli.run("s3", "cp", "k", "s3://tiny/")
	out := cli.run("s3", "cp", folder+"capacity.xml", "-")
	if !strings.Contains(out, "<Capacity>1000</Capacity><Available>995</Available><Used>5</Used>") {
		t.Errorf("capacity.xml: %s", out)
	}
	if out := cli.run("s3", "ls", "s3://tiny/", "--recursive"); strings.Contains(out, ".system") {
		t.Errorf("a listing: %s", out)
	}
}
