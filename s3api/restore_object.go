package s3api

// restoreObject answers RestoreObject: no object is ever archived, whatever its storage class says.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html
func restoreObject(rq *request) error {
	object, err := rq.statNamed()
	if err != nil {
		return err
	}
	switch object.Attributes.StorageClass {
	case "GLACIER", "DEEP_ARCHIVE":
		return s3err("NotImplemented", "Objects of this storage class are not archived here: they can be read as they are.")
	}
	return s3err("InvalidObjectState", "Restore is not allowed for the object's current storage class")
}
