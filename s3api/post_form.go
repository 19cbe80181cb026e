package s3api

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"strings"
)

const (
	// maxPostFieldBytes is how much of a form may stand before its file, and how much behind it.
	maxPostFieldBytes = 20 << 10
	// maxBoundaryBytes is the longest boundary; RFC 2046 has 70.
	maxBoundaryBytes = 256
	formBufferBytes  = 32 << 10
)

// What can be wrong with a form.
var (
	errFormMalformed = errors.New("not multipart/form-data")
	errFormTooLong   = errors.New("too much besides the file")
	errFormFiles     = errors.New("more than one file")
)

// formReader reads a body of multipart/form-data from its front to its end, one part after the other:
//
//	--boundary CRLF  headers CRLF CRLF  content  CRLF --boundary CRLF  headers ...  CRLF --boundary--
//
// It holds one buffer and nothing of what it has given out. It knows where in the body it is, which mime/multipart does
// not tell: the size of the last part follows from it. What is not content may go up to limit.
//
// https://www.rfc-editor.org/rfc/rfc7578, https://www.rfc-editor.org/rfc/rfc2046#section-5.1
type formReader struct {
	source    io.Reader
	delimiter []byte // CRLF, two dashes and the boundary
	buffer    []byte
	start     int   // of what is in buffer and not given out
	end       int   // of what is in buffer
	content   int   // bytes from start that are known to be content
	delimited bool  // the delimiter follows them
	taken     int64 // bytes of the body before start
	limit     int64 // of taken
}

// formPart is what the headers of a part say. The name is in lower case: S3 takes fields in any.
type formPart struct{ name, filename string }

// newFormReader returns a reader of the body. What a body begins with, up to its first boundary, is read as the content
// of a part without headers: for that, the first boundary gets the CRLF that the others have.
func newFormReader(body io.Reader, boundary string) *formReader {
	return &formReader{
		source:    io.MultiReader(strings.NewReader("\r\n"), body),
		delimiter: []byte("\r\n--" + boundary),
		buffer:    make([]byte, formBufferBytes),
		taken:     -int64(len("\r\n")),
		limit:     maxPostFieldBytes,
	}
}

// next goes to the next part. It returns io.EOF behind the last.
func (f *formReader) next() (formPart, error) {
	for {
		skipped := f.content
		f.content = 0
		if err := f.take(skipped); err != nil {
			return formPart{}, err
		}
		if f.delimited {
			break
		}
		if err := f.scan(); err != nil {
			return formPart{}, err
		}
	}
	ending := f.buffer[f.start+len(f.delimiter):]
	last := ending[0] == '-'
	f.delimited = false
	if err := f.take(len(f.delimiter) + 2); err != nil {
		return formPart{}, err
	}
	if last {
		return formPart{}, io.EOF
	}
	return f.headers()
}

// headers reads the headers of a part.
func (f *formReader) headers() (formPart, error) {
	var part formPart
	named := false
	for {
		line, err := f.line()
		if err != nil {
			return formPart{}, err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return formPart{}, errFormMalformed
		}
		if !strings.EqualFold(name, "Content-Disposition") {
			continue
		}
		disposition, parameters, err := mime.ParseMediaType(value)
		if err != nil || disposition != "form-data" || named {
			return formPart{}, errFormMalformed
		}
		named = true
		part = formPart{name: strings.ToLower(parameters["name"]), filename: parameters["filename"]}
	}
	if part.name == "" {
		return formPart{}, errFormMalformed
	}
	return part, nil
}

// line reads up to a CRLF.
func (f *formReader) line() (string, error) {
	for {
		window := f.buffer[f.start:f.end]
		if i := bytes.Index(window, []byte("\r\n")); i >= 0 {
			line := string(window[:i])
			return line, f.take(i + 2)
		}
		if len(window) > maxPostFieldBytes {
			return "", errFormTooLong
		}
		if err := f.fill(); err != nil {
			return "", err
		}
	}
}

