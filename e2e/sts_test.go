package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const roleARN = "arn:aws:iam::000000000000:role/"

// sts returns a client of the security token service with the server's own keys.
func (s *server) sts() *sts.Client {
	s.t.Helper()
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")))
	if err != nil {
		s.t.Fatal(err)
	}
	return sts.NewFromConfig(cfg, func(o *sts.Options) { o.BaseEndpoint = aws.String(s.endpoint) })
}

// A program that assumes a role, as it does on AWS: the SDK fetches credentials by itself, and uses them everywhere.
func TestAssumeRole(t *testing.T) {
	s := start(t)
	bucket := s.bucket("photos")
	ctx := context.Background()
	if _, err := s.sdk().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	provider := stscreds.NewAssumeRoleProvider(s.sts(), roleARN+"readonly", func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "laptop"
	})
	reader := s.sdk(func(o *s3.Options) { o.Credentials = aws.NewCredentialsCache(provider) })
	if _, err := reader.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k")}); err != nil {
		t.Errorf("get in a role that reads: %v", err)
	}
	_, err := reader.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader("y")})
	wantCode(t, "put in a role that reads", err, "AccessDenied")

	presigned, err := s3.NewPresignClient(reader).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.http.Get(presigned.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.read(response); got.status != http.StatusOK || string(got.body) != "x" {
		t.Errorf("a URL that was presigned in a role: %d: %s", got.status, got.body)
	}
}

func TestSTSAnswers(t *testing.T) {
	s := start(t)
	ctx := context.Background()
	me, err := s.sts().GetCallerIdentity(ctx, nil)
	if err != nil || aws.ToString(me.Arn) != "arn:aws:iam::000000000000:root" || aws.ToString(me.Account) != "000000000000" {
		t.Errorf("who root is: %+v, %v", me, err)
	}
	assume := func(in sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
		if in.RoleArn == nil {
			in.RoleArn = aws.String(roleARN + "readwrite")
		}
		if in.RoleSessionName == nil {
			in.RoleSessionName = aws.String("laptop")
		}
		return s.sts().AssumeRole(ctx, &in)
	}
	for _, refused := range []struct {
		what, code string
		in         sts.AssumeRoleInput
	}{
		{"a role that is not there", "AccessDenied", sts.AssumeRoleInput{RoleArn: aws.String(roleARN + "nobody")}},
		{"another account's role", "AccessDenied", sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/readonly")}},
		{"a policy that is none", "MalformedPolicyDocument", sts.AssumeRoleInput{Policy: aws.String("{}")}},
		{"a long policy", "PackedPolicyTooLarge", sts.AssumeRoleInput{Policy: aws.String(strings.Repeat(" ", 2049))}},
		{"a session's name", "ValidationError", sts.AssumeRoleInput{RoleSessionName: aws.String("two words")}},
		{"too short", "ValidationError", sts.AssumeRoleInput{DurationSeconds: aws.Int32(899)}},
		{"too long", "ValidationError", sts.AssumeRoleInput{DurationSeconds: aws.Int32(43_201)}},
	} {
		_, err := assume(refused.in)
		wantCode(t, refused.what, err, refused.code)
	}
	assumed, err := assume(sts.AssumeRoleInput{})
	if err != nil {
		t.Fatal(err)
	}
	session := s.sts()
	inSession := func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(aws.ToString(assumed.Credentials.AccessKeyId),
			aws.ToString(assumed.Credentials.SecretAccessKey), aws.ToString(assumed.Credentials.SessionToken))
	}
	me, err = session.GetCallerIdentity(ctx, nil, inSession)
	if want := "arn:aws:sts::000000000000:assumed-role/readwrite/laptop"; err != nil || aws.ToString(me.Arn) != want {
		t.Errorf("who is in a session: %+v, %v", me, err)
	}
	_, err = session.GetSessionToken(ctx, &sts.GetSessionTokenInput{}, inSession)
	wantCode(t, "a session from a session", err, "AccessDenied")
	if _, err := s.sts().GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(3600)}); err != nil {
		t.Errorf("session token: %v", err)
	}
	wrong := func(o *sts.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "wrong", "")
	}
	_, err = s.sts().GetCallerIdentity(ctx, nil, wrong)
	wantCode(t, "a wrong secret", err, "SignatureDoesNotMatch")
	_, err = s.sts().DecodeAuthorizationMessage(ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String("x")})
	wantCode(t, "another action", err, "InvalidAction")
}

// The aws CLI finds the service at the address that it has for S3.
func TestAWSCLIAssumesRole(t *testing.T) {
	s := start(t)
	aws := s.client("aws")
	aws.run("s3", "mb", "s3://photos")
	if got := strings.TrimSpace(aws.run("sts", "get-caller-identity", "--query", "Account", "--output", "text")); got != "000000000000" {
		t.Errorf("account %q", got)
	}
	out := aws.run("sts", "assume-role", "--role-arn", roleARN+"readonly", "--role-session-name", "ci",
		"--query", "Credentials.[AccessKeyId,SecretAccessKey,SessionToken]", "--output", "text")
	keys := strings.Fields(out)
	if len(keys) != 3 {
		t.Fatalf("credentials %q", out)
	}
	aws.env = append(aws.env, "AWS_ACCESS_KEY_ID="+keys[0], "AWS_SECRET_ACCESS_KEY="+keys[1], "AWS_SESSION_TOKEN="+keys[2])
	aws.run("s3api", "get-bucket-location", "--bucket", "photos")
	if got, err := aws.try("s3", "rb", "s3://photos"); err == nil || !strings.Contains(got, "AccessDenied") {
		t.Errorf("remove a bucket in a role that reads: %q, %v", got, err)
	}
}
