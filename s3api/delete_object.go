package s3api

import (
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// deleteObject prepares DeleteObject for gofakes3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func deleteObject(rq *request) error {
	for _, name := range []string{"X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size"} {
		if rq.r.Header.Get(name) != "" {
			return notImplementedHeader(name) // conditions of directory buckets
		}
	}
	version, err := rq.version()
	if err != nil {
		return err
	}
	f := rq.newFront()
	f.bound.deletion = backend.DeleteObjectInput{
		Bucket: rq.bucket, Key: rq.key, Version: version, Owner: rq.newOwner(), Bypass: rq.bypassesGovernance(rq.key),
	}
	f.bound.deletion.Precondition.IfMatch = unquoteETag(headerOf(rq.r.Header, "If-Match"))
	return f.serve(nil)
}

// bypassesGovernance reports whether the request asks to remove what a governance retention protects, and may. Who asks
// and may not is told that the object is locked, as if they had not asked.
func (rq *request) bypassesGovernance(key meta.Key) bool {
	return strings.EqualFold(headerOf(rq.r.Header, "X-Amz-Bypass-Governance-Retention"), "true") &&
		rq.may("s3:BypassGovernanceRetention", rq.access, key)
}

// setDeletion tells what became of a deletion.
func (b *bound) setDeletion(d backend.DeleteObjectOutput) {
	if d.Version != "" {
		b.set("X-Amz-Version-Id", string(d.Version))
	}
	if d.DeleteMarker {
		b.set("X-Amz-Delete-Marker", "true")
	}
}
