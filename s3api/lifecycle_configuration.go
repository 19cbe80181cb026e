package s3api

import (
	"net/http"
	"slices"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/lifecycle"
)

// maxLifecycleBytes is the largest document of rules: a thousand, with room for tags.
const maxLifecycleBytes = 4 << 20

// minimumSizeHeader says from which size on objects move between storage classes. None do: it is given back.
const minimumSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"

// minimumSizes are its values, S3's default first.
var minimumSizes = []string{"all_storage_classes_128K", "varies_by_storage_class"}

// getBucketLifecycleConfiguration answers GetBucketLifecycleConfiguration.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLifecycleConfiguration.html
func getBucketLifecycleConfiguration(rq *request) error {
	c := rq.access.lifecycle
	if c == nil {
		return s3err("NoSuchLifecycleConfiguration").with("BucketName", string(rq.bucket))
	}
	x := newXML(256 + 512*len(c.Rules))
	x.root("LifecycleConfiguration")
	for i := range c.Rules {
		writeLifecycleRule(x, &c.Rules[i])
	}
	x.close("LifecycleConfiguration")
	rq.w.set(minimumSizeHeader, c.MinimumSize)
	return rq.writeXML(x)
}

func writeLifecycleRule(x *xmlWriter, r *lifecycle.Rule) {
	x.open("Rule")
	x.text("ID", r.ID)
	writeLifecycleFilter(x, &r.Filter)
	if r.Enabled {
		x.text("Status", "Enabled")
	} else {
		x.text("Status", "Disabled")
	}
	if r.ExpireDays > 0 || !r.ExpireDate.IsZero() || r.ExpireMarkers {
		x.open("Expiration")
		switch {
		case r.ExpireDays > 0:
			x.number("Days", int64(r.ExpireDays))
		case r.ExpireMarkers:
			x.boolean("ExpiredObjectDeleteMarker", true)
		default:
			x.timestamp("Date", r.ExpireDate)
		}
		x.close("Expiration")
	}
	if r.NoncurrentDays > 0 {
		x.open("NoncurrentVersionExpiration")
		x.number("NoncurrentDays", int64(r.NoncurrentDays))
		if r.NewerNoncurrent > 0 {
			x.number("NewerNoncurrentVersions", int64(r.NewerNoncurrent))
		}
		x.close("NoncurrentVersionExpiration")
	}
	if r.AbortDays > 0 {
		x.open("AbortIncompleteMultipartUpload")
		x.number("DaysAfterInitiation", int64(r.AbortDays))
		x.close("AbortIncompleteMultipartUpload")
	}
	x.close("Rule")
}

// writeLifecycleFilter writes a filter in the form in which it was put.
func writeLifecycleFilter(x *xmlWriter, f *lifecycle.Filter) {
	if f.Form == lifecycle.FormPrefix {
		x.text("Prefix", f.Prefix)
		return
	}
	x.open("Filter")
	if f.Form == lifecycle.FormAnd {
		x.open("And")
	}
	lonePrefix := f.Form == lifecycle.FormSingle && len(f.Tags) == 0 && !hasSizes(f)
	if f.Prefix != "" || lonePrefix {
		x.text("Prefix", f.Prefix)
	}
	for _, t := range f.Tags {
		x.open("Tag")
		x.text("Key", t.Key)
		x.text("Value", t.Value)
		x.close("Tag")
	}
	if f.SizeGreaterThan != nil {
		x.number("ObjectSizeGreaterThan", *f.SizeGreaterThan)
	}
	if f.SizeLessThan != nil {
		x.number("ObjectSizeLessThan", *f.SizeLessThan)
	}
	if f.Form == lifecycle.FormAnd {
		x.close("And")
	}
	x.close("Filter")
}

// putBucketLifecycleConfiguration answers PutBucketLifecycleConfiguration.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
func putBucketLifecycleConfiguration(rq *request) error {
	if err := rq.needIntegrity(); err != nil {
		return err
	}
	minimum := rq.r.Header.Get(minimumSizeHeader)
	if minimum == "" {
		minimum = minimumSizes[0]
	}
	if !slices.Contains(minimumSizes, minimum) {
		return invalidArgument("x-amz-transition-default-minimum-object-size", minimum,
			"Invalid value for the header x-amz-transition-default-minimum-object-size")
	}
	var in lifecycleDocument
	if err := rq.readXML("LifecycleConfiguration", maxLifecycleBytes, &in); err != nil {
		return err
	}
	c, err := in.configuration()
	if err != nil {
		return err
	}
	c.MinimumSize = minimum
	rq.w.set(minimumSizeHeader, minimum)
	return rq.putConfig(backend.ConfigLifecycle, c.Marshal(), http.StatusOK)
}

// deleteBucketLifecycle answers DeleteBucketLifecycle.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketLifecycle.html
func deleteBucketLifecycle(rq *request) error {
	return rq.putConfig(backend.ConfigLifecycle, nil, http.StatusNoContent)
}
