package s3api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
	"github.com/johannesboyne/gofakes3"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/awschunked"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// Error is an answer that is not a success, as S3 gives it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
type Error struct {
	Code    string
	Status  int
	Message string
	// Extra are the elements that S3 adds for this code.
	Extra []element
	// Headers are set on the response.
	Headers map[string]string
	// Quota is set for a 507: the figures, for those who want JSON.
	Quota *quotaFigures
	cause error
}

type element struct{ Name, Value string }

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.cause.Error()
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.cause }

// with returns e with an extra element.
func (e *Error) with(name, value string) *Error {
	e.Extra = append(e.Extra, element{name, value})
	return e
}

// s3err returns the error of a code, with the message of the table or, where one is given, another.
func s3err(code string, message ...string) *Error {
	known, ok := errorTable[code]
	if !ok {
		panic("s3api: error code " + code + " is not in the table")
	}
	e := &Error{Code: code, Status: known.status, Message: known.message}
	if len(message) > 0 {
		e.Message = message[0]
	}
	return e
}

// invalidArgument is InvalidArgument with the elements that name what was wrong.
func invalidArgument(name, value, message string) *Error {
	return s3err("InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", value)
}

// invalidPartNumber is the answer to a part number that no part can have.
func invalidPartNumber(name, value string) *Error {
	return invalidArgument(name, value, "Part number must be an integer between 1 and 10000, inclusive.")
}

// notImplementedHeader is the answer to a header that asks for what is not implemented.
func notImplementedHeader(header string) *Error {
	return s3err("NotImplemented").with("Header", header)
}

// toError maps every error to S3's: the only place where errors become HTTP.
func (rq *request) toError(err error) *Error {
	var (
		s3      *Error
		auth    *sigv4.Error
		fake    gofakes3.ErrorCode
		tooBig  *http.MaxBytesError
		exceed  *quota.ExceededError
		storage *backend.InsufficientStorageError
	)
	switch {
	case errors.As(err, &s3):
		return s3
	case errors.As(err, &auth):
		e := &Error{Code: auth.Code, Status: auth.Status, Message: auth.Message}
		for _, x := range auth.Extra {
			e.Extra = append(e.Extra, element(x))
			if x.Name == "Region" { // which HEAD has no other way to tell
				e.Headers = map[string]string{regionHeader: x.Value}
			}
		}
		return e
	case errors.As(err, &exceed):
		return rq.quotaExceeded(exceed)
	case errors.As(err, &storage):
		return rq.insufficientStorage(storage)
	case errors.Is(err, audit.ErrUnavailable):
		return rq.auditUnavailable(err)
	case errors.As(err, &tooBig):
		return s3err("MaxMessageLengthExceeded")
	}
	if e := rq.storeError(err); e != nil {
		return e
	}
	if e := encryptionError(err); e != nil {
		return e
	}
	if e := bodyError(err); e != nil {
		return e
	}
	if errors.As(err, &fake) {
		if _, ok := errorTable[string(fake)]; ok {
			return s3err(string(fake))
		}
	}
	e := s3err("InternalError")
	e.cause = err
	return e
}

// auditUnavailable says that nothing is changed that cannot be recorded. A full disk is told as one.
func (rq *request) auditUnavailable(err error) *Error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return s3err("ServiceUnavailable", "The audit log cannot be written, and what cannot be recorded is not changed.")
	}
	full := &backend.InsufficientStorageError{Cause: syscall.ENOSPC}
	if disk, diskErr := rq.store().Disk(); diskErr == nil {
		full.Total, full.Available = disk.Size, disk.Available
	}
	return rq.insufficientStorage(full)
}

