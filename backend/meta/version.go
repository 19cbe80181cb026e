package meta

import (
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// VersionID names a version of a key: an object or a delete marker. It is NullVersion or the text of a ULID, whose
// bytes are 6 of milliseconds since 1970, 2 of a counter, and 8 random ones. The engine assigns it inside the
// transaction, from the time of the mutation; ids are strictly increasing within a key, also where the clock goes back,
// and among all that one process assigns.
type VersionID string

// NullVersion is the id of the version that a key gets while its bucket's versioning is off or suspended. A key has at
// most one; its age says where it stands among the others.
const NullVersion VersionID = "null"

// ParseVersionID returns the id that a client has sent, or an error that wraps ErrInvalidVersion where no version can
// have it: that is another mistake than naming a version that is not there.
func ParseVersionID(s string) (VersionID, error) {
	if s == string(NullVersion) {
		return NullVersion, nil
	}
	// An id has one spelling; ULIDs are also read in lower case.
	if id, err := ulid.ParseStrict(s); err != nil || id.String() != s {
		return "", fmt.Errorf("%w: %q", ErrInvalidVersion, s)
	}
	return VersionID(s), nil
}

// DeleteMarkerError says that a delete marker is where an object was asked for. It is ErrNoSuchKey where the marker is
// the latest version and none was named, and not where the marker itself was named.
type DeleteMarkerError struct {
	Version  VersionID
	Modified time.Time
	// Latest says that no version was named.
	Latest bool
}

func (e *DeleteMarkerError) Error() string {
	return "version " + string(e.Version) + " is a delete marker"
}

// Is makes the marker that hides a key ErrNoSuchKey.
func (e *DeleteMarkerError) Is(target error) bool { return e.Latest && target == ErrNoSuchKey }
