package s3api

import "net/http"

// errorTable holds S3's error codes that this server gives, with S3's statuses and messages.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
var errorTable = map[string]struct {
	status  int
	message string
}{
	"AccessDenied":              {http.StatusForbidden, "Access Denied"},
	"AccessForbidden":           {http.StatusForbidden, "CORSResponse: CORS is not enabled for this bucket."},
	"BadDigest":                 {http.StatusBadRequest, "The Content-MD5 you specified did not match what we received."},
	"BucketAlreadyOwnedByYou":   {http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it."},
	"BucketNotEmpty":            {http.StatusConflict, "The bucket you tried to delete is not empty"},
	"EntityTooLarge":            {http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size"},
	"EntityTooSmall":            {http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size"},
	"IncompleteBody":            {http.StatusBadRequest, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
	"InternalError":             {http.StatusInternalServerError, "We encountered an internal error. Please try again."},
	"InvalidArgument":           {http.StatusBadRequest, "Invalid Argument"},
	"InvalidBucketName":         {http.StatusBadRequest, "The specified bucket is not valid."},
	"InvalidChunkSizeError":     {http.StatusForbidden, "Only the last chunk is allowed to have a size less than 8192 bytes"},
	"InvalidDigest":             {http.StatusBadRequest, "The Content-MD5 you specified was invalid."},
	"InvalidLocationConstraint": {http.StatusBadRequest, "The specified location-constraint is not valid"},
	"InvalidPart":               {http.StatusBadRequest, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	"InvalidPartNumber":         {http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable"},
	"InvalidPartOrder":          {http.StatusBadRequest, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	"InvalidRange":              {http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable"},
	"InvalidRequest":            {http.StatusBadRequest, "Invalid Request"},
	"InvalidStorageClass":       {http.StatusBadRequest, "The storage class you specified is not valid"},
	"InvalidURI":                {http.StatusBadRequest, "Couldn't parse the specified URI."},
	"KeyTooLongError":           {http.StatusBadRequest, "Your key is too long"},
	"MalformedTrailerError":     {http.StatusBadRequest, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	"MalformedXML":              {http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MaxMessageLengthExceeded":  {http.StatusBadRequest, "Your request was too big."},
	"MetadataTooLarge":          {http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size"},
	"MethodNotAllowed":          {http.StatusMethodNotAllowed, "The specified method is not allowed against this resource."},
	"MissingContentLength":      {http.StatusLengthRequired, "You must provide the Content-Length HTTP header."},
	"MissingRequestBodyError":   {http.StatusBadRequest, "Request body is empty."},
	"NoSuchBucket":              {http.StatusNotFound, "The specified bucket does not exist"},
	"NoSuchKey":                 {http.StatusNotFound, "The specified key does not exist."},
	"NoSuchUpload":              {http.StatusNotFound, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchVersion":             {http.StatusNotFound, "The specified version does not exist."},
	"NotImplemented":            {http.StatusNotImplemented, "A header you provided implies functionality that is not implemented"},
	"NotModified":               {http.StatusNotModified, "Not Modified"},
	"OperationAborted":          {http.StatusConflict, "A conflicting conditional operation is currently in progress against this resource. Please try again."},
	"PreconditionFailed":        {http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold"},
	"RequestTimeout":            {http.StatusBadRequest, "Your socket connection to the server was not read from or written to within the timeout period."},
	"ServiceUnavailable":        {http.StatusServiceUnavailable, "Service is unable to handle request."},
	"SignatureDoesNotMatch":     {http.StatusForbidden, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"XAmzContentSHA256Mismatch": {http.StatusBadRequest, "The provided 'x-amz-content-sha256' header does not match what was computed."},
}
