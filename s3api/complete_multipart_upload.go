package s3api

import (
	"encoding/xml"
	"errors"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

type completeRequest struct {
	Parts completeRequestParts `xml:"Part"`
}

// completeRequestParts stops at the first part that is too many: the largest document has room for 600,000 empty ones.
type completeRequestParts []completeRequestPart

// UnmarshalXML implements xml.Unmarshaler: it is called for each part.
func (p *completeRequestParts) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return decodeNext(p, backend.MaxPartNumber, d, start)
}

type completeRequestPart struct {
	Number *int   `xml:"PartNumber"`
	ETag   string `xml:"ETag"`
	// Others are its checksums, one element for each algorithm.
	Others partElements `xml:",any"`
}

type partElement struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// partElements are those of a part that can be checksums. What S3 does not define is left out, however much it is.
type partElements []partElement

// maxPartElements is more than there are algorithms.
const maxPartElements = 32

// UnmarshalXML implements xml.Unmarshaler: it is called for each element.
func (e *partElements) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if !strings.HasPrefix(start.Name.Local, "Checksum") {
		return d.Skip()
	}
	return decodeNext(e, maxPartElements, d, start)
}

// completeMultipartUpload answers CompleteMultipartUpload: gofakes3 knows nothing of checksums and of preconditions.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func completeMultipartUpload(rq *request) error {
	precondition, err := writePrecondition(rq.r.Header)
	if err != nil {
		return err
	}
	in := backend.CompleteMultipartUploadInput{
		Bucket: rq.bucket, Key: rq.key, Upload: meta.UploadID(rq.query.Get("uploadId")),
		Size: -1, Precondition: precondition, Check: rq.checkUploadKey,
	}
	if in.Checksum, err = rq.wholeChecksum(); err != nil {
		return err
	}
	if name := headerOf(rq.r.Header, "X-Amz-Checksum-Type"); name != "" {
		kind, ok := checksum.ParseType(name)
		if !ok {
			return s3err("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
		}
		in.Type = &kind
	}
	if size := headerOf(rq.r.Header, "X-Amz-Mp-Object-Size"); size != "" {
		if in.Size, err = strconv.ParseInt(size, 10, 64); err != nil {
			return s3err("InvalidRequest", "Value for x-amz-mp-object-size header is invalid.")
		}
		if in.Size < 0 {
			return s3err("InvalidRequest", "Value for x-amz-mp-object-size header is less than zero: '"+size+"'")
		}
	}
	// The checksum headers are of the object, not of this request's body.
	rq.checksumsOfObject = true
	var body completeRequest
	if err := rq.readXML("CompleteMultipartUpload", maxCompleteBytes, &body); err != nil {
		if e := (*Error)(nil); errors.As(err, &e) && e.Code == "MissingRequestBodyError" {
			return s3err("MalformedXML") // no document names no parts, as an empty one
		}
		return err
	}
	if in.Parts, err = completedParts(body); err != nil {
		return err
	}
	object, err := rq.store().CompleteMultipartUpload(rq.r.Context(), in)
	if err != nil {
		return err
	}
	rq.setVersion(rq.madeVersion(object.Version))
	rq.setEncryption(object.Encryption)
	rq.setExpiration(&object)
	rq.setRoom()
	x := newXML(1024)
	x.root("CompleteMultipartUploadResult")
	x.text("Location", rq.location())
	x.text("Bucket", string(rq.bucket))
	x.text("Key", string(rq.key))
	x.text("ETag", quoteETag(object.ETag))
	writeChecksum(x, object.Checksum)
	x.close("CompleteMultipartUploadResult")
	return rq.writeXML(x)
}

// wholeChecksum reads what the client says of the whole object's checksum.
func (rq *request) wholeChecksum() (checksum.Checksum, error) {
	var sum checksum.Checksum
	for _, a := range checksum.Algorithms() {
		value := rq.r.Header.Get(a.Header())
		if value == "" {
			continue
		}
		if sum.Algorithm != checksum.None {
			return sum, s3err("InvalidRequest", multipleChecksums)
		}
		digest, parts, composite := strings.Cut(value, "-")
		var err error
		if sum.Value, err = a.Decode(digest); err != nil {
			return sum, s3err("InvalidRequest", "Value for "+a.Header()+" header is invalid.")
		}
		if composite {
			n, ok := parseDigits(parts)
			if !ok || n < 1 || n > backend.MaxPartNumber {
				return sum, s3err("InvalidRequest", "Value for "+a.Header()+" header is invalid.")
			}
			sum.Parts = int(n)
		}
		sum.Algorithm = a
	}
	return sum, nil
}

// completedParts checks the form of the named parts.
func completedParts(body completeRequest) ([]backend.CompletedPart, error) {
	if len(body.Parts) == 0 {
		return nil, s3err("MalformedXML")
	}
	parts := make([]backend.CompletedPart, 0, len(body.Parts))
	for _, p := range body.Parts {
		if p.Number == nil || p.ETag == "" {
			return nil, s3err("MalformedXML")
		}
		if *p.Number < 1 {
			return nil, invalidArgument("PartNumber", itoa(*p.Number), "PartNumber must be >= 1")
		}
		if *p.Number > backend.MaxPartNumber {
			return nil, invalidPartNumber("PartNumber", itoa(*p.Number))
		}
		part := backend.CompletedPart{Number: *p.Number, ETag: unquoteETag(p.ETag)}
		var err error
		if part.Algorithm, part.Checksum, err = p.checksum(); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// checksum returns the checksum that is named of a part; None where there is none.
func (p *completeRequestPart) checksum() (checksum.Algorithm, []byte, error) {
	const message = "Invalid Base64 or multiple checksums present in request"
	var (
		algorithm   checksum.Algorithm
		value, list string
	)
	count := 0
	for _, e := range p.Others {
		name, ok := strings.CutPrefix(e.XMLName.Local, "Checksum")
		a, known := checksum.ParseAlgorithm(name)
		if !ok || !known || e.Value == "" {
			continue
		}
		algorithm, value = a, e.Value
		list += a.String() + ":" + value + ";"
		count++
	}
	switch {
	case count == 0:
		return checksum.None, nil, nil
	case count > 1:
		return checksum.None, nil, invalidArgument("Checksum", list, message)
	}
	sum, err := algorithm.Decode(value)
	if err != nil {
		return checksum.None, nil, invalidArgument("Checksum", value, message)
	}
	return algorithm, sum, nil
}

// location is the object's address, as the client reached this server.
func (rq *request) location() string {
	scheme := "http://"
	if rq.r.TLS != nil {
		scheme = "https://"
	}
	if _, virtual := rq.handler.bucketOfHost(rq.r.Host); virtual {
		return scheme + rq.r.Host + "/" + urlEncode(string(rq.key))
	}
	return scheme + rq.r.Host + "/" + string(rq.bucket) + "/" + urlEncode(string(rq.key))
}
