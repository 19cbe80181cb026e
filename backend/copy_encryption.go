package backend

import (
	"cmp"
	"context"
	"crypto/md5"
	"hash"
	"io"
	"strings"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// copyKeys are the data keys of a copy and its source, nil where they are not encrypted. Where the copy's is the
// source's, wrapped once more, they share their blobs; else the bytes are read and written again.
type copyKeys struct {
	from, to *encryption.DataKey
	envelope []byte // of to
}

func (k copyKeys) areSame() bool { return k.from == k.to }

// keys returns the data keys of the copy of a source.
func (in *CopyObjectInput) keys(source meta.Object) (copyKeys, error) {
	from, err := in.Source.Unwrap.key(source.Encryption)
	if err != nil {
		return copyKeys{}, err
	}
	var wrap WrapKey
	if in.Wrap != nil {
		wrap = in.Wrap(source)
	}
	if wrap == nil {
		return copyKeys{from: from}, nil
	}
	if from == nil {
		to, envelope, err := wrap.newKey()
		return copyKeys{to: to, envelope: envelope}, err
	}
	envelope, err := wrap(*from)
	if err != nil {
		return copyKeys{}, err
	}
	return copyKeys{from: from, to: from, envelope: envelope.Marshal()}, nil
}

// sums reports what the copy of a source does not take from it: a checksum, where another kind is asked for, or the
// source has one of its parts' checksums and not of its bytes; and the MD5, which becomes the ETag of a copy that no
// longer hides it.
func (in *CopyObjectInput) sums(source meta.Object, envelope []byte) (a checksum.Algorithm, needsMD5 bool) {
	switch {
	case source.Checksum.Type == checksum.Composite:
		a = cmp.Or(in.Algorithm, source.Checksum.Algorithm)
	case in.Algorithm != source.Checksum.Algorithm:
		a = in.Algorithm
	}
	return a, hidesMD5(source.Encryption) && !hidesMD5(envelope) && !isMultipart(source.ETag)
}

func isMultipart(etag meta.ETag) bool { return strings.Contains(string(etag), "-") }

// copiedETag is the ETag of a copy: the source's, unless one of the two hides its MD5 and the other does not.
func copiedETag(source meta.Object, envelope, md5 []byte) meta.ETag {
	if isMultipart(source.ETag) || hidesMD5(source.Encryption) == hidesMD5(envelope) {
		return source.ETag
	}
	return newETag(md5, envelope)
}

// sumCopy computes what a copy that shares the source's blobs does not take from it. It returns meta.ErrStale where the
// source is no longer there.
func (s *Store) sumCopy(
	ctx context.Context, in CopyObjectInput, source meta.Object, object *meta.Object, keys copyKeys,
) error {
	a, needsMD5 := in.sums(source, keys.envelope)
	var (
		sum, md5Sum hash.Hash
		writers     []io.Writer
		md5Value    []byte
	)
	value := combined(source, a)
	if a != checksum.None && value == nil {
		sum = checksum.New(a)
		writers = append(writers, sum)
	}
	if needsMD5 {
		md5Sum = md5.New()
		writers = append(writers, md5Sum)
	}
	if len(writers) > 0 {
		all := Selection{Range: Range{Size: source.Size}, Key: keys.from}
		if err := s.copyRange(ctx, in.Source, source, all, io.MultiWriter(writers...)); err != nil {
			return err
		}
	}
	if sum != nil {
		value = sum.Sum(nil)
	}
	if value != nil {
		object.Checksum = checksum.Checksum{Algorithm: a, Value: value}
		object.Parts = nil // their checksums are of the old kind
	}
	if md5Sum != nil {
		md5Value = md5Sum.Sum(nil)
	}
	object.ETag = copiedETag(source, keys.envelope, md5Value)
	return nil
}

// combined returns the checksum of all bytes of an object whose parts have checksums that can be combined; nil where they
// cannot, and the bytes have to be read.
func combined(source meta.Object, a checksum.Algorithm) []byte {
	if a == checksum.None || a != source.Checksum.Algorithm || len(source.Parts) == 0 {
		return nil
	}
	sums := make([]checksum.PartSum, len(source.Parts))
	for i, p := range source.Parts {
		sums[i] = checksum.PartSum{Value: p.Checksum, Size: p.Size}
	}
	value, err := checksum.Combine(a, sums)
	if err != nil {
		return nil
	}
	return value
}

// recrypt reads the source and writes its bytes again, under the key of the copy. It returns meta.ErrStale where the
// source is no longer there. On error nothing is left behind.
func (s *Store) recrypt(
	ctx context.Context, in CopyObjectInput, source meta.Object, object *meta.Object, keys copyKeys, h *hold,
) (stored, error) {
	all := Selection{Range: Range{Size: source.Size}, Key: keys.from}
	reader, err := s.open(ctx, in.Source.Bucket, in.Source.Key, in.Source.Version, source, all)
	if err != nil {
		return stored{}, err
	}
	defer func() { _ = reader.Close() }() // what was read was checked: closing has nothing to lose
	body := Body{Reader: reader, Size: source.Size}
	want, _ := in.sums(source, keys.envelope)
	if want == checksum.None {
		want = source.Checksum.Algorithm
		body.Algorithm, body.Sum = want, func() []byte { return source.Checksum.Value }
	}
	out, err := s.store(ctx, body, want, keys.to, h)
	if err != nil {
		return stored{}, err
	}
	if body.Sum == nil {
		object.Checksum = out.checksum
		object.Parts = nil // their checksums are of the old kind
	}
	object.Segments = out.segments
	object.ETag = copiedETag(source, keys.envelope, out.md5)
	return out, nil
}
