package minioadmin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/condition"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// authenticate verifies who sent the request, before a byte of its body is read. Presigned URLs and unsigned bodies are
// not taken: a link that changes limits is too easily passed on, and an unsigned body could be replaced.
func (rq *request) authenticate() error {
	verifier := rq.handler.regional
	if strings.Contains(rq.r.Header.Get("Authorization"), "//s3/") {
		verifier = rq.handler.unregional
	}
	identity, err := verifier.Verify(rq.r)
	var refused *sigv4.Error
	switch {
	case errors.Is(err, sigv4.ErrAnonymous):
		return failure("AccessDenied", http.StatusForbidden, "The admin API wants a request that is signed with SigV4.")
	case errors.As(err, &refused):
		return failure(refused.Code, refused.Status, refused.Message)
	case err != nil:
		return err
	case identity.Presigned:
		return failure("AccessDenied", http.StatusForbidden, "The admin API takes no presigned URLs.")
	}
	if rq.payload, err = control.PayloadHash(identity.Payload); err != nil {
		return err
	}
	credential, ok := rq.handler.config.Directory.Lookup(identity.AccessKey)
	if !ok {
		return errDenied // it was disabled a moment ago
	}
	rq.who, rq.secret = credential.Identity, credential.Secret
	return nil
}

// authorize decides whether who asks may send the call. about is the user whom it is about, empty where it is about
// others: where the call allows it, users may always send it about themselves, unless with a key that is bounded.
func (rq *request) authorize(about string) error {
	if rq.call.self && about == rq.who.Name && len(rq.who.Bounds) == 0 {
		return nil
	}
	if rq.who.Unbounded() {
		return nil
	}
	if rq.who.Denied("admin:"+rq.call.action, rq.conditionValue) {
		return errDenied // administrators, too: they are allowed much at once
	}
	if rq.may(rq.call.action) || rq.administers() {
		return nil
	}
	return errDenied
}

// may reports whether a policy allows who asks an action of MinIO's.
func (rq *request) may(action string) bool { return rq.who.May("admin:"+action, rq.conditionValue) }

func (rq *request) administers() bool { return rq.who.Administers(rq.conditionValue) }

// conditionValue returns what the request has to say of a policy's condition key.
func (rq *request) conditionValue(key string) []string {
	return condition.Value(rq.r, rq.handler.config.Now(), key)
}

// ofRoot refuses what would make, change or remove a key of root, unless root asks, with all its power.
func (rq *request) ofRoot(user string) error {
	if user == iam.RootName && !rq.who.Unbounded() {
		return failure("XMinioIAMActionNotAllowed", http.StatusForbidden, "Only root makes and changes keys of root.")
	}
	return nil
}

// handsOut are the actions of those who say what users may do, and so could do everything themselves.
var handsOut = []string{iam.AdminAction, "admin:AttachUserOrGroupPolicy", "admin:UpdatePolicyAssociation"}

// handsOutPolicies reports whether who asks may say what users may do.
func (rq *request) handsOutPolicies() bool {
	return slices.ContainsFunc(handsOut, func(action string) bool { return rq.who.May(action, rq.conditionValue) })
}

// mayHoldKey refuses what would give who asks a key that can do more than is theirs, by its secret or its policy: one of
// root, unless root asks, with all its power; one of somebody who may hand out policies; and one of their own user, where
// they are held to a policy. Who may hand out policies could have the last two anyway. To get at keys of others is what
// the calls are for.
func (rq *request) mayHoldKey(user string) error {
	if err := rq.ofRoot(user); err != nil {
		return err
	}
	switch {
	case rq.handsOutPolicies():
		return nil
	case user == rq.who.Name && len(rq.who.Bounds) > 0:
		return failure("XMinioIAMActionNotAllowed", http.StatusForbidden,
			"An access key with a policy of its own makes no keys that are without.")
	case rq.handler.config.Directory.UserMayHave(user, handsOut...):
		return failure("XMinioIAMActionNotAllowed", http.StatusForbidden,
			"Only administrators make and change keys of administrators.")
	}
	return nil
}