// storeError maps the refusals of the store.
func (rq *request) storeError(err error) *Error {
	var (
		tooLarge *backend.EntityTooLargeError
		tooSmall *backend.EntityTooSmallError
		badPart  *backend.InvalidPartError
		sumType  *backend.ChecksumTypeError
		sumMode  *backend.ChecksumModeError
		partSum  *backend.PartChecksumError
		noSum    *backend.MissingPartChecksumError
		sum      *backend.ChecksumMismatchError
		digest   *backend.BadDigestError
		size     *backend.SizeMismatchError
		marker   *meta.DeleteMarkerError
	)
	switch {
	case errors.As(err, &marker):
		return rq.deleteMarker(marker)
	case errors.Is(err, meta.ErrNoSuchVersion):
		return s3err("NoSuchVersion").with("Key", string(rq.key)).with("VersionId", rq.query.Get("versionId"))
	case errors.Is(err, meta.ErrInvalidVersion):
		return invalidArgument("versionId", rq.query.Get("versionId"), "Invalid version id specified")
	case errors.Is(err, meta.ErrObjectLocked):
		return s3err("AccessDenied", "Access Denied because object protected by object lock.")
	case errors.Is(err, meta.ErrNoSuchBucket):
		return s3err("NoSuchBucket").with("BucketName", string(rq.bucket))
	case errors.Is(err, meta.ErrNoSuchKey):
		return s3err("NoSuchKey").with("Key", string(rq.key))
	case errors.Is(err, meta.ErrNoSuchUpload):
		if rq.store().HeadBucket(rq.r.Context(), rq.bucket) != nil {
			return s3err("NoSuchBucket").with("BucketName", string(rq.bucket))
		}
		return s3err("NoSuchUpload").with("UploadId", rq.query.Get("uploadId"))
	case errors.Is(err, meta.ErrBucketExists):
		return s3err("BucketAlreadyOwnedByYou").with("BucketName", string(rq.bucket))
	case errors.Is(err, meta.ErrBucketNotEmpty):
		e := s3err("BucketNotEmpty")
		if rq.access != nil && rq.access.Versioning != meta.VersioningOff {
			e.Message += " You must delete all versions in the bucket."
		}
		return e.with("BucketName", string(rq.bucket))
	case errors.Is(err, meta.ErrPreconditionFailed):
		return preconditionFailed(rq.conditionHeader())
	case errors.Is(err, backend.ErrConflict), errors.Is(err, meta.ErrStale):
		return s3err("OperationAborted")
	case errors.Is(err, backend.ErrClosed):
		return s3err("ServiceUnavailable")
	case errors.Is(err, backend.ErrNoParts):
		return s3err("MalformedXML")
	case errors.Is(err, backend.ErrInvalidUploadMarker):
		return invalidArgument("upload-id-marker", rq.query.Get("upload-id-marker"), "Invalid uploadId marker")
	case errors.Is(err, backend.ErrInvalidPartOrder):
		return s3err("InvalidPartOrder").with("UploadId", rq.query.Get("uploadId"))
	case errors.Is(err, backend.ErrCopySourceTooLarge):
		return s3err("InvalidRequest", "The specified copy source is larger than the maximum allowable size for a "+
			"copy source: "+strconv.Itoa(backend.MaxPutBytes))
	case errors.As(err, &tooLarge):
		return s3err("EntityTooLarge").with("ProposedSize", strconv.FormatInt(tooLarge.Size, 10)).
			with("MaxSizeAllowed", strconv.Itoa(backend.MaxPutBytes))
	case errors.As(err, &tooSmall):
		return s3err("EntityTooSmall").with("ProposedSize", strconv.FormatInt(tooSmall.Size, 10)).
			with("MinSizeAllowed", strconv.Itoa(backend.MinPartBytes)).
			with("PartNumber", strconv.Itoa(tooSmall.PartNumber)).with("ETag", string(tooSmall.ETag))
	case errors.As(err, &badPart):
		return s3err("InvalidPart").with("UploadId", rq.query.Get("uploadId")).
			with("PartNumber", strconv.Itoa(badPart.PartNumber)).with("ETag", string(badPart.ETag))
	case errors.As(err, &sumType):
		return s3err("InvalidRequest", fmt.Sprintf("Checksum Type mismatch occurred, expected checksum Type: %s, "+
			"actual checksum Type: %s", sumType.Expected, cmp.Or(sumType.Actual.String(), "null")))
	case errors.As(err, &sumMode):
		return s3err("InvalidRequest", fmt.Sprintf("The upload was created using the %s checksum mode. The complete "+
			"request must use the same checksum mode.", sumMode.Expected))
	case errors.As(err, &partSum):
		return s3err("BadDigest", fmt.Sprintf("The %s you specified for part %d did not match what we received.",
			strings.ToLower(partSum.Algorithm.String()), partSum.PartNumber))
	case errors.As(err, &noSum):
		return s3err("InvalidRequest", fmt.Sprintf("The upload was created using a %s checksum. The complete request must "+
			"include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(noSum.Algorithm.String()), noSum.PartNumber))
	case errors.As(err, &sum):
		return s3err("BadDigest", fmt.Sprintf("The %s you specified did not match the calculated checksum.", sum.Algorithm))
	case errors.As(err, &digest):
		// S3 gives the one as hexadecimal digits, the other as the header has it.
		return s3err("BadDigest").with("ExpectedDigest", hex.EncodeToString(digest.Expected)).
			with("CalculatedDigest", base64.StdEncoding.EncodeToString(digest.Calculated))
	case errors.As(err, &size):
		return s3err("InvalidRequest", fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %d does not match "+
			"what was computed: %d", size.Expected, size.Actual))
	}
	return nil
}

// bodyError maps what may be wrong with a body while it is read.
func bodyError(err error) *Error {
	var small *awschunked.ChunkSizeError
	switch {
	case errors.Is(err, awschunked.ErrSignature):
		return s3err("SignatureDoesNotMatch")
	case errors.Is(err, awschunked.ErrTrailer):
		return s3err("MalformedTrailerError")
	case errors.As(err, &small):
		return s3err("InvalidChunkSizeError").with("Chunk", strconv.FormatInt(small.Chunk, 10)).
			with("BadChunkSize", strconv.FormatInt(small.Size, 10))
	case errors.Is(err, awschunked.ErrMalformed), errors.Is(err, awschunked.ErrTruncated):
		return s3err("IncompleteBody", "The request body terminated unexpectedly")
	case errors.Is(err, awschunked.ErrIncomplete), errors.Is(err, awschunked.ErrTooLong),
		errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, backend.ErrIncompleteBody), errors.Is(err, backend.ErrBodyTooLong):
		return s3err("IncompleteBody")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s3err("RequestTimeout")
	case errors.Is(err, context.Canceled):
		return s3err("RequestTimeout")
	}
	return nil
}

