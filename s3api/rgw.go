package s3api

import (
	"slices"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// The ways of Ceph's RADOS Gateway to see figures. Its -1 is no limit; of the number of buckets, which nothing limits
// here, no limit is 0.
const (
	rgwUnlimited        = -1
	rgwUnlimitedBuckets = 0
)

func rgwLimit(n int64) int64 {
	if n == 0 {
		return rgwUnlimited
	}
	return n
}

// setStats answers HEAD ?read-stats: what the bucket holds for whoever signed the request, its limits and its owner's
// for the owner and for administrators. A version counts as an object.
// https://docs.ceph.com/en/latest/radosgw/s3/bucketops/, RGWStatBucket in src/rgw/rgw_rest_s3.cc
func (rq *request) setStats() {
	if !rq.query.Has("read-stats") || rq.who.Name == "" {
		return
	}
	bucket, _ := rq.store().Account(quota.BucketScope(string(rq.bucket)))
	// Spelled as RGW does: there are scripts that look for it so.
	rq.w.set("X-RGW-Object-Count", itoa64(bucket.Usage.Objects))
	rq.w.set("X-RGW-Bytes-Used", itoa64(bucket.Usage.Bytes))
	if !rq.mayReadFigures() {
		return
	}
	owner, _ := rq.store().Account(quota.OwnerScope(rq.access.Owner))
	rq.w.set("X-RGW-Quota-User-Size", itoa64(rgwLimit(owner.Limit.MaxBytes)))
	rq.w.set("X-RGW-Quota-User-Objects", itoa64(rgwLimit(owner.Limit.MaxObjects)))
	rq.w.set("X-RGW-Quota-Max-Buckets", itoa64(rgwUnlimitedBuckets))
	rq.w.set("X-RGW-Quota-Bucket-Size", itoa64(rgwLimit(bucket.Limit.MaxBytes)))
	rq.w.set("X-RGW-Quota-Bucket-Objects", itoa64(rgwLimit(bucket.Limit.MaxObjects)))
}

// mayReadFigures reports whether the request may see a bucket's limits: an administrator's may, and its owner's, unless
// a policy, or what a session is held to, keeps them from that.
func (rq *request) mayReadFigures() bool {
	return rq.administers() || (rq.owns(rq.access) && !rq.denied("s3:GetBucketQuota"))
}

// getUsage answers RGW's GET /?usage with what the buckets of whoever asks hold. As in a gateway without a log of
// usage, there are no entries of operations.
// https://docs.ceph.com/en/latest/radosgw/s3/serviceops/#get-usage-stats, RGWGetUsage in src/rgw/rgw_rest_s3.cc
func getUsage(rq *request) error {
	if rq.who.Name == "" || rq.denied("s3:ListAllMyBuckets") {
		return s3err("AccessDenied")
	}
	own, err := rq.store().ListBuckets(rq.r.Context())
	if err != nil {
		return err
	}
	own = slices.DeleteFunc(own, func(b meta.Bucket) bool { return b.Owner != rq.who.Name })
	owner, _ := rq.store().Account(quota.OwnerScope(rq.who.Name)) // none for who has no bucket and no limit
	x := newXML(1024 + 128*len(own))
	x.open("Usage")
	x.raw("<Entries></Entries>")
	x.open("Summary")
	x.number("QuotaMaxBytes", rgwLimit(owner.Limit.MaxBytes))
	x.number("QuotaMaxBuckets", rgwUnlimitedBuckets)
	x.number("QuotaMaxObjCount", rgwLimit(owner.Limit.MaxObjects))
	x.number("QuotaMaxBytesPerBucket", rgwUnlimited)
	x.number("QuotaMaxObjCountPerBucket", rgwUnlimited)
	x.number("TotalBytes", owner.Usage.Bytes)
	x.number("TotalBytesRounded", rgwRounded(owner.Usage.Bytes))
	x.number("TotalEntries", owner.Usage.Objects)
	x.close("Summary")
	x.raw("<CapacityUsed><User><Buckets>")
	for _, b := range own {
		account, ok := rq.store().Account(quota.BucketScope(string(b.Name)))
		if !ok { // deleted since
			continue
		}
		x.open("Entry")
		x.text("Bucket", string(b.Name))
		x.number("Bytes", account.Usage.Bytes)
		x.number("Bytes_Rounded", rgwRounded(account.Usage.Bytes))
		x.close("Entry")
	}
	x.raw("</Buckets></User></CapacityUsed>")
	x.close("Usage")
	return rq.writeXML(x)
}

// rgwRounded is a size in whole blocks of 4 KiB. RGW rounds each object's; here they share blocks, and the sum is
// rounded.
func rgwRounded(n int64) int64 {
	const block = 4 << 10
	return n + (block-n%block)%block
}
