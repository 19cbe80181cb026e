package s3api

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxListKeys is the largest page of a listing; more are asked for in vain.
const maxListKeys = 1000

// listParameters are those that both versions of ListObjects have.
type listParameters struct {
	prefix, delimiter string
	limit             int
	urlEncoded        bool
}

func (rq *request) listParameters() (listParameters, error) {
	limit, err := rq.pageSize("max-keys", maxListKeys)
	if err != nil {
		return listParameters{}, err
	}
	encoded, err := rq.urlEncoded()
	if err != nil {
		return listParameters{}, err
	}
	return listParameters{
		prefix: rq.query.Get("prefix"), delimiter: rq.query.Get("delimiter"), limit: limit, urlEncoded: encoded,
	}, nil
}

// pageSize reads a page size; one above most is most.
func (rq *request) pageSize(name string, most int) (int, error) {
	value := rq.query.Get(name)
	if value == "" {
		return most, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0, invalidArgument(name, value, "Provided "+value+" not an integer or within integer range")
	}
	if n < 0 {
		return 0, invalidArgument(name, value, "Argument "+value+" must be an integer between 0 and 2147483647")
	}
	return min(int(n), most), nil
}

func (rq *request) urlEncoded() (bool, error) {
	switch encoding := rq.query.Get("encoding-type"); encoding {
	case "":
		return false, nil
	case "url":
		return true, nil
	default:
		return false, invalidArgument("encoding-type", encoding, "Invalid Encoding Method specified in Request")
	}
}

// list returns a page; a limit of 0 is an empty one.
func (rq *request) list(p listParameters, after string) (meta.ListPage, error) {
	if p.limit == 0 {
		return meta.ListPage{}, rq.store().HeadBucket(rq.r.Context(), rq.bucket)
	}
	return rq.store().ListObjects(rq.r.Context(), meta.ListRequest{
		Bucket: rq.bucket, Prefix: p.prefix, Delimiter: p.delimiter, After: after, Limit: p.limit,
	})
}

// listObjects answers version 1 of ListObjects: gofakes3 has no encoding-type.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
func listObjects(rq *request) error {
	p, err := rq.listParameters()
	if err != nil {
		return err
	}
	marker := rq.query.Get("marker")
	page, err := rq.list(p, marker)
	if err != nil {
		return err
	}
	x := newXML(512 + 320*len(page.Entries))
	x.root("ListBucketResult")
	x.text("Name", string(rq.bucket))
	x.text("Prefix", p.encode(p.prefix))
	x.text("Marker", p.encode(marker))
	if page.Truncated && p.delimiter != "" {
		x.text("NextMarker", p.encode(string(page.Entries[len(page.Entries)-1].Key)))
	}
	p.writeHead(x, page)
	rq.writeEntries(x, p, page, true)
	x.close("ListBucketResult")
	return rq.writeXML(x)
}

// listObjectsV2 answers ListObjectsV2.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func listObjectsV2(rq *request) error {
	if version := rq.query.Get("list-type"); version != "2" {
		return invalidArgument("list-type", version, "Invalid list-type specified in Request")
	}
	p, err := rq.listParameters()
	if err != nil {
		return err
	}
	startAfter, token := rq.query.Get("start-after"), rq.query.Get("continuation-token")
	after := startAfter
	if rq.query.Has("continuation-token") {
		position, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || token == "" {
			return invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
		}
		after = string(position)
	}
	page, err := rq.list(p, after)
	if err != nil {
		return err
	}
	x := newXML(512 + 256*len(page.Entries))
	x.root("ListBucketResult")
	x.text("Name", string(rq.bucket))
	x.text("Prefix", p.encode(p.prefix))
	x.optional("StartAfter", p.encode(startAfter))
	x.optional("ContinuationToken", token)
	if page.Truncated {
		last := page.Entries[len(page.Entries)-1].Key
		x.text("NextContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(last)))
	}
	x.number("KeyCount", int64(len(page.Entries)))
	p.writeHead(x, page)
	rq.writeEntries(x, p, page, rq.query.Get("fetch-owner") == "true")
	x.close("ListBucketResult")
	return rq.writeXML(x)
}

func (p listParameters) writeHead(x *xmlWriter, page meta.ListPage) {
	x.number("MaxKeys", int64(p.limit))
	x.optional("Delimiter", p.encode(p.delimiter))
	x.boolean("IsTruncated", page.Truncated)
	if p.urlEncoded {
		x.text("EncodingType", "url")
	}
}

// writeEntries writes the keys, and then the common prefixes.
func (rq *request) writeEntries(x *xmlWriter, p listParameters, page meta.ListPage, withOwner bool) {
	for _, e := range page.Entries {
		if e.Head == nil {
			continue
		}
		rq.writeEntry(x, p, e, withOwner)
	}
	for _, e := range page.Entries {
		if e.Head == nil {
			x.open("CommonPrefixes")
			x.text("Prefix", p.encode(string(e.Key)))
			x.close("CommonPrefixes")
		}
	}
}

// writeEntry writes a key. This is most of what a listing costs: it writes runs of tags at once, and makes no strings.
func (rq *request) writeEntry(x *xmlWriter, p listParameters, e meta.ListEntry, withOwner bool) {
	x.raw("<Contents><Key>")
	x.data(p.encode(string(e.Key)))
	x.raw("</Key><LastModified>")
	x.time(e.Head.Modified)
	x.raw("</LastModified><ETag>&quot;")
	x.data(string(e.Head.ETag))
	x.raw("&quot;</ETag>")
	if e.Head.Checksum.Algorithm != checksum.None {
		x.raw("<ChecksumAlgorithm>")
		x.raw(e.Head.Checksum.Algorithm.String())
		x.raw("</ChecksumAlgorithm><ChecksumType>")
		x.raw(e.Head.Checksum.Type.String())
		x.raw("</ChecksumType>")
	}
	x.raw("<Size>")
	x.integer(e.Head.Size)
	x.raw("</Size>")
	if withOwner {
		rq.writeOwner(x, "Owner", e.Head.Owner)
	}
	x.raw("<StorageClass>")
	x.data(classOf(e.Head.Class))
	x.raw("</StorageClass></Contents>")
}

// classOf is a storage class as documents have it.
func classOf(class string) string {
	if class == "" {
		return "STANDARD"
	}
	return class
}

// encode applies encoding-type to a key or a part of one.
func (p listParameters) encode(s string) string {
	if !p.urlEncoded {
		return s
	}
	return urlEncode(s)
}

// urlEncode percent-encodes all but unreserved characters and "/". A space becomes %20, which every decoder takes.
func urlEncode(s string) string {
	const digits = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == '/' || c == '~' || c == '*'
	}
	extra := 0
	for i := range len(s) {
		if !plain(s[i]) {
			extra += 2
		}
	}
	if extra == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + extra)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}
