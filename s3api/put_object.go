package s3api

import (
	"net/url"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// newObject is what is decided of an object before its body comes.
type newObject struct {
	attributes   meta.Attributes
	settings     meta.Settings
	precondition meta.Precondition
	wrap         backend.WrapKey // nil for an object that is not encrypted
}

// putObject prepares PutObject for gofakes3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func putObject(rq *request) error {
	object, err := rq.newObject()
	if err != nil {
		return err
	}
	f, err := rq.prepareUpload()
	if err != nil {
		return err
	}
	f.bound.newObject = object
	f.header.Set("Content-Length", itoa64(f.bound.payload.size))
	return f.serve(nil)
}

// newObject reads the headers of a PutObject, or of a PostObject, whose form's fields they are.
func (rq *request) newObject() (o newObject, err error) {
	if err := rq.refuseSOSAPI(); err != nil {
		return o, err
	}
	if o.attributes, err = attributesOf(rq.r.Header); err != nil {
		return o, err
	}
	if o.precondition, err = writePrecondition(rq.r.Header); err != nil {
		return o, err
	}
	if o.wrap, err = rq.newWrap(); err != nil {
		return o, err
	}
	o.settings, err = rq.newSettings()
	return o, err
}

// prepareUpload returns a front with the body of an upload.
func (rq *request) prepareUpload() (*front, error) {
	p, err := rq.newPayload()
	if err != nil {
		return nil, err
	}
	if !rq.hasLength() {
		return nil, s3err("MissingContentLength")
	}
	if p.md5, err = rq.contentMD5(); err != nil {
		return nil, err
	}
	f := rq.newFront()
	f.bound.payload = p
	return f, nil
}

// hasLength reports whether the request says how long its body is, if it has one. HTTP/1.1 takes one that says nothing to
// have none; S3 does not store that as an object.
func (rq *request) hasLength() bool {
	return rq.r.ContentLength != 0 || rq.r.ProtoMajor != 1 || len(rq.r.Header["Content-Length"]) > 0
}

// pick returns the named parameters of the request's query, those that it has.
func (rq *request) pick(names ...string) url.Values {
	query := make(url.Values, len(names))
	for _, name := range names {
		if rq.query.Has(name) {
			query.Set(name, rq.query.Get(name))
		}
	}
	return query
}
