package s3api

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/acl"
	"github.com/plimsoll/plimsoll/s3api/condition"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// authorize decides whether the request may do what its operation does to what its path names. Operations without a
// permission of their own decide for themselves.
func (rq *request) authorize() error {
	needed := rq.op.permission
	if needed.action == "" || needed.readsBody() {
		return nil
	}
	return rq.allow(needed.on(rq.query.Get("versionId")), rq.access, rq.key)
}

// authorizeSettings is authorize for the operations that set what their body has: what that is must be known.
func (rq *request) authorizeSettings(asked meta.Settings) error {
	rq.asked = &asked
	return rq.allow(rq.op.permission.on(rq.query.Get("versionId")), rq.access, rq.key)
}

// allow returns AccessDenied unless the request may do what is needed to a bucket, or to a key in it. access is nil
// where the action is on no bucket that exists.
//
// With credentials that are held to policies, a session's or an access key's own, nobody may do more than those allow.
// What a policy denies is denied to everybody, but that root keeps hold of bucket policies. Then root, and the owner of
// the bucket, may do everything; others what a policy or a list allows them.
func (rq *request) allow(needed permission, access *bucketAccess, key meta.Key) error {
	who := rq.who
	var bucketPolicy *policy.Policy
	if access != nil {
		bucketPolicy = access.policy
	}
	if bucketPolicy == nil && (who.Root || (len(who.Policies) == 0 && rq.owns(access))) && len(who.Bounds) == 0 {
		return nil
	}
	r := policy.Request{
		Principal: who.Principal, Action: needed.action, Key: string(key), Owner: iam.AccountID,
		Values: rq.conditionValues(needed, access, key),
	}
	if access != nil {
		r.Bucket = string(access.Name)
	} else {
		r.Bucket = string(rq.bucket)
	}
	if !who.WithinBounds(r) {
		return &deniedError{s3err("AccessDenied", "User: "+cmp.Or(r.Principal.SessionARN, r.Principal.ARN)+
			" is not authorized to perform: "+r.Action+` on resource: "`+r.ResourceARN()+
			`" because no session policy allows the `+r.Action+" action")}
	}
	decision := policy.Evaluate(&r, bucketPolicy, who.Policies...)
	switch {
	case decision.Explicit():
		return &deniedError{s3err("AccessDenied", decision.Explain(&r))}
	case decision.Allowed && !rq.restricted(access, decision):
		return nil
	case rq.owns(access):
		return nil
	case rq.granted(needed, access, key):
		return nil
	}
	return s3err("AccessDenied", decision.Explain(&r))
}

// deniedError is a refusal by a statement that denies, where others are for want of one that allows.
type deniedError struct{ error }

func (e *deniedError) Unwrap() error { return e.error }

// denied reports whether a policy denies an action on what the path names.
func (rq *request) denied(action string) bool {
	return errors.As(rq.allow(permission{action: action}, rq.access, rq.key), new(*deniedError))
}

// may is allow as a question.
func (rq *request) may(action string, access *bucketAccess, key meta.Key) bool {
	return rq.allow(permission{action: action}, access, key) == nil
}

// owns reports whether the request is made by the owner of the bucket.
func (rq *request) owns(access *bucketAccess) bool {
	return access != nil && rq.who.Name != "" && rq.who.Name == access.Owner
}

// restricted reports whether a public access block takes back what a public policy allows: to those outside the
// account.
func (rq *request) restricted(access *bucketAccess, d policy.Decision) bool {
	return access != nil && access.block.RestrictPublicBuckets && access.policyPublic &&
		d.Source == policy.BucketPolicy && rq.who.Principal.Kind == policy.Anonymous
}

// granted reports whether an access control list grants what is needed.
func (rq *request) granted(needed permission, access *bucketAccess, key meta.Key) bool {
	if needed.grant == 0 || access == nil || !access.aclsEnabled() || (needed.ofUpload && rq.who.Name == "") {
		return false
	}
	if !needed.ofObject {
		return access.grants(&access.acl, rq.who, needed.grant)
	}
	object, err := rq.stat(access.Name, key, needed.versionID())
	if err != nil {
		// Who may list the bucket may know that the key is not there.
		return errors.Is(err, meta.ErrNoSuchKey) && access.grants(&access.acl, rq.who, acl.Read)
	}
	l, err := rq.objectACL(&object)
	return err == nil && access.grants(&l, rq.who, needed.grant)
}

// versionID is the version that is named, where that is one.
func (p permission) versionID() meta.VersionID {
	version, err := meta.ParseVersionID(p.version)
	if err != nil {
		return ""
	}
	return version
}

// stat returns an object's row; an empty version is the latest.
func (rq *request) stat(bucket meta.BucketName, key meta.Key, version meta.VersionID) (meta.Object, error) {
	return rq.store().HeadObject(rq.r.Context(), bucket, key, version)
}

// statNamed returns the row of the version that the request names; where it names none, that of the latest.
func (rq *request) statNamed() (meta.Object, error) {
	version, err := rq.version()
	if err != nil {
		return meta.Object{}, err
	}
	return rq.stat(rq.bucket, rq.key, version)
}

// objectACL returns the access control list of an object.
func (rq *request) objectACL(o *meta.Object) (acl.List, error) {
	if len(o.ACL) == 0 {
		return acl.Private(rq.handler.ownerOf(o.Owner).asGrantee()), nil
	}
	return acl.Unmarshal(o.ACL)
}

