package s3api

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Veeam's Smart Object Storage API, version 1.0: two documents under keys that every bucket has, by which backup
// software learns what the storage can do and how much room there is. They are made when they are asked for, by GET or
// HEAD, with the permission to get an object under that key. They are no objects: listings, copies, tags and versions
// know nothing of them.
//
// The storage provides them, so nothing can be stored under their keys: a write that succeeded and could never be read
// would be a lie. Deleting is not refused: it removes what may be there, and that is nothing.
const (
	sosapiPrefix      = ".system-d26a9498-cb7c-4a87-a44a-8ae204f5ba6c/"
	sosapiSystemKey   = sosapiPrefix + "system.xml"
	sosapiCapacityKey = sosapiPrefix + "capacity.xml"
)

// isSOSAPI reports whether a key is one of SOSAPI's.
func isSOSAPI(key meta.Key) bool { return key == sosapiSystemKey || key == sosapiCapacityKey }

// refuseSOSAPI refuses a write to a key of SOSAPI's.
func (rq *request) refuseSOSAPI() error {
	if !isSOSAPI(rq.key) {
		return nil
	}
	return s3err("InvalidRequest",
		"Nothing can be stored under this key: the server answers it itself, for Veeam's SOSAPI.")
}

// readSOSAPI answers GetObject and HeadObject of a key of SOSAPI's.
func (rq *request) readSOSAPI(version meta.VersionID) error {
	if rq.who.Name == "" {
		// A public bucket makes its objects public, and not how full the server is.
		return s3err("AccessDenied", "SOSAPI wants a request that is signed.")
	}
	if version != "" && version != meta.NullVersion {
		return meta.ErrNoSuchVersion
	}
	if err := rq.checkCustomerKey(nil); err != nil {
		return err
	}
	document, err := rq.sosapiDocument()
	if err != nil {
		return err
	}
	sum := md5.Sum(document)
	o := meta.Object{
		ObjectHead: meta.ObjectHead{
			Size: int64(len(document)), ETag: meta.ETag(hex.EncodeToString(sum[:])), Modified: rq.handler.config.Now(),
		},
		Attributes: meta.Attributes{ContentType: "application/xml"},
	}
	if err := (conditions{header: rq.r.Header}).check(o); err != nil {
		return err
	}
	chosen, err := rq.choose(o)
	if err != nil {
		return err
	}
	rq.setObjectHeaders(&o)
	rq.writeSelection(&o, &chosen)
	if rq.r.Method == http.MethodHead {
		return nil
	}
	_, err = rq.w.Write(document[chosen.rng.Offset : chosen.rng.Offset+chosen.rng.Size])
	return err
}

// sosapiDocument makes the document of the request's key. The quotation marks are in Veeam's own examples, and so in
// what other servers answer.
func (rq *request) sosapiDocument() ([]byte, error) {
	x := newXML(512)
	defer x.release()
	if rq.key == sosapiSystemKey {
		model := strings.TrimSpace("Plimsoll " + rq.handler.config.Version)
		x.open("SystemInfo")
		x.raw(`<ProtocolVersion>"1.0"</ProtocolVersion><ModelName>"`)
		x.data(model)
		x.raw(`"</ModelName><ProtocolCapabilities>`)
		x.boolean("CapacityInfo", true)
		x.boolean("UploadSessions", false)
		x.boolean("IAMSTS", false)
		x.raw("</ProtocolCapabilities>")
		x.close("SystemInfo")
		return slices.Clone(x.bytes()), nil
	}
	room, err := rq.store().RoomOnDisk(rq.access.Bucket)
	if err != nil {
		return nil, err
	}
	x.open("CapacityInfo")
	x.number("Capacity", room.Total)
	x.number("Available", room.Available)
	x.number("Used", room.Used)
	x.close("CapacityInfo")
	return slices.Clone(x.bytes()), nil
}
