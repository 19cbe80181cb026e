package s3api

import "net/http"

// refuseMisplaced refuses what belongs to another operation, in S3's words. To pass over it would be to do something
// else than what was asked for: to replace an object by one of its parts, say.
func (rq *request) refuseMisplaced() error {
	source := headerOf(rq.r.Header, "X-Amz-Copy-Source")
	if source != "" && rq.op != &copyObjectOperation && rq.op != &uploadPartCopyOperation {
		return invalidArgument("x-amz-copy-source", source, "You can only specify a copy source header for copy requests.")
	}
	if rq.key == "" {
		return nil
	}
	upload, part := rq.query.Has("uploadId"), rq.query.Has("partNumber")
	switch method := rq.r.Method; {
	case method == http.MethodGet && rq.query.Has("versions"):
		return s3err("InvalidRequest", "There is no such thing as the ?versions sub-resource for a key")
	case method == http.MethodGet && rq.query.Has("uploads"):
		return s3err("InvalidRequest", "Key is not expected for the GET method ?uploads subresource")
	case method == http.MethodPut && part && !upload:
		return invalidArgument("partNumber", "partNumber", "This operation does not accept partNumber without uploadId")
	case method == http.MethodPut && upload && !part:
		return s3err("MethodNotAllowed").with("Method", method).with("ResourceType", "UPLOAD")
	}
	return nil
}
