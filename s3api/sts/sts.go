// Package sts answers the part of AWS's Security Token Service that S3 clients ask for, on the same address as S3:
//
//	GetSessionToken     temporary credentials of the caller, with the caller's rights
//	AssumeRole          the same, held to the role's policy and to one that comes with the request
//	GetCallerIdentity   who the caller is
//
// A request is a POST of a form to "/", signed with SigV4 for the service "sts" and the server's region or, as MinIO's SDKs
// do it, none. All other actions are answered with InvalidAction, as STS does.
//
// # Roles
//
// There are no roles but identity policies: arn:aws:iam::000000000000:role/readonly is the policy "readonly". Nobody gets a
// right by assuming one; the caller's own rights are narrowed to it, and to the Policy of the request. A role that is not
// there is refused. A request without a RoleArn, as MinIO's clients send it, is held to its Policy alone.
//
// # Sessions
//
// Tokens are sealed under the server's keyring and are not stored; package iam makes them. They end with their time, with
// the access key that asked for them or its secret, and with their role. Temporary credentials get no others, and the admin
// API does not take them.
//
// A Handler may be used concurrently. A request takes at most control.MaxBodyBytes of memory for its body, and half a minute.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
package sts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// Service is what credential scopes name.
const Service = "sts"

const (
	namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	// maxPolicyBytes is the length of the longest Policy that AssumeRole takes.
	maxPolicyBytes = 2048
)

// Durations that AWS allows.
const (
	minSeconds          = 900
	maxRoleSeconds      = 43_200
	maxTokenSeconds     = 129_600
	maxRootTokenSeconds = 3600
	defaultRoleSeconds  = 3600
	defaultTokenSeconds = 43_200
)

const (
	rolePrefix = "arn:aws:iam::" + iam.AccountID + ":role/"
	formType   = "application/x-www-form-urlencoded"
	hashHeader = "X-Amz-Content-Sha256"
)

// sessionName is what RoleSessionName may be.
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// Is reports whether a request is for STS: S3 has no POST to "/".
func Is(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return false
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return media == formType
}

// Handler is an http.Handler.
type Handler struct {
	Directory *iam.Directory
	// Verifier verifies signatures for Service, Unregional those whose scopes name no region.
	Verifier, Unregional *sigv4.Verifier
	Log                  *slog.Logger
}

// failure is an error in STS's terms.
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(status int, code, format string, args ...any) error {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// call is one request on its way.
type call struct {
	*Handler
	form     url.Values
	identity *sigv4.Identity
	who      *iam.Identity
	id       string
}

// metadata ends every answer.
type metadata struct {
	RequestID string `xml:"RequestId"`
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Handler: h, id: ulid.Make().String()}
	defer control.Begin(w, c.id)()
	w.Header().Set("X-Amzn-Requestid", c.id)
	answer, err := c.serve(w, r)
	status := http.StatusOK
	if err != nil {
		answer, status = c.refusal(r, err)
	}
	document, err := xml.Marshal(answer)
	if err != nil {
		panic(err) // text always marshals
	}
	control.Send(w, status, "text/xml", document)
}

// refusal is the document of an error.
func (c *call) refusal(r *http.Request, err error) (answer any, status int) {
	var f *failure
	if !errors.As(err, &f) {
		c.Log.ErrorContext(r.Context(), "request failed", "request_id", c.id, "operation", "sts", "error", err)
		f = &failure{http.StatusInternalServerError, "InternalFailure", "The request could not be answered."}
	}
	type detail struct {
		Type    string
		Code    string
		Message string
	}
	kind := "Sender"
	if f.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Error     detail
		RequestID string `xml:"RequestId"`
	}{Namespace: namespace, Error: detail{kind, f.code, f.message}, RequestID: c.id}, f.status
}

func (c *call) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := c.authenticate(w, r); err != nil {
		return nil, err
	}
	switch action := c.form.Get("Action"); action {
	case "GetCallerIdentity":
		return c.getCallerIdentity(), nil
	case "GetSessionToken":
		return c.getSessionToken()
	case "AssumeRole":
		return c.assumeRole()
	default:
		return nil, fail(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", action, c.form.Get("Version"))
	}
}

