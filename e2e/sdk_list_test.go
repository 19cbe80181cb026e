package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// oddKeys are keys that a store on a file system, a router that cleans paths, or an XML writer gets wrong. Each is an
// object of its own.
var oddKeys = []string{
	"a/../b", "b", "a/./b", "a//b", "a/b", ".", "..", "../up", "./here", "/", "//", "/leading", "trailing/", "trailing",
	"a b", "a+b", "a%20b", "%", "%2F", "100%", "?query", "#fragment", "a&b=c", "quote\"'<>", "semi;colon:at@", "~!*()",
	"back\\slash", "new\nline", "tab\t", "bell\a", "escape\x1b", "delete\x7f", "ümlaut", "日本語/キー", "🚢", "e\u0301",
	"\u00e9", "no\u200bspace", "\ufffd", " leading space", "trailing space ", "CON", "nul.txt", ".hidden",
	"_plimsoll/health/live", "minio/health/live", strings.Repeat("k", 1024), strings.Repeat("ü", 512),
	strings.Repeat("d/", 511) + "k",
}

func TestSDKOddKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("odd-keys"))
	for _, key := range oddKeys {
		put(t, client, *bucket, key, []byte("content of "+key))
	}
	for _, key := range oddKeys {
		wantObject(t, client, *bucket, key, []byte("content of "+key))
	}
	// The SDK asks for encoding-type=url by itself nowhere, and control characters cannot stand in XML: ask for it.
	var listed []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{
		Bucket: bucket, MaxKeys: aws.Int32(7), EncodingType: types.EncodingTypeUrl,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			listed = append(listed, decodeKey(t, *o.Key))
		}
	}
	if want := slices.Sorted(slices.Values(oddKeys)); !slices.Equal(listed, want) {
		t.Errorf("listed %d keys, want %d in the order of their bytes:\n%q\n%q", len(listed), len(want), listed, want)
	}

	// Half are deleted one by one, half at once.
	var batch []types.ObjectIdentifier
	for i, key := range oddKeys {
		if i%2 == 0 {
			if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
				t.Errorf("delete %q: %v", key, err)
			}
		} else if !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' }) {
			batch = append(batch, types.ObjectIdentifier{Key: aws.String(key)}) // XML 1.0 can name it
		} else if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
			t.Errorf("delete %q: %v", key, err)
		}
	}
	out, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: batch}})
	if err != nil || len(out.Errors) > 0 || len(out.Deleted) != len(batch) {
		t.Errorf("DeleteObjects of %d: %d deleted, errors %v, %v", len(batch), len(out.Deleted), out.Errors, err)
	}
	rest, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, EncodingType: types.EncodingTypeUrl})
	if err != nil || len(rest.Contents) != 0 {
		t.Errorf("after deleting all: %+v, %v", rest.Contents, err)
	}
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		t.Errorf("delete bucket: %v", err)
	}
}

