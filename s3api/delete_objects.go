package s3api

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/acl"
)

// maxDeleteKeys is how many keys one DeleteObjects may name.
const maxDeleteKeys = 1000

type deleteRequest struct {
	Objects deleteRequestObjects `xml:"Object"`
	Quiet   bool                 `xml:"Quiet"`
}

// deleteRequestObjects stops at the first entry that is too many. A document of the largest size has room for a million empty
// ones, and who may do nothing can send it: what they may is asked for each key.
type deleteRequestObjects []deleteRequestObject

// UnmarshalXML implements xml.Unmarshaler: it is called for each entry.
func (o *deleteRequestObjects) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return decodeNext(o, maxDeleteKeys, d, start)
}

type deleteRequestObject struct {
	Key       string  `xml:"Key"`
	VersionID string  `xml:"VersionId"`
	ETag      string  `xml:"ETag"`
	Modified  *string `xml:"LastModifiedTime"`
	Size      *string `xml:"Size"`
}

// deleteObjects answers DeleteObjects: gofakes3 has no errors per key, no bound and no checksum. Each key needs its own
// permission.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
func deleteObjects(rq *request) error {
	if err := rq.needIntegrity(); err != nil {
		return err
	}
	var in deleteRequest
	if err := rq.readXML("Delete", maxDeleteBytes, &in); err != nil {
		return err
	}
	if len(in.Objects) == 0 {
		return s3err("MalformedXML")
	}
	failures := make([]*Error, len(in.Objects))
	deletions := make([]backend.Deletion, len(in.Objects))
	var objects []backend.DeleteObjectInput
	var places []int
	for i := range in.Objects {
		if in.Objects[i].Key == "" {
			return s3err("MalformedXML")
		}
		object, err := rq.deletionOf(&in.Objects[i])
		if err != nil {
			failures[i] = rq.toError(err)
			continue
		}
		objects, places = append(objects, object), append(places, i)
	}
	for i, d := range rq.store().DeleteObjects(rq.r.Context(), objects) {
		deletions[places[i]] = d
		if d.Err != nil {
			failures[places[i]] = rq.toError(d.Err)
		}
	}
	if slices.Contains(failures, nil) { // else who may delete nothing would be told the figures
		rq.setRoom()
	}
	return rq.writeXML(deleteResult(in, deletions, failures))
}

// deletionOf is what an entry of the request asks for, if the request may do that.
func (rq *request) deletionOf(o *deleteRequestObject) (backend.DeleteObjectInput, error) {
	in := backend.DeleteObjectInput{
		Bucket: rq.bucket, Key: meta.Key(o.Key), Owner: rq.newOwner(), Bypass: rq.bypassesGovernance(meta.Key(o.Key)),
	}
	in.Precondition.IfMatch = unquoteETag(o.ETag)
	if o.VersionID != "" {
		version, err := meta.ParseVersionID(o.VersionID)
		if err != nil {
			return in, s3err("NoSuchVersion")
		}
		in.Version = version
	}
	switch {
	case len(o.Key) > backend.MaxKeyBytes:
		return in, s3err("KeyTooLongError")
	case o.Modified != nil || o.Size != nil:
		return in, s3err("NotImplemented", "Conditions of directory buckets are not implemented.")
	}
	needed := permission{action: "s3:DeleteObject", grant: acl.Write}
	return in, rq.allow(needed.on(o.VersionID), rq.access, in.Key)
}

func deleteResult(in deleteRequest, deletions []backend.Deletion, failures []*Error) *xmlWriter {
	x := newXML(256 + 64*len(in.Objects))
	x.root("DeleteResult")
	for i, o := range in.Objects {
		switch e := failures[i]; {
		case e != nil:
			x.open("Error")
			x.text("Key", o.Key)
			x.optional("VersionId", o.VersionID)
			x.text("Code", e.Code)
			x.text("Message", e.Message)
			x.close("Error")
		case !in.Quiet:
			x.open("Deleted")
			x.text("Key", o.Key)
			x.optional("VersionId", o.VersionID)
			if deletions[i].DeleteMarker {
				x.boolean("DeleteMarker", true)
				x.text("DeleteMarkerVersionId", string(deletions[i].Version))
			}
			x.close("Deleted")
		}
	}
	x.close("DeleteResult")
	return x
}

// needIntegrity refuses a request whose document comes in a form that documents do not have, or that does not say what it
// must be: by Content-MD5 or a checksum.
func (rq *request) needIntegrity() error {
	if strings.HasPrefix(rq.payloadHash(), streamingPrefix) {
		return errStreamedDocument()
	}
	if _, ok := rq.r.Header["Content-Md5"]; ok {
		return nil
	}
	p := payload{}
	if p.declareChecksum(rq) == nil && p.sum == nil {
		return s3err("InvalidRequest", "Missing required header for this request: Content-MD5")
	}
	return nil // what is wrong with a checksum is found when the document is read
}

// errStreamedDocument is the answer to a document in chunks: only objects and parts come so.
func errStreamedDocument() error {
	return s3err("InvalidRequest", "The value of x-amz-content-sha256 header is invalid.")
}
