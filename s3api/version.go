package s3api

import (
	"net/http"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// version is the version that the query names; empty where it names none.
func (rq *request) version() (meta.VersionID, error) {
	if !rq.query.Has("versionId") {
		return "", nil
	}
	return parseVersion(rq.query.Get("versionId"))
}

// settingsVersion is version for the operations on an object's settings, for which an empty parameter is none: SDKs send
// it so.
func (rq *request) settingsVersion() (meta.VersionID, error) {
	if rq.query.Get("versionId") == "" {
		return "", nil
	}
	return rq.version()
}

// parseVersion reads a version id that a client has sent.
func parseVersion(id string) (meta.VersionID, error) {
	if id == "" {
		return "", invalidArgument("versionId", id, "Version id cannot be the empty string")
	}
	version, err := meta.ParseVersionID(id)
	if err != nil {
		return "", invalidArgument("versionId", id, "Invalid version id specified")
	}
	return version, nil
}

// setVersion tells which version was read or made. Where the bucket never kept versions there is none to tell.
func (rq *request) setVersion(version meta.VersionID) {
	if version != "" && rq.access.Versioning != meta.VersioningOff {
		rq.w.set("X-Amz-Version-Id", string(version))
	}
}

// madeVersion is the version to tell of that a write has made; empty where there is none to tell. As in S3, a write to a
// bucket whose versioning is suspended does not tell that it has made the null version, and reads do.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_Examples
func (rq *request) madeVersion(version meta.VersionID) meta.VersionID {
	if rq.access.Versioning != meta.VersioningEnabled {
		return ""
	}
	return version
}

// deleteMarker is the answer to a request that finds a delete marker: the key is not there, or the version is not one that
// can be read. GetObjectAttributes has no such difference, and neither have tags, which are never there.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
func (rq *request) deleteMarker(m *meta.DeleteMarkerError) *Error {
	e := s3err("NoSuchKey").with("Key", string(rq.key))
	e.Headers = map[string]string{"X-Amz-Delete-Marker": "true", "X-Amz-Version-Id": string(m.Version)}
	switch rq.op.name {
	case "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging":
	case "GetObjectAttributes":
		return e
	default:
		if m.Latest {
			return e
		}
	}
	headers := e.Headers
	e = s3err("MethodNotAllowed").with("Method", rq.r.Method).with("ResourceType", "DeleteMarker")
	headers["Allow"], headers["Last-Modified"] = http.MethodDelete, m.Modified.UTC().Format(http.TimeFormat)
	e.Headers = headers
	return e
}
