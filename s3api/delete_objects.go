package s3api

import (
	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxDeleteKeys is how many keys one DeleteObjects may name.
const maxDeleteKeys = 1000

type deleteRequest struct {
	Objects []struct {
		Key       string  `xml:"Key"`
		VersionID *string `xml:"VersionId"`
		ETag      *string `xml:"ETag"`
		Modified  *string `xml:"LastModifiedTime"`
		Size      *string `xml:"Size"`
	} `xml:"Object"`
	Quiet bool `xml:"Quiet"`
}

// deleteObjects answers DeleteObjects: gofakes3 has no errors per key, no bound and no checksum.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
func deleteObjects(rq *request) error {
	if !rq.declaresIntegrity() {
		return s3err("InvalidRequest", "Missing required header for this request: Content-MD5")
	}
	var in deleteRequest
	if err := rq.readXML("Delete", maxDeleteBytes, &in); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > maxDeleteKeys {
		return s3err("MalformedXML")
	}
	if err := rq.store().HeadBucket(rq.r.Context(), rq.bucket); err != nil {
		return err
	}
	failures := make([]*Error, len(in.Objects))
	keys := make([]meta.Key, 0, len(in.Objects))
	places := make([]int, 0, len(in.Objects))
	for i, o := range in.Objects {
		switch {
		case o.Key == "":
			return s3err("MalformedXML")
		case len(o.Key) > backend.MaxKeyBytes:
			failures[i] = s3err("KeyTooLongError")
		case o.VersionID != nil && *o.VersionID != "null" && *o.VersionID != "":
			failures[i] = s3err("NoSuchVersion")
		case o.ETag != nil || o.Modified != nil || o.Size != nil:
			failures[i] = s3err("NotImplemented", "Conditions of a delete are not implemented.")
		default:
			keys, places = append(keys, meta.Key(o.Key)), append(places, i)
		}
	}
	for i, err := range rq.store().DeleteObjects(rq.r.Context(), rq.bucket, keys) {
		if err != nil {
			failures[places[i]] = rq.toError(err)
		}
	}
	return rq.writeXML(deleteResult(in, failures))
}

func deleteResult(in deleteRequest, failures []*Error) *xmlWriter {
	x := newXML(256 + 64*len(in.Objects))
	x.root("DeleteResult")
	for i, o := range in.Objects {
		version := ""
		if o.VersionID != nil {
			version = *o.VersionID
		}
		switch e := failures[i]; {
		case e != nil:
			x.open("Error")
			x.text("Key", o.Key)
			x.optional("VersionId", version)
			x.text("Code", e.Code)
			x.text("Message", e.Message)
			x.close("Error")
		case !in.Quiet:
			x.open("Deleted")
			x.text("Key", o.Key)
			x.optional("VersionId", version)
			x.close("Deleted")
		}
	}
	x.close("DeleteResult")
	return x
}

// declaresIntegrity reports whether the request says what its body must be: Content-MD5 or a checksum.
func (rq *request) declaresIntegrity() bool {
	if _, ok := rq.r.Header["Content-Md5"]; ok {
		return true
	}
	p := payload{}
	return p.declareChecksum(rq) != nil || p.sum != nil
}
