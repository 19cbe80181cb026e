package adminclient_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

// Double the limit of a bucket, unless somebody else changes it meanwhile.
func ExampleClient_IfMatch() {
	ctx := context.Background()
	server := startServer()
	defer server.stop()
	client, err := adminclient.New(server.url, server.accessKey, server.secretKey, "us-east-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	limit := int64(10 << 30)
	if _, err := client.CreateBucket(ctx, "photos", adminapi.Limit{MaxBytes: &limit}); err != nil {
		log.Fatal(err)
	}

	photos := quota.BucketScope("photos")
	account, err := client.Quota(ctx, photos)
	if err != nil {
		log.Fatal(err)
	}
	doubled := 2 * account.MaxBytes
	changed, err := client.IfMatch(account.ETag).ChangeQuota(ctx, photos, adminapi.Limit{MaxBytes: &doubled})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(changed.Name, "may hold", changed.MaxBytes>>30, "GiB")

	// Once more with the old ETag.
	_, err = client.IfMatch(account.ETag).ChangeQuota(ctx, photos, adminapi.Limit{MaxBytes: &doubled})
	var problem *adminclient.Problem
	if errors.As(err, &problem) {
		fmt.Println(problem.Status, problem.Code())
	}
	// Output:
	// photos may hold 20 GiB
	// 412 PreconditionFailed
}

// What was changed in the last hour, and by whom.
func ExampleClient_Audit() {
	ctx := context.Background()
	server := startServer()
	defer server.stop()
	client, err := adminclient.New(server.url, server.accessKey, server.secretKey, "us-east-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.CreateUser(ctx, "alice", adminapi.UserSettings{Policies: []string{"readonly"}}); err != nil {
		log.Fatal(err)
	}
	if err := client.DeleteBucket(ctx, "not-there"); err == nil {
		log.Fatal("deleted")
	}

	for r, err := range client.Audit(ctx, adminclient.AuditQuery{Since: time.Now().Add(-time.Hour)}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.User, r.Action, r.Resource, r.Result)
	}
	// Output:
	// root PUT users/alice done
	// root DELETE buckets/not-there refused
}
