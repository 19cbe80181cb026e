package s3api

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/audit"
)

// The sub-resource ?quota, a bucket's limit of bytes, in the two dialects that have it: Scality's in JSON and XML, and
// Huawei OBS's in XML. The limit of objects, which neither has, stays as it is.
//
// Both let a bucket's owner set it. Here limits are the administrators', as in the admin API; the owner may read them.

// obsNamespace is the XML namespace of OBS's documents. Its clients do not look at the name of the host in it.
const obsNamespace = "http://obs.myhuaweicloud.com/doc/2015-06-30/"

// getBucketQuota answers GET ?quota. Where there is no limit, Scality's is NoSuchQuota and OBS's 0; JSON is for those
// who accept it, and of the XML Scality's for those who ask for ?quota=true, as its clients do.
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0053.html,
// https://github.com/scality/cloudserver/blob/development/9.0/lib/api/bucketGetQuota.js
func getBucketQuota(rq *request) error {
	account, err := rq.readFigures()
	if err != nil {
		return err
	}
	maxBytes := account.Limit.MaxBytes
	asJSON, scality := prefersJSON(rq.r), rq.query.Get("quota") == "true"
	if maxBytes == 0 && (asJSON || scality) {
		return s3err("NoSuchQuota").with("BucketName", string(rq.bucket))
	}
	if asJSON {
		body, err := json.Marshal(struct {
			Name  string `json:"name"`
			Quota int64  `json:"quota"`
		}{string(rq.bucket), maxBytes})
		if err != nil {
			return err
		}
		return rq.writeDocument(http.StatusOK, "application/json", body)
	}
	x := newXML(256)
	if scality {
		x.open("GetBucketQuota")
		x.text("Name", string(rq.bucket))
		x.number("Quota", maxBytes)
		x.close("GetBucketQuota")
		return rq.writeXML(x)
	}
	x.raw(`<Quota xmlns="` + obsNamespace + `">`)
	x.number("StorageQuota", maxBytes)
	x.close("Quota")
	return rq.writeXML(x)
}

// putBucketQuota answers PUT ?quota.
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0052.html,
// https://github.com/scality/cloudserver/blob/development/9.0/lib/api/bucketUpdateQuota.js
func putBucketQuota(rq *request) error {
	if err := rq.mayLimit(); err != nil {
		return err
	}
	raw, err := rq.readDocument(maxConfigBytes)
	if err != nil {
		return err
	}
	maxBytes, err := parseBucketQuota(headerOf(rq.r.Header, "Content-Type"), raw)
	if err != nil {
		return err
	}
	return rq.setMaxBytes(maxBytes, http.StatusOK)
}

// deleteBucketQuota answers Scality's DELETE ?quota; where there is no limit there is nothing to do.
func deleteBucketQuota(rq *request) error {
	if err := rq.mayLimit(); err != nil {
		return err
	}
	return rq.setMaxBytes(0, http.StatusNoContent)
}

// mayLimit refuses who may not set limits, and records that. A link that sets them is too easily passed on, so presigned
// URLs do not.
func (rq *request) mayLimit() error {
	var refused *Error
	switch {
	case !rq.administers():
		refused = s3err("AccessDenied", "Only administrators may set the limit of a bucket.")
	case rq.identity.Presigned:
		refused = s3err("AccessDenied", "Presigned URLs set no limits: sign the request in its Authorization header.")
	default:
		return nil
	}
	r := rq.auditRecord()
	r.Code = refused.Code
	rq.handler.config.Audit.Denied(r)
	return refused
}

// auditRecord is what the audit log has of a request about the bucket's limit.
func (rq *request) auditRecord() audit.Record {
	r := audit.Record{
		User: rq.who.Name, Remote: rq.r.RemoteAddr, RequestID: rq.id, Via: "s3", Action: rq.op.name,
		Resource: "quotas/buckets/" + string(rq.bucket),
	}
	if rq.identity != nil {
		r.AccessKey = rq.identity.AccessKey
	}
	return r
}

// setMaxBytes sets the bucket's limit of bytes, none where it is 0, and answers. It is recorded before it is set, and what
// came of it before it is answered.
func (rq *request) setMaxBytes(maxBytes int64, status int) error {
	scope := quota.BucketScope(string(rq.bucket))
	err := rq.handler.config.Audit.Do(rq.auditRecord(), func() (before, after any, err error) {
		err = rq.store().ChangeLimit(rq.r.Context(), scope, func(now quota.Limit) (quota.Limit, error) {
			limit := now
			limit.MaxBytes = maxBytes
			before, after = audit.Limit(scope, now), audit.Limit(scope, limit)
			return limit, nil
		})
		return before, after, err
	}, func(err error) (code string, fault bool) {
		e := rq.toError(err)
		return e.Code, isFault(e)
	})
	if err != nil {
		return err
	}
	return rq.done(status)
}

// readFigures returns the bucket's account to those who may see it.
func (rq *request) readFigures() (quota.Account, error) {
	if !rq.mayReadFigures() {
		return quota.Account{}, s3err("AccessDenied",
			"Only the bucket's owner and administrators may read its figures.")
	}
	account, ok := rq.store().Account(quota.BucketScope(string(rq.bucket)))
	if !ok {
		return quota.Account{}, meta.ErrNoSuchBucket
	}
	return account, nil
}

// parseBucketQuota reads the body of a PUT ?quota: a limit of bytes, 0 for none, which only OBS's can say. Where the
// type is neither JSON nor XML, the first character says which it is: OBS's clients send no type, and curl sends a
// form's.
func parseBucketQuota(contentType string, raw []byte) (int64, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return 0, s3err("MissingRequestBodyError")
	}
	switch media, _, _ := mime.ParseMediaType(contentType); media {
	case "application/json":
		return parseJSONQuota(raw)
	case "application/xml", "text/xml":
		return parseXMLQuota(raw)
	}
	if raw[0] == '<' {
		return parseXMLQuota(raw)
	}
	return parseJSONQuota(raw)
}

// parseJSONQuota reads {"quota": N}. Scality takes a string of digits as well.
func parseJSONQuota(raw []byte) (int64, error) {
	var body struct {
		Quota json.RawMessage `json:"quota"`
	}
	if err := json.Unmarshal(raw, &body); err != nil || raw[0] != '{' {
		return 0, s3err("InvalidArgument", "The request body must be a JSON object.")
	}
	text := string(body.Quota)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(body.Quota, &text); err != nil {
			return 0, err
		}
	}
	return limitFigure("quota", text, 1)
}

// parseXMLQuota reads OBS's <Quota><StorageQuota>N, or Scality's <QuotaConfiguration><Quota>N.
func parseXMLQuota(raw []byte) (int64, error) {
	var obs struct {
		Figures []string `xml:"StorageQuota"`
	}
	if parseXML(raw, "Quota", &obs) == nil && len(obs.Figures) == 1 {
		return limitFigure("StorageQuota", obs.Figures[0], 0)
	}
	var scality struct {
		Figures []string `xml:"Quota"`
	}
	if err := parseXML(raw, "QuotaConfiguration", &scality); err != nil {
		return 0, err
	}
	if len(scality.Figures) != 1 {
		return 0, s3err("MalformedXML")
	}
	return limitFigure("Quota", scality.Figures[0], 1)
}

// limitFigure reads a whole number of bytes, from least on.
func limitFigure(name, text string, least int64) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < least {
		return 0, invalidArgument(name, text, "A quota must be a whole number of bytes from "+itoa64(least)+" to "+
			itoa64(math.MaxInt64)+".")
	}
	return n, nil
}
