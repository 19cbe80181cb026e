package s3api

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// FuzzRange: whatever a Range header says, what is chosen lies within the object.
func FuzzRange(f *testing.F) {
	for _, header := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=9-2", "bytes=0-99999999999999999999", "bytes=--1"} {
		f.Add(header, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, ok := parseRange(header)
		if !ok {
			return
		}
		rng, ok := r.of(size)
		if !ok {
			return
		}
		if rng.Offset < 0 || rng.Size < 1 || rng.Offset > size-rng.Size {
			t.Errorf("%q of %d bytes gives %+v", header, size, rng)
		}
	})
}

// FuzzXML: request documents are parsed, or refused with an error of S3's, and never crash; what is parsed is bounded by
// what was sent.
func FuzzXML(f *testing.F) {
	f.Add("<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>")
	f.Add(`<CompleteMultipartUpload xmlns="` + s3Namespace + `"><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`)
	f.Add(`<?xml version="1.0"?><!DOCTYPE Delete [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>`)
	f.Add("<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>")
	f.Fuzz(func(t *testing.T, document string) {
		var remove deleteRequest
		if parseXML([]byte(document), "Delete", &remove) == nil {
			if len(remove.Objects) > len(document) || strings.Contains(document, "<!DOCTYPE") && !strings.Contains(document, "<!--") &&
				strings.Index(document, "<!DOCTYPE") < strings.Index(document, "<Delete") {
				t.Errorf("%d objects of %q", len(remove.Objects), document)
			}
		}
		var complete completeRequest
		if parseXML([]byte(document), "CompleteMultipartUpload", &complete) == nil {
			if parts, err := completedParts(complete); err == nil && len(parts) == 0 {
				t.Error("no parts, and no error")
			}
		}
		var create createBucketConfiguration
		_ = parseXML([]byte(document), "CreateBucketConfiguration", &create)
	})
}

// FuzzBucketQuota: the body of a PUT ?quota is a limit that can be, or is refused with an error of S3's.
func FuzzBucketQuota(f *testing.F) {
	for _, body := range []string{
		`{"quota": 12321}`, `{"quota":"9223372036854775807"}`, `{"quota":-1}`, `{"Quota":1e9,"quota":null}`, "[]", "{}{}",
		`<Quota xmlns="http://obs.example.com/doc/2015-06-30/"><StorageQuota>0</StorageQuota></Quota>`,
		`<QuotaConfiguration><Quota> 5 </Quota></QuotaConfiguration>`, "<Quota><StorageQuota/></Quota>",
	} {
		f.Add("", []byte(body))
		f.Add("application/json", []byte(body))
		f.Add("application/xml", []byte(body))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		n, err := parseBucketQuota(contentType, body)
		var e *Error
		switch {
		case err != nil && (!errors.As(err, &e) || e.Status != http.StatusBadRequest):
			t.Errorf("%q is refused with %v", body, err)
		case err == nil && n < 0, err == nil && n == 0 && !bytes.Contains(body, []byte("StorageQuota")):
			t.Errorf("%q is a limit of %d", body, n)
		case err == nil && n > 0 && !bytes.ContainsAny(body, "123456789&\\"):
			t.Errorf("%q is a limit of %d", body, n)
		}
	})
}

// FuzzEscape: what is written as XML text contains no markup.
func FuzzEscape(f *testing.F) {
	f.Add(`a<b>&"c'` + "\x00\x1f\u00e9\uffff\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(appendEscaped(nil, s))
		if strings.ContainsAny(out, "<>\"") {
			t.Errorf("%q gives %q", s, out)
		}
		for i := range len(out) {
			if out[i] < 0x20 {
				t.Errorf("%q gives %q", s, out)
			}
		}
	})
}

// FuzzCopySource: a copy source names a bucket and a key, or is refused.
func FuzzCopySource(f *testing.F) {
	f.Add("/bucket/key")
	f.Add("bucket/a%2Fb?versionId=null")
	f.Add("bucket%2Fkey")
	f.Fuzz(func(t *testing.T, source string) {
		s, err := parseCopySource(http.Header{"X-Amz-Copy-Source": {source}})
		if err != nil {
			return
		}
		if !ValidBucketName(string(s.Bucket)) || s.Key == "" {
			t.Errorf("%q names %q in %q", source, s.Key, s.Bucket)
		}
		if err := s.Check(meta.Object{}); err != nil {
			t.Errorf("a check without conditions: %v", err)
		}
	})
}

// FuzzNotification: what is taken as a notification configuration is given back as one that says the same.
func FuzzNotification(f *testing.F) {
	f.Add("<QueueConfiguration><Id>q</Id><Queue>a</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule>" +
		"<Name>Prefix</Name><Value>&lt;</Value></FilterRule></S3Key></Filter></QueueConfiguration>")
	f.Add("<TopicConfiguration><Topic>a</Topic><Event>s3:ObjectAcl:Put</Event></TopicConfiguration>")
	f.Add("<QueueConfiguration/><EventBridgeConfiguration/>")
	anything := func(arn string) (string, bool) { return arn, true }
	parse := func(document string) (*event.Rules, error) {
		var in notificationDocument
		if err := parseXML([]byte(document), "NotificationConfiguration", &in); err != nil {
			return nil, err
		}
		return in.rules(anything)
	}
	f.Fuzz(func(t *testing.T, rules string) {
		parsed, err := parse("<NotificationConfiguration>" + rules + "</NotificationConfiguration>")
		if err != nil {
			return
		}
		x := newXML(512)
		x.root("NotificationConfiguration")
		for i := range parsed.Rules {
			writeNotificationRule(x, &parsed.Rules[i])
		}
		x.close("NotificationConfiguration")
		again, err := parse(string(x.bytes()))
		if err != nil || !reflect.DeepEqual(again, parsed) {
			t.Errorf("%q is %+v, and given back as %s: %+v, %v", rules, parsed, x.bytes(), again, err)
		}
		x.release()
	})
}
