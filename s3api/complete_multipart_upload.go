package s3api

import (
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

type completeRequest struct {
	Parts []struct {
		Number            *int   `xml:"PartNumber"`
		ETag              string `xml:"ETag"`
		ChecksumCRC32     string `xml:"ChecksumCRC32"`
		ChecksumCRC32C    string `xml:"ChecksumCRC32C"`
		ChecksumCRC64NVME string `xml:"ChecksumCRC64NVME"`
		ChecksumSHA1      string `xml:"ChecksumSHA1"`
		ChecksumSHA256    string `xml:"ChecksumSHA256"`
	} `xml:"Part"`
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
		Size: -1, Precondition: precondition,
	}
	if in.Checksum, err = rq.wholeChecksum(); err != nil {
		return err
	}
	if name := rq.r.Header.Get("X-Amz-Checksum-Type"); name != "" {
		kind, ok := checksum.ParseType(name)
		if !ok {
			return s3err("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
		}
		in.Type = &kind
	}
	if size := rq.r.Header.Get("X-Amz-Mp-Object-Size"); size != "" {
		if in.Size, err = strconv.ParseInt(size, 10, 64); err != nil || in.Size < 0 {
			return s3err("InvalidRequest", "Value for x-amz-mp-object-size header is invalid.")
		}
	}
	// The checksum headers are of the object, not of this request's body.
	rq.checksumsOfObject = true
	var body completeRequest
	if err := rq.readXML("CompleteMultipartUpload", maxCompleteBytes, &body); err != nil {
		return err
	}
	if in.Parts, err = completedParts(body); err != nil {
		return err
	}
	object, err := rq.store().CompleteMultipartUpload(rq.r.Context(), in)
	if err != nil {
		return err
	}
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
			return sum, s3err("InvalidRequest",
				"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		digest, parts, composite := strings.Cut(value, "-")
		var err error
		if sum.Value, err = a.Decode(digest); err != nil {
			return sum, s3err("InvalidRequest", "Value for "+a.Header()+" header is invalid.")
		}
		if composite {
			if sum.Parts, err = strconv.Atoi(parts); err != nil {
				return sum, s3err("InvalidRequest", "Value for "+a.Header()+" header is invalid.")
			}
		}
		sum.Algorithm = a
	}
	return sum, nil
}

// completedParts checks the form of the named parts.
func completedParts(body completeRequest) ([]backend.CompletedPart, error) {
	if len(body.Parts) == 0 || len(body.Parts) > backend.MaxPartNumber {
		return nil, s3err("MalformedXML")
	}
	parts := make([]backend.CompletedPart, 0, len(body.Parts))
	for _, p := range body.Parts {
		if p.Number == nil || p.ETag == "" {
			return nil, s3err("MalformedXML")
		}
		if *p.Number < 1 || *p.Number > backend.MaxPartNumber {
			return nil, invalidArgument("partNumber", itoa(*p.Number),
				"Part number must be an integer between 1 and 10000, inclusive")
		}
		part := backend.CompletedPart{Number: *p.Number, ETag: unquoteETag(p.ETag)}
		for a, value := range map[checksum.Algorithm]string{
			checksum.CRC32: p.ChecksumCRC32, checksum.CRC32C: p.ChecksumCRC32C,
			checksum.CRC64NVME: p.ChecksumCRC64NVME, checksum.SHA1: p.ChecksumSHA1, checksum.SHA256: p.ChecksumSHA256,
		} {
			if value == "" {
				continue
			}
			if part.Algorithm != checksum.None {
				return nil, s3err("InvalidRequest", "Expecting a single checksum of each part. "+
					"Multiple checksum Types are not allowed.")
			}
			sum, err := a.Decode(value)
			if err != nil {
				return nil, s3err("InvalidPart").with("PartNumber", itoa(part.Number))
			}
			part.Algorithm, part.Checksum = a, sum
		}
		parts = append(parts, part)
	}
	return parts, nil
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
