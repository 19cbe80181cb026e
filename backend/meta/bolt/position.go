package bolt

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// position says where a version stands among those of its key: it is above all that were there when the version was
// made. A version's id is the text of its position, unless it is a null version. The zero position is that of a null
// version which was made before its bucket kept versions: the oldest that there can be.
type position = ulid.ULID

// maxMilliseconds is the last time that a position has room for.
const maxMilliseconds = 1<<48 - 1

// versionClock makes positions: 6 bytes of milliseconds, 2 of a counter, 8 random ones.
type versionClock struct {
	last   uint64       // the milliseconds and the counter of the last one
	random func([]byte) // fills a slice; a field so that tests can have it repeat itself
}

func newVersionClock() versionClock {
	return versionClock{random: func(b []byte) { _, _ = rand.Read(b) }} // it never fails
}

// next returns a position above after, and above all that the clock has made before. Where the clock has gone back, or
// several are made in a millisecond, the counter counts on from the last, into the next milliseconds if need be.
func (c *versionClock) next(at time.Time, after position) (position, error) {
	milliseconds := uint64(min(max(at.UnixMilli(), 0), maxMilliseconds))
	above := max(c.last, binary.BigEndian.Uint64(after[:]))
	if above == math.MaxUint64 {
		return position{}, invalid("no version comes after %s", after)
	}
	c.last = max(milliseconds<<16, above+1)
	var p position
	binary.BigEndian.PutUint64(p[:], c.last)
	c.random(p[8:])
	return p, nil
}

// identity is which version a row is.
type identity struct {
	at     position
	null   bool
	marker bool
}

// version returns the id that clients know.
func (i identity) version() meta.VersionID {
	if i.null {
		return meta.NullVersion
	}
	return meta.VersionID(i.at.String())
}

// named is version, for a result: nothing where the bucket has never kept versions.
func (i identity) named(v meta.Versioning) meta.VersionID {
	if v == meta.VersioningOff {
		return ""
	}
	return i.version()
}

// The first field of a row says which of these it is. A position follows all but the first.
const (
	stateOldest     = iota // the null version at the zero position
	stateNull              // the null version
	stateVersion           // a version with an id of its own
	stateNullMarker        // a delete marker that is the null version
	stateMarker            // a delete marker with an id of its own
)

func appendIdentity(row []byte, i identity) []byte {
	state := byte(stateVersion)
	switch {
	case i.marker && i.null:
		state = stateNullMarker
	case i.marker:
		state = stateMarker
	case i.null && i.at.IsZero():
		return append(row, stateOldest)
	case i.null:
		state = stateNull
	}
	return append(append(row, state), i.at[:]...)
}

func (d *decoder) identity() identity {
	state := d.byte()
	i := identity{
		null:   state == stateOldest || state == stateNull || state == stateNullMarker,
		marker: state == stateNullMarker || state == stateMarker,
	}
	if state > stateMarker {
		d.fail(fmt.Errorf("version state %d", state))
	}
	if state == stateOldest || d.err != nil {
		return i
	}
	copy(i.at[:], d.take(uint64(len(i.at))))
	if d.err == nil && i.at.IsZero() {
		d.fail(errZeroPosition)
	}
	return i
}

// isMarker reports whether a row of versions is a delete marker. The row has not been verified yet.
func isMarker(value []byte) bool { return len(value) > 1 && value[1] >= stateNullMarker }

// parseVersion returns the position that a version id is the text of. That of the null version is not in its id.
func parseVersion(id meta.VersionID) (position, error) {
	if _, err := meta.ParseVersionID(string(id)); err != nil || id == meta.NullVersion {
		return position{}, err
	}
	return ulid.ParseStrict(string(id))
}
