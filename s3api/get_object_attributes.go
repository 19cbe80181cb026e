package s3api

import (
	"net/http"
	"strings"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxAttributeParts is the largest page of an object's parts.
const maxAttributeParts = 1000

// objectAttributes are those that x-amz-object-attributes asks for.
type objectAttributes struct{ etag, checksum, parts, class, size bool }

// getObjectAttributes answers GetObjectAttributes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
func getObjectAttributes(rq *request) error {
	if err := rq.refuseEncryption(); err != nil {
		return err
	}
	version, err := rq.version()
	if err != nil {
		return err
	}
	// It needs the permission to read the object besides its own.
	read := permissions["GetObject"]
	if err := rq.allow(read.on(string(version)), rq.access, rq.key); err != nil {
		return err
	}
	asked, err := askedAttributes(rq.r.Header)
	if err != nil {
		return err
	}
	limit, err := headerSize(rq.r.Header, "x-amz-max-parts", maxAttributeParts)
	if err != nil {
		return err
	}
	marker, err := headerSize(rq.r.Header, "x-amz-part-number-marker", 0)
	if err != nil {
		return err
	}
	object, err := rq.stat(rq.bucket, rq.key, version)
	if err != nil {
		return err
	}
	if err := rq.checkCustomerKey(object.Encryption); err != nil {
		return err
	}
	if err := (conditions{header: rq.r.Header}).check(object); err != nil {
		return err
	}
	rq.setVersion(object.Version)
	rq.w.set("Last-Modified", object.Modified.UTC().Format(http.TimeFormat))
	x := newXML(1024)
	x.root("GetObjectAttributesResponse")
	if asked.etag {
		x.text("ETag", string(object.ETag)) // without quotes, unlike everywhere else
	}
	if asked.checksum && object.Checksum.Algorithm != checksum.None {
		sum := object.Checksum
		sum.Parts = 0 // without the number of parts behind it, unlike everywhere else
		x.open("Checksum")
		writeChecksum(x, sum)
		x.close("Checksum")
	}
	if asked.parts && len(object.Parts) > 0 {
		writeObjectParts(x, &object, int(marker), int(min(limit, maxAttributeParts)))
	}
	if asked.class {
		x.text("StorageClass", classOf(object.Class))
	}
	if asked.size {
		x.number("ObjectSize", object.Size)
	}
	x.close("GetObjectAttributesResponse")
	return rq.writeXML(x)
}

// askedAttributes reads x-amz-object-attributes: names with commas between them, in one header or several.
func askedAttributes(header http.Header) (objectAttributes, error) {
	var asked objectAttributes
	list := strings.Join(header.Values("X-Amz-Object-Attributes"), ",")
	if strings.TrimSpace(list) == "" {
		return asked, s3err("InvalidRequest", "The x-amz-object-attributes header specifying the attributes to be "+
			"retrieved is either missing or empty")
	}
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "ETag":
			asked.etag = true
		case "Checksum":
			asked.checksum = true
		case "ObjectParts":
			asked.parts = true
		case "StorageClass":
			asked.class = true
		case "ObjectSize":
			asked.size = true
		default:
			return asked, invalidArgument("x-amz-object-attributes", name, "Invalid attribute name specified.")
		}
	}
	return asked, nil
}

// headerSize reads a header that is a number of parts, or usual where there is none.
func headerSize(header http.Header, name string, usual int64) (int64, error) {
	value := header.Get(name)
	if value == "" {
		return usual, nil
	}
	n, ok := parseDigits(value)
	if !ok || n > 1<<31-1 {
		return 0, invalidArgument(name, value, "Provided "+name+" not an integer or within integer range")
	}
	return n, nil
}

// writeObjectParts writes how many parts an object was made of and, where they have checksums, a page of them. They are
// numbered by their places, as GetObject takes them.
func writeObjectParts(x *xmlWriter, o *meta.Object, marker, limit int) {
	x.open("ObjectParts")
	if len(o.Parts[0].Checksum) > 0 {
		first := min(marker, len(o.Parts))
		page := o.Parts[first:min(first+limit, len(o.Parts))]
		next := first + len(page)
		x.boolean("IsTruncated", next < len(o.Parts) && limit > 0)
		x.number("MaxParts", int64(limit))
		x.number("NextPartNumberMarker", int64(next))
		for i, p := range page {
			x.open("Part")
			sum := checksum.Checksum{Algorithm: o.Checksum.Algorithm, Value: p.Checksum}
			x.text("Checksum"+sum.Algorithm.String(), sum.String())
			x.number("PartNumber", int64(first+i+1))
			x.number("Size", p.Size)
			x.close("Part")
		}
		x.number("PartNumberMarker", int64(marker))
	}
	x.number("PartsCount", int64(len(o.Parts)))
	x.close("ObjectParts")
}