// hideMissing makes a key that is not there AccessDenied for those who may not list the bucket, as S3 does.
func (rq *request) hideMissing(err error) error {
	reads := rq.r.Method == http.MethodGet || rq.r.Method == http.MethodHead
	if !reads || rq.who.Unbounded() || rq.access == nil || !errors.Is(err, meta.ErrNoSuchKey) {
		return err
	}
	// A condition on s3:prefix is one on the key.
	rq.missing = true
	if rq.allow(permission{action: "s3:ListBucket", grant: acl.Read}, rq.access, "") == nil {
		return err
	}
	return s3err("AccessDenied")
}

// conditionValues returns what the request has to say of a policy's condition keys.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys
func (rq *request) conditionValues(needed permission, access *bucketAccess, key meta.Key) func(string) []string {
	return func(name string) []string {
		if tag, ok := strings.CutPrefix(name, "s3:existingobjecttag/"); ok {
			return rq.existingTag(needed, access, key, tag)
		}
		if tag, ok := strings.CutPrefix(name, "s3:requestobjecttag/"); ok {
			return rq.requestTags()[tag]
		}
		if header, ok := strings.CutPrefix(name, "s3:x-amz-"); ok {
			return headerValue(rq.r.Header, "X-Amz-"+header)
		}
		if lock, ok := strings.CutPrefix(name, "s3:object-lock-"); ok {
			return rq.lockValue(lock)
		}
		if name == "s3:versionid" {
			return oneValue(needed.version)
		}
		return rq.conditionValue(name)
	}
}

func (rq *request) conditionValue(name string) []string {
	now := rq.handler.config.Now()
	switch name {
	case "s3:prefix", "s3:delimiter", "s3:max-keys":
		if rq.missing && name == "s3:prefix" {
			return []string{string(rq.key)}
		}
		// Of a parameter that is given twice the first counts, here as there.
		if parameter := strings.TrimPrefix(name, "s3:"); rq.query.Has(parameter) {
			return []string{rq.query.Get(parameter)}
		}
	case "s3:authtype":
		return rq.authType()
	case "s3:signatureversion":
		if rq.identity != nil {
			return []string{"AWS4-HMAC-SHA256"}
		}
	case "s3:signatureage":
		if rq.identity != nil && rq.identity.Presigned {
			return []string{strconv.FormatInt(now.Sub(rq.identity.Time).Milliseconds(), 10)}
		}
	case "s3:requestobjecttagkeys":
		var keys []string
		for key := range rq.requestTags() {
			keys = append(keys, key)
		}
		return keys
	case "s3:if-match":
		return headerValue(rq.r.Header, "If-Match")
	case "s3:if-none-match":
		return headerValue(rq.r.Header, "If-None-Match")
	default:
		return condition.Value(rq.r, now, name)
	}
	return nil
}

// administers reports whether the request may do what is an administrator's.
func (rq *request) administers() bool { return rq.who.Administers(rq.conditionValue) }

func (rq *request) authType() []string {
	switch {
	case rq.op.name == "PostObject":
		return []string{"POST"}
	case rq.identity == nil:
		return nil
	case rq.identity.Presigned:
		return []string{"REST-QUERY-STRING"}
	}
	return []string{"REST-HEADER"}
}

func headerValue(header http.Header, name string) []string { return oneValue(header.Get(name)) }

// oneValue is a condition key's value, or none where it is empty.
func oneValue(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// lockValue returns what the request asks of an object's locks, in its headers or in its body.
func (rq *request) lockValue(name string) []string {
	header := rq.r.Header
	mode, until := headerOf(header, "X-Amz-Object-Lock-Mode"), headerOf(header, "X-Amz-Object-Lock-Retain-Until-Date")
	hold := headerOf(header, "X-Amz-Object-Lock-Legal-Hold")
	if rq.asked != nil {
		mode, until, hold = "", "", ""
		if r := rq.asked.Retention; r.Mode != meta.RetentionNone {
			mode, until = retentionModeName(r.Mode), r.Until.UTC().Format(time.RFC3339)
		}
		if rq.asked.LegalHold != meta.LegalHoldNone {
			hold = legalHoldName(rq.asked.LegalHold)
		}
	}
	switch name {
	case "mode":
		return oneValue(mode)
	case "retain-until-date":
		return oneValue(until)
	case "legal-hold":
		return oneValue(hold)
	case "remaining-retention-days":
		if end, err := time.Parse(time.RFC3339, until); err == nil {
			return []string{strconv.FormatInt(int64(math.Ceil(end.Sub(rq.handler.config.Now()).Hours()/24)), 10)}
		}
	}
	return nil
}

// requestTags are the tags that a write sets, in x-amz-tagging or in its body.
func (rq *request) requestTags() url.Values {
	if rq.asked != nil {
		tags := make(url.Values, len(rq.asked.Tags))
		for _, t := range rq.asked.Tags {
			tags.Set(t.Key, t.Value)
		}
		return tags
	}
	tags, err := url.ParseQuery(headerOf(rq.r.Header, "X-Amz-Tagging"))
	if err != nil {
		return nil
	}
	return tags
}

// existingTag returns the value of a tag of the object that the request is for.
func (rq *request) existingTag(needed permission, access *bucketAccess, key meta.Key, tag string) []string {
	if access == nil || key == "" {
		return nil
	}
	object, err := rq.stat(access.Name, key, needed.versionID())
	if err != nil {
		return nil
	}
	for _, t := range object.Tags {
		if t.Key == tag {
			return []string{t.Value}
		}
	}
	return nil
}

// newOwner is who owns an object that the request writes: the bucket's owner, unless the bucket leaves objects to those
// who write them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
func (rq *request) newOwner() string {
	preferred := rq.access.ownership == ownerPreferred && headerOf(rq.r.Header, "X-Amz-Acl") == "bucket-owner-full-control"
	if rq.access.ownership == ownerEnforced || preferred || rq.who.Name == "" {
		return rq.access.Owner
	}
	return rq.who.Name
}
