package s3api

import "net/url"

// putObject prepares PutObject for gofakes3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func putObject(rq *request) error {
	attributes, err := attributesOf(rq.r.Header)
	if err != nil {
		return err
	}
	precondition, err := writePrecondition(rq.r.Header)
	if err != nil {
		return err
	}
	f, err := rq.prepareUpload()
	if err != nil {
		return err
	}
	f.bound.attributes, f.bound.precondition = attributes, precondition
	f.header.Set("Content-Length", itoa64(f.bound.payload.size))
	return f.serve(nil)
}

// prepareUpload returns a front with the body of an upload, and the headers that gofakes3 needs for it.
func (rq *request) prepareUpload() (*front, error) {
	p, err := rq.newPayload()
	if err != nil {
		return nil, err
	}
	sum, err := rq.contentMD5()
	if err != nil {
		return nil, err
	}
	f := rq.newFront()
	f.bound.payload = p
	if sum != nil {
		f.header.Set("Content-Md5", rq.r.Header.Get("Content-Md5"))
	}
	f.header.Set("X-Amz-Content-Sha256", unsignedPayload)
	return f, nil
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
