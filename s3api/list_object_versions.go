package s3api

import (
	"strconv"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// listObjectVersions answers ListObjectVersions: gofakes3's is that of a fake.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func listObjectVersions(rq *request) error {
	if n, err := strconv.ParseInt(rq.query.Get("max-keys"), 10, 32); err == nil && n < 0 {
		return invalidArgument("maxKeys", itoa64(n), "max-keys cannot be negative") // in words of its own
	}
	p, err := rq.listParameters()
	if err != nil {
		return err
	}
	in := meta.ListVersionsRequest{
		Bucket: rq.bucket, Prefix: p.prefix, Delimiter: p.delimiter, Limit: p.limit, KeyMarker: rq.query.Get("key-marker"),
	}
	if marker := rq.query.Get("version-id-marker"); rq.query.Has("version-id-marker") {
		switch {
		case marker == "":
			return invalidArgument("version-id-marker", marker, "A version-id marker cannot be empty.")
		case in.KeyMarker == "":
			return invalidArgument("version-id-marker", marker, "A version-id marker cannot be specified without a key marker.")
		}
		if in.VersionMarker, err = meta.ParseVersionID(marker); err != nil {
			return invalidArgument("version-id-marker", marker, "Invalid version id specified")
		}
	}
	var page meta.VersionsPage
	if p.limit > 0 {
		if page, err = rq.store().ListObjectVersions(rq.r.Context(), in); err != nil {
			return err
		}
	}
	x := newXML(1024 + 384*len(page.Entries))
	x.root("ListVersionsResult")
	x.text("Name", string(rq.bucket))
	x.text("Prefix", p.encode(p.prefix))
	x.text("KeyMarker", p.encode(in.KeyMarker))
	x.text("VersionIdMarker", string(in.VersionMarker))
	if page.Truncated {
		last := page.Entries[len(page.Entries)-1]
		x.text("NextKeyMarker", p.encode(string(last.Key)))
		if last.Head != nil {
			x.text("NextVersionIdMarker", string(last.Head.Version))
		}
	}
	x.number("MaxKeys", int64(p.limit))
	x.optional("Delimiter", p.encode(p.delimiter))
	x.boolean("IsTruncated", page.Truncated)
	if p.urlEncoded {
		x.text("EncodingType", "url")
	}
	rq.writeVersions(x, p, page)
	x.close("ListVersionsResult")
	return rq.writeXML(x)
}

// writeVersions writes versions and delete markers in their order, and then the common prefixes.
func (rq *request) writeVersions(x *xmlWriter, p listParameters, page meta.VersionsPage) {
	for i := range page.Entries {
		e := &page.Entries[i]
		if e.Head == nil {
			continue
		}
		element := "Version"
		if e.Marker {
			element = "DeleteMarker"
		}
		x.open(element)
		x.text("Key", p.encode(string(e.Key)))
		x.text("VersionId", string(e.Head.Version))
		x.boolean("IsLatest", e.Latest)
		x.timestamp("LastModified", e.Head.Modified)
		if !e.Marker {
			writeVersionHead(x, e.Head)
		}
		rq.writeOwner(x, "Owner", e.Head.Owner)
		x.close(element)
	}
	for _, e := range page.Entries {
		if e.Head == nil {
			x.open("CommonPrefixes")
			x.text("Prefix", p.encode(string(e.Key)))
			x.close("CommonPrefixes")
		}
	}
}

// writeVersionHead writes what a version has and a delete marker has not.
func writeVersionHead(x *xmlWriter, h *meta.ObjectHead) {
	x.text("ETag", quoteETag(h.ETag))
	if h.Checksum.Algorithm != checksum.None {
		x.text("ChecksumAlgorithm", h.Checksum.Algorithm.String())
		x.text("ChecksumType", h.Checksum.Type.String())
	}
	x.number("Size", h.Size)
	x.text("StorageClass", classOf(h.Class))
}
