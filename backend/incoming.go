package backend

import (
	"bytes"
	"errors"
	"hash"
	"io"
)

// incoming is a body on its way into a blob: it computes the sums of what passes, and sees to it that the body is as
// long as was said. It is used by one goroutine.
type incoming struct {
	body  Body
	md5   hash.Hash
	extra hash.Hash // nil unless a checksum is to be computed
	hold  *hold
	held  int64 // how much of the disk the blob had before its bytes were written

	total int64  // bytes read
	last  int64  // of them by the last Read, which nobody has written when it returns
	err   error  // what is wrong with the body: that Read returned, other than io.EOF, or finish
	sum   []byte // the MD5, after finish
}

// Read implements io.Reader.
func (in *incoming) Read(p []byte) (int, error) {
	in.wrote()
	n, err := in.body.Reader.Read(p)
	in.total += int64(n)
	in.last = int64(n)
	if n > 0 {
		in.md5.Write(p[:n])
		if in.extra != nil {
			in.extra.Write(p[:n])
		}
	}
	least, most := in.body.bounds()
	switch {
	case in.total > most:
		err = ErrBodyTooLong
	case errors.Is(err, io.EOF) && in.total < least:
		err = ErrIncompleteBody
	case err != nil && !errors.Is(err, io.EOF):
		err = readError(err)
	}
	if !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}

// wrote tells the hold that what was read last has been written.
func (in *incoming) wrote() {
	if n := max(0, min(in.last, in.total-in.held)); n > 0 {
		in.hold.wrote(n)
	}
	in.last = 0
}

// finish takes the sum, after io.EOF, and compares it with what the client said.
func (in *incoming) finish() error {
	in.wrote()
	in.sum = in.md5.Sum(nil)
	if in.body.MD5 != nil && !bytes.Equal(in.sum, in.body.MD5) {
		in.err = &BadDigestError{Expected: in.body.MD5, Calculated: in.sum}
	}
	return in.err
}
