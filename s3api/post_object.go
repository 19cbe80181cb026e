package s3api

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/acl"
	"github.com/plimsoll/plimsoll/s3api/postpolicy"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// postObject answers PostObject, the upload of a browser's form: gofakes3 holds the file in memory and checks no policy.
//
// Who sends the form is who signed the policy in it. From there on the request is a PutObject whose headers are the
// form's fields, so that both understand the same.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
func postObject(rq *request) error {
	form, err := rq.readPostForm()
	if err != nil {
		return err
	}
	policy, err := rq.authenticateForm(form)
	if err != nil {
		return err
	}
	if rq.access == nil {
		return meta.ErrNoSuchBucket
	}
	if err := rq.applyForm(form); err != nil {
		return err
	}
	if policy != nil {
		form.fields["bucket"] = string(rq.bucket)
		if err := policy.Check(form.fields, rq.handler.config.Now()); err != nil {
			return policyError(err)
		}
	}
	if err := rq.allow(permission{action: "s3:PutObject", grant: acl.Write}, rq.access, rq.key); err != nil {
		return err
	}
	if err := rq.refuseHeaders(); err != nil {
		return err
	}
	b := bound{rq: rq}
	if b.newObject, err = rq.newObject(); err != nil {
		return err
	}
	if b.payload, err = rq.postPayload(form, policy); err != nil {
		return err
	}
	if _, err := b.PutObject("", "", nil, nil, 0, nil); err != nil {
		return b.err
	}
	for _, h := range b.headers {
		rq.w.set(h.name, h.value)
	}
	return rq.answerForm(form.fields)
}

// readPostForm reads the form up to its file.
func (rq *request) readPostForm() (*postForm, error) {
	media, parameters, err := mime.ParseMediaType(headerOf(rq.r.Header, "Content-Type"))
	switch {
	case rq.identity != nil:
		return nil, s3err("InvalidRequest", "A POST upload is signed by the fields of its form only.")
	case media != "multipart/form-data":
		return nil, preconditionFailed("Bucket POST must be of the enclosure-type multipart/form-data")
	case err != nil:
		return nil, s3err("MalformedPOSTRequest")
	case rq.r.ContentLength < 0:
		return nil, s3err("MissingContentLength")
	}
	form, err := readPostForm(&rq.rawBody, parameters["boundary"])
	if err != nil {
		return nil, formError(err)
	}
	switch {
	case !form.has("key"):
		return nil, missingField("key")
	case form.file == nil:
		return nil, invalidArgument("file", "0", "POST requires exactly one file upload per request.")
	}
	return form, nil
}

func (form *postForm) has(field string) bool {
	_, ok := form.fields[field]
	return ok
}

func missingField(name string) error {
	return invalidArgument(name, "", "Bucket POST must contain a field named '"+name+"'.  If it is specified, please check "+
		"the order of the fields.")
}

// formError is S3's refusal of a form that cannot be read.
func formError(err error) error {
	switch {
	case errors.Is(err, errFormTooLong):
		return s3err("MaxPostPreDataLengthExceeded").with("MaxPostPreDataLengthBytes", itoa(maxPostFieldBytes))
	case errors.Is(err, errFormFiles):
		return invalidArgument("file", "2", "POST requires exactly one file upload per request.")
	case errors.Is(err, errFormMalformed):
		return s3err("MalformedPOSTRequest")
	}
	return err
}

// policyFields are those that sign a form; it has all of them, or none.
var policyFields = []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}

