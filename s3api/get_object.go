package s3api

import (
	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// getObject lets gofakes3 answer GetObject.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func getObject(rq *request) error {
	if err := rq.readable(); err != nil {
		return err
	}
	return rq.newFront().serve(nil)
}

// headObject lets gofakes3 answer HeadObject.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func headObject(rq *request) error {
	if err := rq.readable(); err != nil {
		return err
	}
	return rq.newFront().serve(nil)
}

// readable refuses the parameters of a read that are not served.
func (rq *request) readable() error {
	if err := rq.checkVersion(); err != nil {
		return err
	}
	if !rq.query.Has("partNumber") {
		return nil
	}
	if rq.r.Header.Get("Range") != "" {
		return s3err("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
	}
	_, err := rq.partNumber()
	return err
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
	wanted, ranged := parseRange(rq.r.Header.Get("Range"))
	if !ranged {
		return whole, nil
	}
	rng, err := wanted.of(o.Size)
	return selection{rng: rng, partial: true, ranged: true}, err
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

// checkVersion refuses a versionId other than "null": no bucket has versions yet, so every object is its null version.
func (rq *request) checkVersion() error {
	if !rq.query.Has("versionId") {
		return nil
	}
	switch id := rq.query.Get("versionId"); id {
	case "null":
		return nil
	case "":
		return invalidArgument("versionId", id, "Version id cannot be the empty string")
	default:
		return invalidArgument("versionId", id, "Invalid version id specified")
	}
}
