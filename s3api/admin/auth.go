package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/s3api/condition"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// authenticate verifies who sent the request and that its body is the one that was signed. The signature is looked at
// before a byte of the body is read. Who may not send the request to t, which is nil where there is nothing, is refused.
//
// Presigned URLs and unsigned bodies are not taken: a link that changes limits is too easily passed on, and an
// unsigned body could be replaced where there is no TLS.
func (rq *request) authenticate(t *route) error {
	identity, err := rq.handler.config.Verifier.Verify(rq.r)
	var refused *sigv4.Error
	switch {
	case errors.Is(err, sigv4.ErrAnonymous):
		rq.w.Header().Set("WWW-Authenticate", "AWS4-HMAC-SHA256")
		return problem("AccessDenied", http.StatusUnauthorized, "The admin API wants a request that is signed with SigV4.")
	case errors.As(err, &refused):
		return problem(refused.Code, refused.Status, refused.Message)
	case err != nil:
		return err
	case identity.Presigned:
		return problem("AccessDenied", http.StatusForbidden,
			"The admin API takes no presigned URLs: sign the request in its Authorization header.")
	}
	rq.accessKey = identity.AccessKey
	credential, ok := rq.handler.config.Directory.Lookup(identity.AccessKey)
	if rq.who = credential.Identity; !ok || !rq.maySend(t) {
		return problem("AccessDenied", http.StatusForbidden, "This access key may not use the admin API.")
	}
	hash, err := control.PayloadHash(identity.Payload)
	if err != nil {
		return err
	}
	rq.body, err = control.ReadSigned(rq.w, rq.r, hash)
	return err
}

// maySend reports whether who asks may send the request: an administrator may send all, and everyone may read what is
// told of themselves, but for figures with an access key that is held to a policy: it may be for one bucket of many.
func (rq *request) maySend(t *route) bool {
	if t != nil {
		reads := rq.r.Method == http.MethodGet || rq.r.Method == http.MethodHead
		if t.everyone || (t.owner && reads && rq.name == rq.who.Name && len(rq.who.Bounds) == 0) {
			return true
		}
	}
	return rq.administrator()
}

// administrator reports whether who asks may use all of the admin API.
func (rq *request) administrator() bool {
	return rq.who.Administers(func(key string) []string { return condition.Value(rq.r, time.Now(), key) })
}
