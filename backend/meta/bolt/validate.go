package bolt

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
)

const (
	maxBucketNameBytes = 255
	maxOwnerBytes      = 1024
	maxKeyBytes        = 1024
	maxUploadIDBytes   = 255
	maxKindBytes       = 64
	maxRecordNameBytes = 1024
)

// errInvalid is a mistake of the caller: something that cannot be stored.
var errInvalid = errors.New("invalid mutation")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errInvalid, fmt.Sprintf(format, args...))
}

func validateBucketName(name meta.BucketName) error {
	if name == "" || len(name) > maxBucketNameBytes || strings.IndexByte(string(name), 0) >= 0 {
		return invalid("bucket name %q", name)
	}
	return nil
}

func validateOwner(name string) error {
	if name == "" || len(name) > maxOwnerBytes {
		return invalid("an owner's name of %d bytes", len(name))
	}
	return nil
}

func validateKey(key meta.Key) error {
	if key == "" || len(key) > maxKeyBytes {
		return invalid("a key of %d bytes", len(key))
	}
	return nil
}

func validatePrefix(prefix string) error {
	if prefix == "" || len(prefix) > maxKeyBytes {
		return invalid("a prefix of %d bytes", len(prefix))
	}
	return nil
}

func validateUploadID(id meta.UploadID) error {
	if id == "" || len(id) > maxUploadIDBytes {
		return invalid("an upload id of %d bytes", len(id))
	}
	return nil
}

// validateSegments checks that segments add up to size.
func validateSegments(segments []meta.Segment, size int64) error {
	sum := int64(0)
	for _, s := range segments {
		if s.Size < 0 || s.Size > math.MaxInt64-sum {
			return invalid("a segment of %d bytes", s.Size)
		}
		if s.Stored != 0 && s.Stored <= s.Size {
			return invalid("a segment of %d bytes stored as %d", s.Size, s.Stored)
		}
		if s.Blob == (meta.BlobID{}) {
			return invalid("a segment without a blob")
		}
		sum += s.Size
	}
	if size != sum {
		return invalid("%d bytes in segments of %d", size, sum)
	}
	return nil
}

// validateSettings checks what a row has no room for.
func validateSettings(s *meta.Settings) error {
	r := s.Retention
	if r.Mode > meta.RetentionCompliance || (r.Mode == meta.RetentionNone) != r.Until.IsZero() {
		return invalid("retention %+v", r)
	}
	if s.LegalHold > meta.LegalHoldOn {
		return invalid("legal hold %d", s.LegalHold)
	}
	return nil
}

// validateKind checks a kind of configurations or records.
func validateKind(kind string) error {
	if kind == "" || len(kind) > maxKindBytes || strings.IndexByte(kind, 0) >= 0 {
		return invalid("kind %q", kind)
	}
	return nil
}

func validateObject(o *meta.Object) error {
	if err := validateSettings(&o.Settings); err != nil {
		return err
	}
	if err := validateSegments(o.Segments, o.Size); err != nil {
		return err
	}
	for _, p := range o.Parts {
		if p.Number < 1 || p.Number > maxPartNumber || p.Size < 0 {
			return invalid("part %d of %d bytes", p.Number, p.Size)
		}
	}
	return validateChecksumParts(o.Checksum.Parts)
}

func validatePart(p *meta.Part) error {
	if p.Number < 1 || p.Number > maxPartNumber {
		return invalid("part number %d", p.Number)
	}
	if err := validateSegments(p.Segments, p.Size); err != nil {
		return err
	}
	return validateChecksumParts(p.Checksum.Parts)
}

func validateChecksumParts(n int) error {
	if n < 0 || n > maxPartNumber {
		return invalid("a checksum of %d parts", n)
	}
	return nil
}
