package s3api

import (
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxListParts is the largest page of ListParts.
const maxListParts = 1000

// listParts answers ListParts: gofakes3 knows nothing of checksums.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
func listParts(rq *request) error {
	limit, err := rq.pageSize("max-parts", maxListParts)
	if err != nil {
		return err
	}
	marker := 0
	if rq.query.Get("part-number-marker") != "" {
		if marker, err = rq.pageSize("part-number-marker", 1<<31-1); err != nil {
			return err
		}
	}
	id := meta.UploadID(rq.query.Get("uploadId"))
	upload, parts, more, err := rq.store().ListParts(rq.r.Context(), rq.bucket, rq.key, id, marker, max(limit, 1))
	if err != nil {
		return err
	}
	if limit == 0 {
		parts, more = nil, false
	}
	next := marker
	if len(parts) > 0 {
		next = parts[len(parts)-1].Number
	}
	x := newXML(1024 + 256*len(parts))
	rq.setAbortDate(upload.Initiated)
	x.root("ListPartsResult")
	x.text("Bucket", string(rq.bucket))
	x.text("Key", string(rq.key))
	x.text("UploadId", string(id))
	x.number("PartNumberMarker", int64(marker))
	x.number("NextPartNumberMarker", int64(next))
	x.number("MaxParts", int64(limit))
	x.boolean("IsTruncated", more)
	for _, p := range parts {
		x.open("Part")
		x.number("PartNumber", int64(p.Number))
		x.timestamp("LastModified", p.Modified)
		x.text("ETag", quoteETag(p.ETag))
		x.number("Size", p.Size)
		if upload.Algorithm != checksum.None {
			x.text("Checksum"+p.Checksum.Algorithm.String(), p.Checksum.String())
		}
		x.close("Part")
	}
	rq.writeOwner(x, "Initiator", upload.Owner)
	rq.writeOwner(x, "Owner", upload.Owner)
	x.text("StorageClass", classOf(upload.Attributes.StorageClass))
	if upload.Algorithm != checksum.None {
		x.text("ChecksumAlgorithm", upload.Algorithm.String())
		x.text("ChecksumType", upload.Type.String())
	} else {
		x.text("ChecksumAlgorithm", "null")
		x.text("ChecksumType", "null")
	}
	x.close("ListPartsResult")
	return rq.writeXML(x)
}