// Read reads the content of a part. It returns io.EOF before the delimiter, which must come.
func (f *formReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if f.content == 0 && !f.delimited {
		if err := f.scan(); err != nil {
			return 0, err
		}
	}
	if f.content == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.buffer[f.start:f.start+f.content])
	f.content -= n
	return n, f.take(n)
}

// scan finds out what of the buffer is content, reading until that is something, or a delimiter is there.
func (f *formReader) scan() error {
	for f.content == 0 {
		window := f.buffer[f.start:f.end]
		i := bytes.Index(window, f.delimiter)
		switch behind := i + len(f.delimiter); {
		case i >= 0 && behind+2 <= len(window):
			if next := string(window[behind : behind+2]); next == "--" || next == "\r\n" {
				f.content, f.delimited = i, true
				return nil
			}
			f.content = behind // it only begins like the delimiter
		case i >= 0:
			f.content = i
		default:
			f.content = max(0, len(window)-len(f.delimiter)+1)
		}
		if f.content > 0 {
			return nil
		}
		if err := f.fill(); err != nil {
			return err
		}
	}
	return nil
}

// fill reads more of the body into the buffer, which has room: what is looked for there is shorter.
func (f *formReader) fill() error {
	if f.start > 0 {
		f.end = copy(f.buffer, f.buffer[f.start:f.end])
		f.start = 0
	}
	n, err := f.source.Read(f.buffer[f.end:])
	f.end += n
	switch {
	case n > 0:
		return nil
	case errors.Is(err, io.EOF):
		return errFormMalformed // a connection that was lost has another error
	}
	return err
}

// take gives n bytes of the buffer out.
func (f *formReader) take(n int) error {
	f.start += n
	f.taken += int64(n)
	if f.taken > f.limit {
		return errFormTooLong
	}
	return nil
}

// finish reads what follows the file: fields, which are ignored, and the end of the body.
func (f *formReader) finish() error {
	f.limit = f.taken + maxPostFieldBytes
	for {
		part, err := f.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if part.name == "file" {
			return errFormFiles
		}
	}
	for {
		if err := f.take(f.end - f.start); err != nil {
			return err
		}
		n, err := f.source.Read(f.buffer)
		f.start, f.end = 0, n
		if errors.Is(err, io.EOF) {
			return f.take(n)
		}
		if err != nil {
			return err
		}
	}
}

// postForm is the form of a POST upload, read up to its file.
type postForm struct {
	fields map[string]string // by name in lower case
	file   *formReader       // at the content of the file; nil where the form has none
}

// readPostForm reads the fields before the file.
func readPostForm(body io.Reader, boundary string) (*postForm, error) {
	if boundary == "" || len(boundary) > maxBoundaryBytes {
		return nil, errFormMalformed
	}
	f := newFormReader(body, boundary)
	form := &postForm{fields: make(map[string]string)}
	for {
		part, err := f.next()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		if part.name == "file" {
			f.limit = math.MaxInt64
			form.file = f
			return form, form.expand(baseName(part.filename))
		}
		value, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		if _, twice := form.fields[part.name]; twice {
			return nil, errFormMalformed // what holds for the one would not for the other
		}
		form.fields[part.name] = string(value)
	}
}

// expand puts the name of the file in its place in all fields, but for those that are signed as they are.
func (form *postForm) expand(filename string) error {
	const variable = "${filename}"
	for name, value := range form.fields {
		if name == "policy" || name == "x-amz-signature" {
			continue
		}
		if strings.Count(value, variable)*len(filename) > maxPostFieldBytes {
			return errFormTooLong
		}
		form.fields[name] = strings.ReplaceAll(value, variable, filename)
	}
	return nil
}

// baseName is what follows the last slash or backslash of a path.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// trailerBytes are how many bytes follow a file that is the form's last part, without the CRLF that most clients end
// their bodies with.
func (f *formReader) trailerBytes() int64 { return int64(len(f.delimiter) + len("--")) }