// authenticateForm finds out whose the form is, and returns its policy. A form without one is anonymous.
func (rq *request) authenticateForm(form *postForm) (*postpolicy.Policy, error) {
	if form.has("awsaccesskeyid") || form.has("signature") {
		return nil, s3err("InvalidRequest",
			"The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	}
	signed := false
	missing := ""
	for _, name := range policyFields {
		if form.has(name) {
			signed = true
		} else if missing == "" {
			missing = name
		}
	}
	switch {
	case !signed:
		return nil, nil
	case missing != "":
		return nil, missingField(missing)
	}
	encoded := form.fields["policy"]
	identity, err := rq.handler.verifier.VerifyPolicy(sigv4.PolicyAuth{
		Policy: encoded, Algorithm: form.fields["x-amz-algorithm"], Credential: form.fields["x-amz-credential"],
		Date: form.fields["x-amz-date"], Signature: form.fields["x-amz-signature"],
		Token: form.fields["x-amz-security-token"],
	})
	if err != nil {
		return nil, err
	}
	if err := rq.identify(identity); err != nil {
		return nil, err
	}
	if rq.origin != nil {
		rq.origin.Principal = rq.principalName()
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, s3err("InvalidPolicyDocument", "Invalid Policy: invalid Base64 encoding.")
	}
	policy, err := postpolicy.Parse(raw)
	if err != nil {
		return nil, policyError(err)
	}
	return policy, nil
}

// policyError is S3's refusal of a policy, or of a form that it does not allow.
func policyError(err error) error {
	var (
		malformed *postpolicy.Error
		refused   *postpolicy.ConditionError
		size      *postpolicy.SizeError
	)
	switch {
	case errors.As(err, &malformed):
		return s3err("InvalidPolicyDocument", malformed.Error())
	case errors.As(err, &refused):
		return s3err("AccessDenied", refused.Error())
	case errors.As(err, &size) && size.Size < size.MinBytes:
		return s3err("EntityTooSmall").with("ProposedSize", itoa64(size.Size)).with("MinSizeAllowed", itoa64(size.MinBytes))
	case errors.As(err, &size):
		return s3err("EntityTooLarge").with("ProposedSize", itoa64(size.Size)).with("MaxSizeAllowed", itoa64(size.MaxBytes))
	}
	return err
}

// postHeaders are the headers of a POST that say nothing of the object.
var postHeaders = []string{"Accept", "Expect", "Origin", "Referer", "User-Agent", "X-Forwarded-Proto"}

// applyForm makes the request the PutObject that the form stands for: the key is the form's, and the headers that tell
// of the object are its fields.
func (rq *request) applyForm(form *postForm) error {
	key := form.fields["key"]
	switch {
	case key == "":
		return invalidArgument("key", "", "User key must have a length greater than 0.")
	case len(key) > backend.MaxKeyBytes:
		return s3err("KeyTooLongError").with("Size", itoa(len(key))).with("MaxSizeAllowed", itoa(backend.MaxKeyBytes))
	case strings.ToValidUTF8(key, "") != key:
		return s3err("InvalidURI")
	}
	header := make(http.Header, len(postHeaders)+len(form.fields))
	for _, name := range postHeaders {
		if values, ok := rq.r.Header[name]; ok {
			header[name] = values
		}
	}
	for field, value := range form.fields {
		name := postHeader(field)
		if name == "" {
			continue
		}
		if field == "tagging" {
			var err error
			if value, err = tagsOfXML(value); err != nil {
				return err
			}
		}
		if !isHeaderText(name, value) {
			return invalidArgument(field, value, "The field cannot be a header of an object.")
		}
		header.Set(name, value)
	}
	r := *rq.r
	r.Header = header
	rq.r, rq.key = &r, meta.Key(key)
	return nil
}

// postHeader returns the header that a field stands for, if it does.
func postHeader(field string) string {
	switch field {
	case "acl":
		return "X-Amz-Acl"
	case "tagging":
		return "X-Amz-Tagging"
	case "cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "content-md5",
		"expires":
		return http.CanonicalHeaderKey(field)
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token",
		"x-amz-content-sha256", "x-amz-trailer", "x-amz-decoded-content-length":
		return "" // of the signature, or of a body that is not a form
	}
	if strings.HasPrefix(field, "x-amz-") {
		return http.CanonicalHeaderKey(field)
	}
	return ""
}

// isHeaderText reports whether a name and a value could have come as a header.
func isHeaderText(name, value string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// tagsOfXML returns the tags of a document as the header has them.
func tagsOfXML(document string) (string, error) {
	var in tagging
	if err := parseXML([]byte(document), "Tagging", &in); err != nil {
		return "", err
	}
	if in.TagSet == nil {
		return "", s3err("MalformedXML")
	}
	tags, err := in.TagSet.tags(maxObjectTags)
	pairs := make([]string, len(tags))
	for i, t := range tags {
		pairs[i] = url.QueryEscape(t.Key) + "=" + url.QueryEscape(t.Value)
	}
	return strings.Join(pairs, "&"), err
}

// postPayload is the file of the form. How long it is follows from the length of the body, where the
// file is the form's last part and the body ends as most do, with a CRLF. Else it is known at the end.
func (rq *request) postPayload(form *postForm, policy *postpolicy.Policy) (*payload, error) {
	rest := rq.r.ContentLength - form.file.taken
	most := rest - form.file.trailerBytes()
	if most < 0 {
		return nil, s3err("MalformedPOSTRequest")
	}
	least, likely := max(0, rest-maxPostFieldBytes), max(0, most-int64(len("\r\n")))
	file := &postFile{form: form.file, maxBytes: backend.MaxPutBytes}
	if policy != nil {
		if minBytes, maxBytes, ok := policy.SizeRange(); ok {
			file.minBytes, file.maxBytes = minBytes, min(maxBytes, backend.MaxPutBytes)
		}
	}
	if least > file.maxBytes || most < file.minBytes {
		return nil, file.sizeError(likely)
	}
	p := &payload{reader: file, size: min(likely, backend.MaxPutBytes), least: least, most: most}
	if err := p.declareChecksum(rq); err != nil {
		return nil, err
	}
	var err error
	p.md5, err = rq.contentMD5()
	return p, err
}

// postFile reads the file of a form. It returns io.EOF only where the form ends well and the file's size is allowed.
type postFile struct {
	form               *formReader
	minBytes, maxBytes int64
	bytes              int64
}

func (p *postFile) sizeError(size int64) error {
	return policyError(&postpolicy.SizeError{Size: size, MinBytes: p.minBytes, MaxBytes: p.maxBytes})
}

// Read implements io.Reader.
func (p *postFile) Read(b []byte) (int, error) {
	n, err := p.form.Read(b)
	if p.bytes += int64(n); p.bytes > p.maxBytes {
		return n, p.sizeError(p.bytes)
	}
	if !errors.Is(err, io.EOF) {
		return n, formError(err)
	}
	switch err := p.form.finish(); {
	case errors.Is(err, errFormTooLong):
		return n, s3err("MalformedPOSTRequest", "The form has too much behind the file.")
	case err != nil:
		return n, formError(err)
	case p.bytes < p.minBytes:
		return n, p.sizeError(p.bytes)
	}
	return n, io.EOF
}

// answerForm answers as the form wants it: by sending the browser elsewhere, with a document, or with no body.
func (rq *request) answerForm(fields map[string]string) error {
	etag := rq.w.Header().Get("Etag")
	if to := rq.redirection(fields, etag); to != "" {
		rq.w.set("Location", to)
		return rq.done(http.StatusSeeOther)
	}
	rq.w.set("Location", rq.location())
	switch fields["success_action_status"] {
	case "200":
		return rq.done(http.StatusOK)
	case "201":
		x := newXML(512)
		x.open("PostResponse")
		x.text("Location", rq.location())
		x.text("Bucket", string(rq.bucket))
		x.text("Key", string(rq.key))
		x.text("ETag", etag)
		x.close("PostResponse")
		return rq.writeXMLAs(http.StatusCreated, x)
	}
	return rq.done(http.StatusNoContent)
}

// redirection is where success_action_redirect, or redirect as it was called, sends the browser. What is not an address
// is as if it were not there.
func (rq *request) redirection(fields map[string]string, etag string) string {
	to := fields["success_action_redirect"]
	if to == "" {
		to = fields["redirect"]
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "bucket=" + url.QueryEscape(string(rq.bucket)) + "&key=" + url.QueryEscape(string(rq.key)) +
		"&etag=" + url.QueryEscape(etag)
	return u.String()
}
