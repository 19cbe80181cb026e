package s3api

import (
	"slices"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

// TestEveryOperationAsks holds the routing table to: an operation that is served needs a permission, or is one of those
// that ask for what they need themselves.
func TestEveryOperationAsks(t *testing.T) {
	themselves := []string{
		"ListBuckets", "DeleteObjects", "PostObject",
		// What other servers have and IAM does not.
		"GetUsage", "GetBucketQuota", "PutBucketQuota", "DeleteBucketQuota", "GetBucketStorageInfo",
	}
	routes := slices.Concat(serviceRoutes, bucketRoutes, objectRoutes,
		[]route{{operation: copyObjectOperation}, {operation: uploadPartCopyOperation}})
	for _, r := range routes {
		o := r.operation
		if o.serve == nil {
			continue
		}
		if asks := o.permission.action != ""; asks == slices.Contains(themselves, o.name) {
			t.Errorf("%s: a permission of its own is %v", o.name, asks)
		}
	}
}

// TestPermissionsAreActions holds the table to S3's actions, on the right kind of resource.
func TestPermissionsAreActions(t *testing.T) {
	known := make(map[string]bool)
	for _, routes := range [][]route{serviceRoutes, bucketRoutes, objectRoutes} {
		for _, r := range routes {
			known[r.operation.name] = true
		}
	}
	known["CopyObject"], known["UploadPartCopy"] = true, true
	for name, p := range permissions {
		if !known[name] {
			t.Errorf("%s is no operation", name)
		}
		if _, ok := policy.ActionResource(p.action); !ok {
			t.Errorf("%s needs %s, which is no action", name, p.action)
		}
	}
	for action, versioned := range versionActions {
		of, ok := policy.ActionResource(action)
		ofVersion, okVersion := policy.ActionResource(versioned)
		if !ok || !okVersion || of != ofVersion {
			t.Errorf("%s and %s are not actions on the same", action, versioned)
		}
	}
}