// authenticate reads the form and finds out who has signed it. The signature is over the body's hash, which is in the
// request only where the client has put it there.
func (c *call) authenticate(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Authorization") == "" {
		return fail(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	body, err := control.ReadBody(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The body has more than %d bytes.", control.MaxBodyBytes)
	case err != nil:
		return fail(http.StatusBadRequest, "IncompleteBody", "The body could not be read.")
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if sent := r.Header.Get(hashHeader); sent != "" && !strings.EqualFold(sent, hash) {
		return fail(http.StatusForbidden, "SignatureDoesNotMatch", "The body is not the one whose hash was signed.")
	}
	if r.Header.Get(hashHeader) == "" {
		r = r.Clone(r.Context())
		r.Header.Set(hashHeader, hash)
	}
	c.identity, err = c.verifierFor(r).Verify(r)
	var refused *sigv4.Error
	if errors.As(err, &refused) {
		return fail(refused.Status, refused.Code, "%s", refused.Message)
	}
	if err != nil {
		return err
	}
	credential, ok := c.Directory.CredentialOf(c.identity.AccessKey, c.identity.Token)
	if !ok {
		return fail(http.StatusForbidden, "AccessDenied", "The credentials were removed.")
	}
	c.who = credential.Identity
	if c.form, err = url.ParseQuery(string(body)); err != nil {
		return fail(http.StatusBadRequest, "ValidationError", "The form could not be read.")
	}
	return nil
}

// verifierFor takes scopes without a region, ".../20260101//sts/aws4_request", which STS does not: MinIO's SDKs sign so
// unless they are told a region, since MinIO looks at none.
func (h *Handler) verifierFor(r *http.Request) *sigv4.Verifier {
	if strings.Contains(r.Header.Get("Authorization"), "//") {
		return h.Unregional
	}
	return h.Verifier
}

// getCallerIdentity answers GetCallerIdentity.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
func (c *call) getCallerIdentity() any {
	type result struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}
	arn := c.who.Principal.SessionARN
	if arn == "" {
		arn = c.who.Principal.ARN
	}
	return struct {
		XMLName   xml.Name `xml:"GetCallerIdentityResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Result    result   `xml:"GetCallerIdentityResult"`
		Metadata  metadata `xml:"ResponseMetadata"`
	}{Namespace: namespace, Result: result{arn, c.who.Principal.ID, iam.AccountID}, Metadata: metadata{c.id}}
}

// credentials are what a session is used with.
type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

func newCredentials(s iam.Session) credentials {
	return credentials{s.AccessKey, s.Secret, s.Token, s.Expires.Format(time.RFC3339)}
}

// getSessionToken answers GetSessionToken.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
func (c *call) getSessionToken() (any, error) {
	if c.who.Session {
		return nil, fail(http.StatusForbidden, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	if c.form.Get("SerialNumber") != "" || c.form.Get("TokenCode") != "" {
		return nil, fail(http.StatusForbidden, "AccessDenied", "There are no MFA devices.")
	}
	most, usual := maxTokenSeconds, defaultTokenSeconds
	if c.who.Root {
		most, usual = maxRootTokenSeconds, maxRootTokenSeconds
	}
	duration, err := c.duration(usual, most)
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(iam.NewSession{Key: c.identity.AccessKey, Duration: duration})
	if err != nil {
		return nil, err
	}
	type result struct{ Credentials credentials }
	return struct {
		XMLName   xml.Name `xml:"GetSessionTokenResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Result    result   `xml:"GetSessionTokenResult"`
		Metadata  metadata `xml:"ResponseMetadata"`
	}{Namespace: namespace, Result: result{newCredentials(s)}, Metadata: metadata{c.id}}, nil
}

// assumeRole answers AssumeRole.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (c *call) assumeRole() (any, error) {
	if c.who.Session {
		return nil, fail(http.StatusForbidden, "AccessDenied", "Cannot call AssumeRole with session credentials")
	}
	in, err := c.wantedRole()
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(in)
	if err != nil {
		return nil, err
	}
	type user struct {
		AssumedRoleID string `xml:"AssumedRoleId"`
		Arn           string
	}
	type result struct {
		Credentials      credentials
		AssumedRoleUser  user
		PackedPolicySize int
	}
	p := &s.Identity.Principal
	arn := p.SessionARN
	if arn == "" {
		arn = p.ARN
	}
	return struct {
		XMLName   xml.Name `xml:"AssumeRoleResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Result    result   `xml:"AssumeRoleResult"`
		Metadata  metadata `xml:"ResponseMetadata"`
	}{Namespace: namespace, Result: result{
		newCredentials(s), user{p.ID + ":" + in.Name, arn}, 100 * len(in.Policy) / maxPolicyBytes,
	}, Metadata: metadata{c.id}}, nil
}

// wantedRole reads the parameters of AssumeRole. Those that would narrow the session, and that are not known here, are
// refused.
func (c *call) wantedRole() (iam.NewSession, error) {
	in := iam.NewSession{Key: c.identity.AccessKey, Name: c.form.Get("RoleSessionName"), Policy: c.form.Get("Policy")}
	if arn := c.form.Get("RoleArn"); arn != "" {
		path, ok := strings.CutPrefix(arn, rolePrefix)
		if in.Role = path[strings.LastIndexByte(path, '/')+1:]; !ok || in.Role == "" {
			return in, c.noSuchRole(arn)
		}
	}
	if (in.Role != "" || in.Name != "") && !sessionName.MatchString(in.Name) {
		return in, fail(http.StatusBadRequest, "ValidationError",
			"RoleSessionName must have 2 to 64 letters, digits and characters of _+=,.@-")
	}
	if len(in.Policy) > maxPolicyBytes {
		return in, fail(http.StatusBadRequest, "PackedPolicyTooLarge", "Policy has more than %d characters.", maxPolicyBytes)
	}
	for name, values := range c.form {
		if len(values) > 1 || (name == "Policy" && values[0] == "") {
			return in, fail(http.StatusBadRequest, "ValidationError", "%s must be given once, and a Policy cannot be empty.", name)
		}
		switch name {
		case "Action", "Version", "RoleArn", "RoleSessionName", "Policy", "DurationSeconds", "SourceIdentity", "ExternalId":
		default:
			return in, fail(http.StatusBadRequest, "InvalidParameterValue", "The parameter %s is not supported.", name)
		}
	}
	var err error
	in.Duration, err = c.duration(defaultRoleSeconds, maxRoleSeconds)
	return in, err
}

func (c *call) noSuchRole(arn string) error {
	return fail(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s. "+
		"Roles are identity policies: %sNAME is the policy NAME.", c.who.Principal.ARN, arn, rolePrefix)
}

// newSession makes a session, and says in STS's words why not.
func (c *call) newSession(in iam.NewSession) (iam.Session, error) {
	s, err := c.Directory.NewSession(in)
	var malformed *policy.Error
	switch {
	case errors.As(err, &malformed):
		return s, fail(http.StatusBadRequest, "MalformedPolicyDocument", "%s", malformed.Error())
	case errors.Is(err, iam.ErrNoSuchPolicy):
		return s, c.noSuchRole(rolePrefix + in.Role)
	case errors.Is(err, iam.ErrNoSuchKey):
		return s, fail(http.StatusForbidden, "AccessDenied", "The credentials were removed.")
	}
	return s, err
}

// duration is DurationSeconds.
func (c *call) duration(usual, most int) (time.Duration, error) {
	text := c.form.Get("DurationSeconds")
	if text == "" {
		return time.Duration(usual) * time.Second, nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < minSeconds || seconds > most {
		return 0, fail(http.StatusBadRequest, "ValidationError",
			"DurationSeconds must be a number from %d to %d", minSeconds, most)
	}
	return time.Duration(seconds) * time.Second, nil
}
