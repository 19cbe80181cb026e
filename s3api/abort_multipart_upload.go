package s3api

// abortMultipartUpload lets gofakes3 answer AbortMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func abortMultipartUpload(rq *request) error {
	if rq.query.Get("uploadId") == "" {
		return s3err("NoSuchUpload")
	}
	return rq.newFront().serve(rq.pick("uploadId"))
}
