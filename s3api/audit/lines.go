package audit

import (
	"bufio"
	"errors"
	"io"
)

// maxLineBytes bounds a line: more than the largest record has.
const maxLineBytes = 4 << 20

// lineReader reads whole lines.
type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) *lineReader { return &lineReader{bufio.NewReaderSize(r, 64<<10)} }

// line returns the next line without its end; io.EOF where there is none, or only one that is cut off.
func (l *lineReader) line() ([]byte, error) {
	var long []byte
	for {
		piece, err := l.r.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return piece[:len(piece)-1], nil
		case err == nil:
			long = append(long, piece...)
			return long[:len(long)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(long) > maxLineBytes:
			return nil, errors.New("a line is too long")
		}
		long = append(long, piece...)
	}
}
