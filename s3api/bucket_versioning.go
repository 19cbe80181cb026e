package s3api

import (
	"errors"
	"net/http"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// getBucketVersioning answers GetBucketVersioning; a bucket that never kept versions has no status.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
func getBucketVersioning(rq *request) error {
	x := newXML(256)
	x.root("VersioningConfiguration")
	switch rq.access.Versioning {
	case meta.VersioningEnabled:
		x.text("Status", "Enabled")
	case meta.VersioningSuspended:
		x.text("Status", "Suspended")
	case meta.VersioningOff:
	}
	x.close("VersioningConfiguration")
	return rq.writeXML(x)
}

// putBucketVersioning answers PutBucketVersioning. MFA delete is not there to be enabled.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
func putBucketVersioning(rq *request) error {
	var in struct {
		Status    string `xml:"Status"`
		MFADelete string `xml:"MfaDelete"`
	}
	if err := rq.readXML("VersioningConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	var versioning meta.Versioning
	switch in.Status {
	case "Enabled":
		versioning = meta.VersioningEnabled
	case "Suspended":
		versioning = meta.VersioningSuspended
	default:
		return s3err("MalformedXML")
	}
	switch in.MFADelete {
	case "", "Disabled":
	case "Enabled":
		return s3err("NotImplemented", "MFA delete is not implemented.")
	default:
		return s3err("MalformedXML")
	}
	err := rq.store().SetVersioning(rq.r.Context(), rq.bucket, versioning)
	if errors.Is(err, meta.ErrLockNeedsVersioning) {
		return s3err("InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning "+
			"state cannot be changed.")
	}
	if err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}
