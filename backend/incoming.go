package backend

import (
	"bytes"
	"errors"
	"hash"
	"io"
	"sync"
)

// incoming is a body on its way into a blob: it computes the sums of what passes, and sees to it that the body is as
// long as was said. It is used by one goroutine; copyTo has another do the sums.
type incoming struct {
	body  Body
	md5   hash.Hash
	extra hash.Hash // nil unless a checksum is to be computed
	hold  *hold
	held  int64 // how much of the disk the blob had before its bytes were written

	total int64  // bytes read
	last  int64  // of them those that nobody has written yet, when Read returns
	err   error  // what is wrong with the body: that Read returned, other than io.EOF, or finish
	sum   []byte // the MD5, after finish
}

// Read implements io.Reader.
func (in *incoming) Read(p []byte) (int, error) {
	in.wrote()
	n, err := in.receive(p)
	in.hash(p[:n])
	return n, err
}

func (in *incoming) hash(p []byte) {
	in.md5.Write(p)
	if in.extra != nil {
		in.extra.Write(p)
	}
}

// receive is Read without the sums.
func (in *incoming) receive(p []byte) (int, error) {
	n, err := in.body.Reader.Read(p)
	in.total += int64(n)
	in.last += int64(n)
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

const (
	// overlapFrom is the size from which a body is hashed by a goroutine of its own, beside reading and writing.
	overlapFrom = 1 << 20
	// overlapBytes is the size of each of the two buffers that go round: together as large as the one they replace.
	overlapBytes = 128 << 10
)

var overlapBuffers = sync.Pool{New: func() any { return new([2][overlapBytes]byte) }}

// copyTo writes the body to w. For a large one, the sums are computed while the next bytes come in: one stream of 5 GiB
// came in at 300 to 380 MiB/s before, and does at 405 to 410 so.
func (in *incoming) copyTo(w io.Writer) error {
	if in.body.Size < overlapFrom {
		_, err := io.Copy(w, in)
		return err
	}
	buffers := overlapBuffers.Get().(*[2][overlapBytes]byte)
	defer overlapBuffers.Put(buffers)
	free, full := make(chan []byte, len(buffers)), make(chan []byte, len(buffers))
	for i := range buffers {
		free <- buffers[i][:]
	}
	hashed := make(chan struct{}) // closed when the goroutine has ended, which it does when full is closed
	go func() {
		defer close(hashed)
		for p := range full {
			in.hash(p)
			free <- p[:overlapBytes]
		}
	}()
	defer func() {
		close(full)
		<-hashed
	}()
	for {
		p := <-free
		n, err := in.receiveFull(p)
		if n > 0 {
			full <- p[:n]
			if _, writeErr := w.Write(p[:n]); writeErr != nil {
				return writeErr
			}
			in.wrote()
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
}

// receiveFull receives until p is full, or there is no more.
func (in *incoming) receiveFull(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = in.receive(p[n:])
		n += m
	}
	return n, err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
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
