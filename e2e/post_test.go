package e2e

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// postForm sends a form that the SDK has signed, as a browser on a page of that origin does.
func (s *server) postForm(signed *s3.PresignedPostRequest, more map[string]string, origin, filename string, file []byte) answer {
	s.t.Helper()
	target, err := url.Parse(signed.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, fields := range []map[string]string{signed.Values, more} {
		for name, value := range fields {
			if err := w.WriteField(name, value); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	part, err := w.CreateFormFile("file", filename)
	if err != nil {
		s.t.Fatal(err)
	}
	_, writeErr := part.Write(file)
	if err := w.Close(); err != nil || writeErr != nil {
		s.t.Fatal(err, writeErr)
	}
	return s.send(request{
		method: http.MethodPost, path: target.EscapedPath(), body: body.Bytes(), unsigned: true,
		header: map[string]string{"Content-Type": w.FormDataContentType(), "Origin": origin},
	})
}

// TestPresignedPost: forms that aws-sdk-go-v2 signs, sent by whoever has them.
func TestPresignedPost(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client := context.Background(), s.sdk()
	bucket := s.bucket("forms")
	s.cli("quota", "set", bucket, "--max-bytes", "100000")
	_, err := client.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &bucket, CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{{
			AllowedOrigins: []string{"https://app.example.com"}, AllowedMethods: []string{"POST", "GET"},
			ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: aws.Int32(600),
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket})
	if err != nil || len(rules.CORSRules) != 1 || aws.ToInt32(rules.CORSRules[0].MaxAgeSeconds) != 600 {
		t.Errorf("%+v, %v", rules, err)
	}
	sign := func(conditions ...any) *s3.PresignedPostRequest {
		t.Helper()
		signed, err := s3.NewPresignClient(client).PresignPostObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: aws.String("user/übersicht.txt"),
		}, func(o *s3.PresignPostOptions) { o.Conditions = conditions })
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	const origin = "https://app.example.com"
	file := bytes.Repeat([]byte("0123456789"), 10_000)
	status := []any{"eq", "$success_action_status", "201"}
	a := s.postForm(sign(status, []any{"content-length-range", 100_000, 100_000}), map[string]string{"success_action_status": "201"},
		origin, "a.txt", file)
	a.want(t, "post", 201, "")
	var made struct{ Location, Bucket, Key, ETag string }
	if err := xml.Unmarshal(a.body, &made); err != nil || made.Key != "user/übersicht.txt" || made.ETag != a.header.Get("Etag") {
		t.Errorf("%+v, %v", made, err)
	}
	if got := a.header.Get("Access-Control-Allow-Origin"); got != origin {
		t.Errorf("allowed origin %q", got)
	}
	wantObject(t, client, bucket, "user/übersicht.txt", file)

	refused := s.postForm(sign(), nil, origin, "more", append(file, 'x'))
	refused.want(t, "over the quota", http.StatusInsufficientStorage, "QuotaExceeded")
	if refused.err.QuotaRequested != 1 || refused.err.QuotaUsed != 100_000 || refused.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("%+v, %v", refused.err, refused.header)
	}
	s.postForm(sign([]any{"content-length-range", 1, 10}), nil, origin, "k", []byte("12345678901")).
		want(t, "too large", 400, "EntityTooLarge")
	s.postForm(sign(), map[string]string{"acl": "private"}, origin, "k", nil).want(t, "a field too many", 403, "AccessDenied")
	s.wantUsage(bucket, 100_000, 1, 0)

	if _, err := client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &bucket}); err != nil {
		t.Error(err)
	}
	_, err = client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket})
	wantCode(t, "no rules", err, "NoSuchCORSConfiguration")
}

// TestPreflight: what a browser asks, and has no credentials for.
func TestPreflight(t *testing.T) {
	t.Parallel()
	s := start(t)
	bucket := s.bucket("pages")
	_, err := s.sdk().PutBucketCors(context.Background(), &s3.PutBucketCorsInput{
		Bucket: &bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
			AllowedOrigins: []string{"https://*.example.com"}, AllowedMethods: []string{"PUT"}, AllowedHeaders: []string{"*"},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(origin string) answer {
		return s.send(request{method: http.MethodOptions, path: "/pages/k", unsigned: true, header: map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,x-amz-date",
		}})
	}
	allowed := ask("https://app.example.com")
	allowed.want(t, "allowed", 200, "")
	if got := fmt.Sprint(allowed.header["Access-Control-Allow-Origin"], allowed.header["Access-Control-Allow-Headers"]); got !=
		"[https://app.example.com] [authorization, x-amz-date]" {
		t.Error(got)
	}
	ask("https://example.org").want(t, "another origin", 403, "AccessForbidden")
}
