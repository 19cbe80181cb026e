package s3api

// deleteObject lets gofakes3 answer DeleteObject.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func deleteObject(rq *request) error {
	if err := rq.checkVersion(); err != nil {
		return err
	}
	for _, name := range []string{
		"If-Match", "X-Amz-If-Match-Last-Modified-Time", "X-Amz-If-Match-Size",
	} {
		if rq.r.Header.Get(name) != "" {
			return notImplementedHeader(name)
		}
	}
	return rq.newFront().serve(nil)
}