func TestSDKListing(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, client, bucket := t.Context(), s.sdk(), aws.String(s.bucket("listing"))
	for i := range 40 {
		put(t, client, *bucket, fmt.Sprintf("photos/2024/%02d.jpg", i), []byte("x"))
	}
	for _, key := range []string{"a", "photos", "photos.txt", "photos/", "photos/2023/x", "videos/y/z", "z"} {
		put(t, client, *bucket, key, []byte(key))
	}
	type listing struct{ keys, prefixes []string }
	v2 := func(in s3.ListObjectsV2Input) (l listing, pages int) {
		t.Helper()
		in.Bucket = bucket
		for p := s3.NewListObjectsV2Paginator(client, &in); p.HasMorePages(); pages++ {
			page, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(page.Contents) + len(page.CommonPrefixes); int(aws.ToInt32(page.KeyCount)) != n {
				t.Errorf("KeyCount %d of a page of %d", aws.ToInt32(page.KeyCount), n)
			}
			for _, o := range page.Contents {
				l.keys = append(l.keys, *o.Key)
			}
			for _, c := range page.CommonPrefixes {
				l.prefixes = append(l.prefixes, *c.Prefix)
			}
		}
		return l, pages
	}
	// The listings follow from the keys above and S3's definition of a common prefix: the part of a key up to the first
	// delimiter after the prefix. Pages count keys and common prefixes alike.
	for _, c := range []struct {
		name     string
		in       s3.ListObjectsV2Input
		keys     string
		prefixes string
		pages    int
	}{
		{"root", s3.ListObjectsV2Input{Delimiter: aws.String("/")}, "a photos photos.txt z", "photos/ videos/", 1},
		{"root by one", s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, "a photos photos.txt z", "photos/ videos/", 6},
		{"prefix", s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("photos/")}, "photos/", "photos/2023/ photos/2024/", 1},
		{"prefix by one", s3.ListObjectsV2Input{Delimiter: aws.String("/"), Prefix: aws.String("photos/"), MaxKeys: aws.Int32(1)}, "photos/", "photos/2023/ photos/2024/", 3},
		{"half a name", s3.ListObjectsV2Input{Prefix: aws.String("photos/2023")}, "photos/2023/x", "", 1},
		{"other delimiter", s3.ListObjectsV2Input{Delimiter: aws.String("o")}, "a z", "pho video", 1},
		{"start after", s3.ListObjectsV2Input{StartAfter: aws.String("photos/2024/38.jpg")}, "photos/2024/39.jpg videos/y/z z", "", 1},
		{"nothing", s3.ListObjectsV2Input{Prefix: aws.String("none")}, "", "", 1},
	} {
		l, pages := v2(c.in)
		if strings.Join(l.keys, " ") != c.keys || strings.Join(l.prefixes, " ") != c.prefixes || pages != c.pages {
			t.Errorf("%s: keys %q, prefixes %q, %d pages; want %q, %q, %d", c.name, l.keys, l.prefixes, pages,
				c.keys, c.prefixes, c.pages)
		}
	}
	all, pages := v2(s3.ListObjectsV2Input{MaxKeys: aws.Int32(10)})
	if len(all.keys) != 47 || !slices.IsSorted(all.keys) || pages != 5 {
		t.Errorf("by ten: %d keys on %d pages", len(all.keys), pages)
	}

	// max-keys=0 is a page of nothing, and not truncated.
	none, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(0)})
	if err != nil || len(none.Contents) != 0 || aws.ToBool(none.IsTruncated) {
		t.Errorf("max-keys=0: %+v, %v", none, err)
	}
	// The first version of the operation goes on from the last key, or with a delimiter from NextMarker.
	var v1 []string
	var marker *string
	for {
		page, err := client.ListObjects(ctx, &s3.ListObjectsInput{
			Bucket: bucket, Delimiter: aws.String("/"), MaxKeys: aws.Int32(2), Marker: marker,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			v1 = append(v1, *o.Key)
		}
		for _, c := range page.CommonPrefixes {
			v1 = append(v1, *c.Prefix)
		}
		if !aws.ToBool(page.IsTruncated) {
			break
		}
		if marker = page.NextMarker; marker == nil {
			t.Fatal("a truncated listing with a delimiter has no NextMarker")
		}
	}
	if got := strings.Join(v1, " "); got != "a photos photos.txt photos/ z videos/" {
		t.Errorf("ListObjects by two: %s", got)
	}
	_, err = client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("absent")})
	wantCode(t, "listing of an absent bucket", err, "NoSuchBucket")
}

// decodeKey undoes encoding-type=url, which encodes a space as "+" as forms do.
func decodeKey(t *testing.T, encoded string) string {
	t.Helper()
	key, err := url.QueryUnescape(encoded)
	if err != nil {
		t.Fatalf("key %q is not encoded: %v", encoded, err)
	}
	return key
}
