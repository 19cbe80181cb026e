package e2e

import (
	"context"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// bucketSetting is one of the settings that a provider of infrastructure as code reads for every bucket, whether or
// not its user gave it a value: what the answer is where nothing is set decides whether it can manage the bucket.
type bucketSetting struct {
	name   string
	absent string // the code of the answer where nothing is set; "" for a success
	get    func(context.Context, *s3.Client) error
	put    func(context.Context, *s3.Client) error // nil where a bucket keeps what it has
	remove func(context.Context, *s3.Client) error // nil where another put takes it back
}

var provisioned = aws.String("provisioned")

// errOf drops the answer of a call that is made for its error.
func errOf[T any](_ T, err error) error { return err }

var bucketSettings = []bucketSetting{
	{
		name: "policy", absent: "NoSuchBucketPolicy",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: provisioned, Policy: aws.String(
				`{"Version":"2012-10-17","Statement":[{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket",` +
					`"Resource":"arn:aws:s3:::provisioned","Condition":{"StringEquals":{"aws:UserAgent":"nobody"}}}]}`)}))
		},
		remove: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: provisioned}))
		},
	},
	{
		name: "CORS", absent: "NoSuchCORSConfiguration",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: provisioned, CORSConfiguration: &types.CORSConfiguration{
				CORSRules: []types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}}},
			}}))
		},
		remove: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: provisioned}))
		},
	},
	{
		name: "lifecycle", absent: "NoSuchLifecycleConfiguration",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
				Bucket: provisioned, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
					ID: aws.String("old"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
					NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(7)},
				}}},
			}))
		},
		remove: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: provisioned}))
		},
	},
	{
		name: "tagging", absent: "NoSuchTagSet",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: provisioned, Tagging: &types.Tagging{
				TagSet: []types.Tag{{Key: aws.String("managed-by"), Value: aws.String("e2e")}},
			}}))
		},
		remove: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: provisioned}))
		},
	},
	{
		name: "encryption", absent: "ServerSideEncryptionConfigurationNotFoundError",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{
				Bucket: provisioned,
				ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
					ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256},
				}}},
			}))
		},
		remove: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: provisioned}))
		},
	},
	{
		name: "public access block", absent: "NoSuchPublicAccessBlockConfiguration",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
				Bucket: provisioned,
				PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
					BlockPublicAcls: aws.Bool(true), IgnorePublicAcls: aws.Bool(true),
					BlockPublicPolicy: aws.Bool(true), RestrictPublicBuckets: aws.Bool(true),
				},
			}))
		},
		remove: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: provisioned}))
		},
	},
	{
		name: "versioning",
		get: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: provisioned}))
		},
		put: func(ctx context.Context, c *s3.Client) error {
			return errOf(c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
				Bucket:                  provisioned,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
			}))
		},
	},
	// What is only read.
	{name: "website", absent: "NoSuchWebsiteConfiguration", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: provisioned}))
	}},
	{name: "replication", absent: "ReplicationConfigurationNotFoundError", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: provisioned}))
	}},
	{name: "object lock", absent: "ObjectLockConfigurationNotFoundError", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: provisioned}))
	}},
	{name: "ACL", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: provisioned}))
	}},
	{name: "acceleration", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketAccelerateConfiguration(ctx, &s3.GetBucketAccelerateConfigurationInput{Bucket: provisioned}))
	}},
	{name: "request payment", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: provisioned}))
	}},
	{name: "logging", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: provisioned}))
	}},
	{name: "notifications", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: provisioned}))
	}},
	{name: "ownership", get: func(ctx context.Context, c *s3.Client) error {
		return errOf(c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: provisioned}))
	}},
}

// TestSDKProvisioning is the life of a bucket under Terraform's hands: created, read, configured, applied once more,
// read, and taken apart.
func TestSDKProvisioning(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client := t.Context(), s.sdk()
	s.bucket(*provisioned)
	read := func(when string, set bool) {
		t.Helper()
		for _, c := range bucketSettings {
			want := c.absent
			if set && c.put != nil {
				want = ""
			}
			wantCode(t, when+": get "+c.name, c.get(ctx, client), want)
		}
	}
	read("new", false)
	for _, apply := range []string{"first", "second"} {
		for _, c := range bucketSettings {
			if c.put != nil {
				wantCode(t, apply+" put "+c.name, c.put(ctx, client), "")
			}
		}
		read("after the "+apply+" put", true)
	}
	put(t, client, *provisioned, "k", []byte("kept"))
	for _, destroy := range []string{"first", "second"} {
		for _, c := range bucketSettings {
			if c.remove != nil {
				wantCode(t, destroy+" delete "+c.name, c.remove(ctx, client), "")
				wantCode(t, "get "+c.name+" after the "+destroy+" delete", c.get(ctx, client), c.absent)
			}
		}
	}
	_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: provisioned})
	wantCode(t, "delete of a bucket with a version", err, "BucketNotEmpty")
	// force_destroy deletes every version first.
	versions, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: provisioned})
	if err != nil || len(versions.Versions) != 1 {
		t.Fatalf("%+v, %v", versions, err)
	}
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: provisioned, Key: aws.String("k"), VersionId: versions.Versions[0].VersionId,
	})
	wantCode(t, "delete of the version", err, "")
	_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: provisioned})
	wantCode(t, "delete", err, "")
	for _, c := range bucketSettings {
		wantCode(t, "get "+c.name+" of what is gone", c.get(ctx, client), "NoSuchBucket")
	}
	// A bucket of the same name knows nothing of the one before.
	s.bucket(*provisioned)
	read("anew", false)
	state, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: provisioned})
	if err != nil || state.Status != "" {
		t.Errorf("versioning of the new bucket: %+v, %v", state, err)
	}
}

// TestSDKPresignedVersion: a URL for one version of an object.
func TestSDKPresignedVersion(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client := t.Context(), s.sdk()
	bucket := s.bucket("ledger")
	_, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket:                  &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	first := put(t, client, bucket, "page", []byte("one"))
	second := put(t, client, bucket, "page", []byte("two"))
	for _, test := range []struct {
		name    string
		version *string
		status  int
		code    string
		want    string
	}{
		{"the latest", nil, http.StatusOK, "", "two"},
		{"the first", first.VersionId, http.StatusOK, "", "one"},
		{"the second", second.VersionId, http.StatusOK, "", "two"},
		{"one that is not there", aws.String("null"), http.StatusNotFound, "NoSuchVersion", ""},
	} {
		signed, err := s3.NewPresignClient(client).PresignGetObject(ctx,
			&s3.GetObjectInput{Bucket: &bucket, Key: aws.String("page"), VersionId: test.version})
		if err != nil {
			t.Fatal(err)
		}
		response, err := s.http.Get(signed.URL)
		if err != nil {
			t.Fatal(err)
		}
		got := s.read(response)
		if got.want(t, test.name, test.status, test.code); test.want != "" && string(got.body) != test.want {
			t.Errorf("%s: %q", test.name, got.body)
		}
	}
}
