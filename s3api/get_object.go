package s3api

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// getObject answers GetObject by itself: gofakes3 knows no part numbers, no ETags of multipart uploads and half of the
// conditions, and what it knows it parses again.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func getObject(rq *request) error {
	version, err := rq.readable()
	if err != nil {
		return err
	}
	if isSOSAPI(rq.key) {
		return rq.readSOSAPI(version)
	}
	var chosen selection
	object, contents, err := rq.store().GetObject(rq.r.Context(), rq.bucket, rq.key, version,
		func(o meta.Object) (backend.Selection, error) {
			key, err := rq.dataKey(o.Encryption, &ownCustomerKey)
			if err != nil {
				return backend.Selection{}, err
			}
			if err := (conditions{header: rq.r.Header}).check(o); err != nil {
				return backend.Selection{}, err
			}
			chosen, err = rq.choose(o)
			return backend.Selection{Range: chosen.rng, Key: key}, err
		})
	if err != nil {
		return err
	}
	rq.announce(chosen.rng.Size)
	rq.writeObjectHead(&object, &chosen)
	if chosen.rng.Size > 0 {
		_, err = io.Copy(&rq.w, contents) // each blob writes its own buffers
	}
	return errors.Join(err, contents.Close())
}

// headObject answers HeadObject by itself, as getObject does.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func headObject(rq *request) error {
	version, err := rq.readable()
	if err != nil {
		return err
	}
	if isSOSAPI(rq.key) {
		return rq.readSOSAPI(version)
	}
	object, err := rq.store().HeadObject(rq.r.Context(), rq.bucket, rq.key, version)
	if err != nil {
		return err
	}
	if err := rq.checkCustomerKey(object.Encryption); err != nil {
		return err
	}
	if err := (conditions{header: rq.r.Header}).check(object); err != nil {
		return err
	}
	chosen, err := rq.choose(object)
	if err != nil {
		return err
	}
	rq.writeObjectHead(&object, &chosen)
	return nil
}

// writeObjectHead begins the answer of a read: status and headers.
func (rq *request) writeObjectHead(o *meta.Object, chosen *selection) {
	rq.setObjectHeaders(o)
	rq.setEncryption(o.Encryption)
	rq.setVersion(o.Version)
	if !rq.query.Has("versionId") {
		rq.setExpiration(o)
	}
	rq.setLocks(&o.Settings)
	if len(o.Tags) > 0 && rq.may("s3:GetObjectTagging", rq.access, rq.key) {
		rq.w.set("X-Amz-Tagging-Count", itoa(len(o.Tags)))
	}
	if chosen.part != nil {
		rq.w.set("X-Amz-Mp-Parts-Count", itoa(len(o.Parts)))
	}
	if strings.EqualFold(headerOf(rq.r.Header, "X-Amz-Checksum-Mode"), "ENABLED") {
		rq.setChecksum(chosenChecksum(o, chosen))
	}
	for name, value := range o.Attributes.User {
		// In lower case, as S3 has them: some clients hand the names out as they came.
		rq.w.set("x-amz-meta-"+name, value)
	}
	rq.writeSelection(o, chosen)
}

// writeSelection ends the head of the answer to a read with what was chosen of the object.
func (rq *request) writeSelection(o *meta.Object, chosen *selection) {
	rq.w.set("Etag", quoteETag(o.ETag))
	rq.w.set("Content-Length", itoa64(chosen.rng.Size))
	if !chosen.partial {
		rq.w.WriteHeader(http.StatusOK)
		return
	}
	first, last := chosen.rng.Offset, chosen.rng.Offset+chosen.rng.Size-1
	rq.w.set("Content-Range", "bytes "+itoa64(first)+"-"+itoa64(last)+"/"+itoa64(o.Size))
	rq.w.WriteHeader(http.StatusPartialContent)
}

// chosenChecksum is the checksum of what was asked for: the object's, or the part's. A range has none, unless it is all of
// the object.
func chosenChecksum(o *meta.Object, chosen *selection) checksum.Checksum {
	switch {
	case chosen.part != nil && len(chosen.part.Checksum) > 0:
		return checksum.Checksum{
			Algorithm: o.Checksum.Algorithm, Type: o.Checksum.Type, Value: chosen.part.Checksum,
		}
	case chosen.part == nil && (!chosen.ranged || chosen.rng.Size == o.Size):
		return o.Checksum
	}
	return checksum.Checksum{}
}

// setChecksum sets the headers that tell of a stored checksum.
func (rq *request) setChecksum(c checksum.Checksum) {
	if c.Algorithm != checksum.None {
		rq.w.set(canonicalChecksumHeader(c.Algorithm), c.String())
		rq.w.set("X-Amz-Checksum-Type", c.Type.String())
	}
}

// readable returns the version that a read names, and refuses parameters that make no sense.
func (rq *request) readable() (meta.VersionID, error) {
	if err := rq.refuseEncryption(); err != nil {
		return "", err
	}
	if err := rq.checkOverrides(); err != nil {
		return "", err
	}
	version, err := rq.version()
	if err != nil || !rq.query.Has("partNumber") {
		return version, err
	}
	if headerOf(rq.r.Header, "Range") != "" {
		return "", s3err("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
	}
	_, err = rq.partNumber()
	return version, err
}

// selection is what of an object a read asks for.
type selection struct {
	rng backend.Range
	// partial says that the answer is 206 with a Content-Range; ranged that a Range header asked for it.
	partial, ranged bool
	// part is the part that was asked for by its number; nil where none was, or the object has no parts.
	part *meta.PartHead
}

// choose returns what the request asks for of an object. It has passed readable.
func (rq *request) choose(o meta.Object) (selection, error) {
	whole := selection{rng: backend.Range{Size: o.Size}}
	if rq.query.Has("partNumber") {
		number, err := rq.partNumber()
		if err != nil {
			return selection{}, err
		}
		return choosePart(o, number)
	}
	header := headerOf(rq.r.Header, "Range")
	wanted, ranged := parseRange(header)
	if !ranged || (o.Size == 0 && wanted.suffix > 0) {
		return whole, nil // the last bytes of nothing are all of it
	}
	rng, ok := wanted.of(o.Size)
	if !ok {
		return selection{}, invalidRange(header, o.Size)
	}
	return selection{rng: rng, partial: true, ranged: true}, nil
}

// choosePart returns the bytes of the part that stands at a place, counted from 1: the numbers of an object's parts are
// without gaps, whatever they were in the upload. An object that was put in one piece is its own first part.
func choosePart(o meta.Object, number int) (selection, error) {
	if len(o.Parts) == 0 && number == 1 {
		return selection{rng: backend.Range{Size: o.Size}, partial: o.Size > 0}, nil
	}
	if number > len(o.Parts) {
		return selection{}, s3err("InvalidPartNumber").with("PartNumberRequested", itoa(number)).
			with("ActualPartCount", itoa(max(1, len(o.Parts))))
	}
	s := selection{part: &o.Parts[number-1]}
	for _, p := range o.Parts[:number-1] {
		s.rng.Offset += p.Size
	}
	s.rng.Size = s.part.Size
	s.partial = s.rng.Size > 0
	return s, nil
}
