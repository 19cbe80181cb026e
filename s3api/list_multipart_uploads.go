package s3api

import (
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxListUploads is the largest page of ListMultipartUploads.
const maxListUploads = 1000

// listMultipartUploads answers ListMultipartUploads: gofakes3 has no encoding-type.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
func listMultipartUploads(rq *request) error {
	limit, err := rq.pageSize("max-uploads", maxListUploads)
	if err != nil {
		return err
	}
	encoded, err := rq.urlEncoded()
	if err != nil {
		return err
	}
	p := listParameters{
		prefix: rq.query.Get("prefix"), delimiter: rq.query.Get("delimiter"), limit: limit, urlEncoded: encoded,
	}
	in := meta.UploadsRequest{
		Bucket: rq.bucket, Prefix: p.prefix, Delimiter: p.delimiter, Limit: limit, KeyMarker: rq.query.Get("key-marker"),
	}
	if in.KeyMarker != "" {
		in.UploadMarker = meta.UploadID(rq.query.Get("upload-id-marker"))
	}
	var page meta.UploadsPage
	if limit == 0 {
		err = rq.store().HeadBucket(rq.r.Context(), rq.bucket)
	} else {
		page, err = rq.store().ListMultipartUploads(rq.r.Context(), in)
	}
	if err != nil {
		return err
	}
	x := newXML(1024 + 512*len(page.Entries))
	x.root("ListMultipartUploadsResult")
	x.text("Bucket", string(rq.bucket))
	x.text("KeyMarker", p.encode(in.KeyMarker))
	x.text("UploadIdMarker", string(in.UploadMarker))
	if page.Truncated {
		key, id := position(page.Entries[len(page.Entries)-1])
		x.text("NextKeyMarker", p.encode(key))
		x.text("NextUploadIdMarker", id)
	}
	x.text("Prefix", p.encode(p.prefix))
	x.optional("Delimiter", p.encode(p.delimiter))
	x.number("MaxUploads", int64(limit))
	x.boolean("IsTruncated", page.Truncated)
	if encoded {
		x.text("EncodingType", "url")
	}
	rq.writeUploads(x, p, page)
	x.close("ListMultipartUploadsResult")
	return rq.writeXML(x)
}

// position is where a listing goes on after an entry.
func position(e meta.UploadEntry) (key, id string) {
	if e.Upload == nil {
		return e.Prefix, ""
	}
	return string(e.Upload.Key), string(e.Upload.ID)
}

func (rq *request) writeUploads(x *xmlWriter, p listParameters, page meta.UploadsPage) {
	for _, e := range page.Entries {
		if e.Upload == nil {
			continue
		}
		x.open("Upload")
		x.text("Key", p.encode(string(e.Upload.Key)))
		x.text("UploadId", string(e.Upload.ID))
		rq.writeOwner(x, "Initiator", e.Upload.Owner)
		rq.writeOwner(x, "Owner", e.Upload.Owner)
		x.text("StorageClass", classOf(e.Upload.Attributes.StorageClass))
		x.timestamp("Initiated", e.Upload.Initiated)
		if e.Upload.Algorithm != checksum.None {
			x.text("ChecksumAlgorithm", e.Upload.Algorithm.String())
			x.text("ChecksumType", e.Upload.Type.String())
		}
		x.close("Upload")
	}
	for _, e := range page.Entries {
		if e.Upload == nil {
			x.open("CommonPrefixes")
			x.text("Prefix", p.encode(e.Prefix))
			x.close("CommonPrefixes")
		}
	}
}
