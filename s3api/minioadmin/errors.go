package minioadmin

import (
	"errors"
	"net/http"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// failed is an error in the form that madmin-go reads.
type failed struct {
	Code      string
	Message   string
	Resource  string
	RequestID string `json:"RequestId"`
	status    int
}

// Error implements error.
func (e *failed) Error() string { return e.Code + ": " + e.Message }

func failure(code string, status int, message string) *failed {
	return &failed{Code: code, Message: message, status: status}
}

var errDenied = failure("AccessDenied", http.StatusForbidden, "Access Denied.")

// invalid refuses what a call's parameters or body say.
func invalid(message string) *failed {
	return failure("XMinioAdminInvalidArgument", http.StatusBadRequest, message)
}

// toFailed is where the errors of the store and of the directory become MinIO's. Codes and texts are those that clients
// look for.
func toFailed(err error) *failed {
	var (
		f         *failed
		refusal   *control.Refusal
		bad       *iam.InvalidError
		malformed *policy.Error
		full      *backend.InsufficientStorageError
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &refusal):
		return failure(refusal.Code, refusal.Status, refusal.Message)
	case errors.Is(err, audit.ErrUnavailable):
		return auditFailed(err)
	case errors.As(err, &bad):
		return invalidArgument(bad)
	case errors.As(err, &malformed):
		return failure("MalformedPolicy", http.StatusBadRequest, control.Sentence(malformed))
	case errors.Is(err, meta.ErrNoSuchBucket):
		return failure("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist")
	case errors.Is(err, iam.ErrNoSuchUser):
		return failure("XMinioAdminNoSuchUser", http.StatusNotFound, "The specified user does not exist.")
	case errors.Is(err, iam.ErrNoSuchPolicy):
		return failure("XMinioAdminNoSuchPolicy", http.StatusNotFound, "The canned policy does not exist.")
	case errors.Is(err, iam.ErrPolicyInUse):
		return failure("XMinioIAMPolicyInUse", http.StatusBadRequest,
			"The policy cannot be removed, as it is in use: "+control.Sentence(err))
	case errors.Is(err, iam.ErrNoSuchKey):
		return failure("XMinioInvalidIAMCredentials", http.StatusNotFound, "The specified service account is not found.")
	case errors.Is(err, iam.ErrKeyExists):
		return failure("XMinioIAMServiceAccountUsed", http.StatusConflict,
			"The access key is in use by another user or service account.")
	case errors.Is(err, iam.ErrReserved):
		return failure("XMinioIAMActionNotAllowed", http.StatusForbidden, "The name belongs to the server itself.")
	case errors.Is(err, iam.ErrNoKeyring):
		return failure("NotImplemented", http.StatusNotImplemented,
			"The server has no keyring, and keeps no secrets without one.")
	case errors.Is(err, backend.ErrClosed):
		return failure("XMinioServerNotInitialized", http.StatusServiceUnavailable, "The server is stopping.")
	case errors.As(err, &full):
		return failure("XMinioStorageFull", http.StatusInsufficientStorage, "The server's disk is full.")
	}
	return failure("InternalError", http.StatusInternalServerError,
		"The server failed; its log says more under the request's id.")
}

func invalidArgument(err *iam.InvalidError) *failed {
	code := "XMinioAdminInvalidArgument"
	switch err.What {
	case "access key", "user name":
		code = "XMinioAdminInvalidAccessKey"
	case "secret key":
		code = "XMinioAdminInvalidSecretKey"
	}
	return failure(code, http.StatusBadRequest, control.Sentence(err))
}

// fail answers with an error.
func (rq *request) fail(err error) {
	f := *toFailed(err)
	f.Resource, f.RequestID = rq.r.URL.Path, rq.id
	if f.status == http.StatusInternalServerError {
		rq.handler.config.Log.Error("MinIO admin request failed", "request_id", rq.id, "method", rq.r.Method,
			"path", rq.r.URL.Path, "error", err)
	}
	rq.reply = reply{f.status, "application/json", marshal(f)}
}
