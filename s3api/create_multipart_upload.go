package s3api

import (
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// createMultipartUpload answers CreateMultipartUpload: gofakes3 knows nothing of checksums.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
func createMultipartUpload(rq *request) error {
	if err := rq.refuseSOSAPI(); err != nil {
		return err
	}
	attributes, err := attributesOf(rq.r.Header)
	if err != nil {
		return err
	}
	algorithm, kind, err := rq.uploadChecksum()
	if err != nil {
		return err
	}
	wrap, err := rq.newWrap()
	if err != nil {
		return err
	}
	settings, err := rq.newSettings()
	if err != nil {
		return err
	}
	if settings.Encryption, err = backend.NewEnvelope(wrap); err != nil {
		return err
	}
	id, err := rq.store().CreateMultipartUpload(rq.r.Context(), meta.Upload{
		Bucket: rq.bucket, Key: rq.key, Owner: rq.newOwner(), Attributes: attributes, Settings: settings,
		Algorithm: algorithm, Type: kind,
	})
	if err != nil {
		return err
	}
	if algorithm != checksum.None {
		rq.w.Header().Set("X-Amz-Checksum-Algorithm", algorithm.String())
		rq.w.Header().Set("X-Amz-Checksum-Type", kind.String())
	}
	rq.setEncryption(settings.Encryption)
	rq.setAbortDate(rq.handler.config.Now())
	x := newXML(512)
	x.root("InitiateMultipartUploadResult")
	x.text("Bucket", string(rq.bucket))
	x.text("Key", string(rq.key))
	x.text("UploadId", string(id))
	x.close("InitiateMultipartUploadResult")
	return rq.writeXML(x)
}

// uploadChecksum reads what the client asks of the object's checksum.
func (rq *request) uploadChecksum() (checksum.Algorithm, checksum.Type, error) {
	algorithm, err := rq.checksumAlgorithm()
	if err != nil {
		return 0, 0, err
	}
	name := headerOf(rq.r.Header, "X-Amz-Checksum-Type")
	kind, ok := checksum.ParseType(name)
	if name != "" && !ok {
		return 0, 0, s3err("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
	}
	if algorithm == checksum.None {
		if name != "" {
			return 0, 0, s3err("InvalidRequest",
				"The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return checksum.None, checksum.FullObject, nil
	}
	if name == "" {
		return algorithm, checksum.DefaultType(algorithm), nil
	}
	if !checksum.Supports(algorithm, kind) {
		return 0, 0, s3err("InvalidRequest", "The "+kind.String()+" checksum type cannot be used with the "+
			strings.ToLower(algorithm.String())+" checksum algorithm.")
	}
	return algorithm, kind, nil
}