// isFault reports whether an error is the server's, to be logged as such.
func isFault(e *Error) bool { return e.Status >= 500 && e.Code != "NotImplemented" && e.Quota == nil }

// quotaFigures is what a 507 tells, in XML and in JSON. Bytes, or objects where the limit is one of objects.
type quotaFigures struct {
	Code            string `json:"error"`
	Message         string `json:"message"`
	Scope           string `json:"scope"`
	Total           int64  `json:"quota_total"`
	Used            int64  `json:"quota_used"`
	Available       int64  `json:"quota_available"`
	Requested       int64  `json:"quota_requested"`
	SuggestedAction string `json:"suggested_action"`
	RequestID       string `json:"request_id"`
}

func (rq *request) quotaExceeded(q *quota.ExceededError) *Error {
	scope := q.Scope.String()
	show := quota.HumanBytes
	if q.Resource == quota.Objects {
		show = func(n int64) string {
			if n == 1 {
				return "1 object"
			}
			return humanize.Comma(n) + " objects"
		}
	}
	message := fmt.Sprintf("%s has a limit of %s and holds %s", scope, show(q.Total), show(q.Used))
	if over := q.Used - q.Total; over > 0 { // the limit was lowered; rounded, the two may look the same
		message += fmt.Sprintf(", which is %s over it", show(over))
	}
	if over := q.Requested - q.Available(); over > 0 {
		message += fmt.Sprintf("; this request needs %s more than is left", show(over))
	}
	action := "Delete objects or old versions, abort unfinished uploads, or ask for a higher limit."
	if q.Transient {
		message += fmt.Sprintf(", since %s are held for uploads that are arriving", show(q.Reserved))
		action = "Try again when the uploads that are arriving have ended."
	}
	return rq.insufficient(&quotaFigures{
		Code: "QuotaExceeded", Message: message + ".", Scope: string(q.Scope.Kind),
		Total: q.Total, Used: q.Used, Available: q.Available(), Requested: q.Requested, SuggestedAction: action,
	}, q.Transient)
}

func (rq *request) insufficientStorage(e *backend.InsufficientStorageError) *Error {
	var errno syscall.Errno
	beside := "for objects"
	if e.Transient {
		beside = "beside uploads that are arriving"
	}
	message := fmt.Sprintf("The disk has %s left %s", quota.HumanBytes(e.Available), beside)
	switch {
	case errors.As(e.Cause, &errno): // and not its path, which is the server's own affair
		message = "The disk is full: " + errno.Error()
	case e.Cause != nil:
		message = "The disk is full"
	case e.Requested > 0:
		message += "; this request needs " + quota.HumanBytes(e.Requested)
	}
	return rq.insufficient(&quotaFigures{
		Code: "InsufficientStorage", Message: message + ".", Scope: string(quota.Disk),
		Total: e.Total, Used: max(0, e.Total-e.Available), Available: e.Available, Requested: e.Requested,
		SuggestedAction: "Free space on the server's disk, or delete objects.",
	}, e.Transient)
}

// transientRetrySeconds is the Retry-After of a refusal that only reservations caused.
const transientRetrySeconds = 5

func (rq *request) insufficient(q *quotaFigures, transient bool) *Error {
	retry := int64(rq.handler.config.RetryAfter.Seconds())
	if transient {
		retry = transientRetrySeconds
	}
	q.RequestID = rq.id
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	e := &Error{
		Code: q.Code, Status: http.StatusInsufficientStorage, Message: q.Message, Quota: q,
		Headers: map[string]string{"Retry-After": number(retry)},
	}
	return e.with("Scope", q.Scope).with("QuotaTotal", number(q.Total)).with("QuotaUsed", number(q.Used)).
		with("QuotaAvailable", number(q.Available)).with("QuotaRequested", number(q.Requested)).
		with("SuggestedAction", q.SuggestedAction)
}
