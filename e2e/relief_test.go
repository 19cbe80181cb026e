package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// breakdown is what "usage --by-prefix --json" tells.
type breakdown struct {
	Result struct {
		Total    struct{ Bytes, Objects int64 }
		Prefixes []struct {
			Prefix         string
			Bytes, Objects int64
		}
	}
}

// TestReportIsConsistent: every writer stores b/n and then a/n. A report that were read while they go on, and not from one
// snapshot, would read the a's before the b's, and miss some of each writer's last.
func TestReportIsConsistent(t *testing.T) {
	t.Parallel()
	s := start(t, "--sync=none")
	client, bucket := s.sdk(), s.bucket("photos")
	const writers, reports = 4, 6
	stop := make(chan struct{})
	var wg sync.WaitGroup
	stored := make([]int64, writers)
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, prefix := range []string{"b", "a"} {
					key := fmt.Sprintf("%s/%d/%d", prefix, w, stored[w])
					_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
						Bucket: &bucket, Key: &key, Body: strings.NewReader("xxxxxxxxxx"),
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
				stored[w]++
			}
		}()
	}
	read := func() (a, b int64) {
		t.Helper()
		var report breakdown
		if out := s.cli("usage", bucket, "--by-prefix", "--json"); json.Unmarshal([]byte(out), &report) != nil {
			t.Fatalf("not JSON: %s", out)
		}
		for _, p := range report.Result.Prefixes {
			if p.Bytes != 10*p.Objects {
				t.Errorf("%+v", p)
			}
			if p.Prefix == "a/" {
				a = p.Objects
			} else {
				b = p.Objects
			}
		}
		if a+b != report.Result.Total.Objects {
			t.Errorf("%+v does not add up", report.Result)
		}
		return a, b
	}
	var before int64
	for range reports {
		a, b := read()
		if b-a < 0 || b-a > writers {
			t.Errorf("%d objects under a/ and %d under b/ were never there at once", a, b)
		}
		if a+b < before {
			t.Errorf("%d objects after %d", a+b, before)
		}
		before = a + b
	}
	close(stop)
	wg.Wait()
	var want int64
	for _, n := range stored {
		want += n
	}
	if a, b := read(); a != want || b != want || want == 0 {
		t.Errorf("%d and %d objects, want %d of each", a, b, want)
	}
}

func TestAbortUploadsByCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	client, bucket := s.sdk(), s.bucket("photos")
	kept := startUpload(t, client, bucket, "kept")
	gone := startUpload(t, client, bucket, "dir/gone")
	for _, u := range []*upload{kept, gone} {
		wantCode(t, "part", u.part(1, random(1, 1000)), "")
	}
	list := s.cli("uploads", "list", bucket)
	if !strings.Contains(list, "dir/gone") || !strings.Contains(list, "kept") ||
		!strings.Contains(list, "2 unfinished uploads of 2.0 KiB") {
		t.Errorf("list:\n%s", list)
	}
	if out := s.cli("uploads", "abort", bucket); !strings.HasPrefix(out, "0 unfinished uploads, begun 1d ago") {
		t.Errorf("what is under way: %s", out)
	}
	out := s.cli("uploads", "abort", bucket, "--older-than", "0", "--prefix", "dir/")
	if !strings.Contains(out, "Aborted 1 upload: 1000 B freed.") {
		t.Errorf("abort: %s", out)
	}
	wantCode(t, "a part of what is aborted", gone.part(2, random(1, 10)), "NoSuchUpload")
	if _, err := kept.complete(); err != nil {
		t.Errorf("complete the other: %v", err)
	}
	s.wantUsage(bucket, 1000, 1, 0)
}

func TestPruneVersionsByCommand(t *testing.T) {
	t.Parallel()
	s := start(t)
	client, bucket := s.sdk(), s.bucket("photos")
	_, err := client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		put(t, client, bucket, "k", random(1, 100+i))
	}
	put(t, client, bucket, "deleted", random(1, 50))
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("deleted")}); err != nil {
		t.Fatal(err)
	}
	prune := func(flags ...string) string {
		t.Helper()
		return s.cli(append([]string{"versions", "prune", bucket, "--noncurrent"}, flags...)...)
	}
	if out := prune("--older-than", "30d"); !strings.HasPrefix(out, "0 noncurrent versions") {
		t.Errorf("none is as old: %s", out)
	}
	if out := prune("--older-than", "0", "--dry-run"); !strings.HasPrefix(out, "4 noncurrent versions in photos with 353 B to free") {
		t.Errorf("dry run: %s", out)
	}
	s.wantUsage(bucket, 456, 5, 0)
	if out := prune("--older-than", "0", "--keep", "1"); !strings.Contains(out, "Removed 2 noncurrent versions: 201 B freed.") {
		t.Errorf("but for one: %s", out)
	}
	if out := prune("--older-than", "0"); !strings.Contains(out, "Removed 2 noncurrent versions: 152 B freed.") {
		t.Errorf("all: %s", out)
	}
	s.wantUsage(bucket, 103, 1, 0)
	wantObject(t, client, bucket, "k", random(1, 103))
}
