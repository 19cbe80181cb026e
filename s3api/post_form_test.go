package s3api

import (
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"
)

// readWhole reads a form to its end.
func readWhole(body io.Reader, boundary string) (fields map[string]string, file string, err error) {
	form, err := readPostForm(body, boundary)
	if err != nil || form.file == nil {
		return nil, "", err
	}
	raw, err := io.ReadAll(form.file)
	if err == nil {
		err = form.file.finish()
	}
	return form.fields, string(raw), err
}

// FuzzPostForm: a form is read the same in whatever pieces it comes; fields are bounded, and where the size of the file
// is said to follow from the body's, it does.
func FuzzPostForm(f *testing.F) {
	const part = "--b\r\nContent-Disposition: form-data; name="
	for _, body := range []string{
		part + "\"key\"\r\n\r\nk${filename}\r\n" + part + "\"file\"; filename=\"a/b\\\\c\"\r\nContent-Type: x\r\n\r\ndata\r\n--b--\r\n",
		part + "file\r\n\r\n\r\n--bc\r\n--b\r\r\n--b--", "preamble\r\n" + part + "file\r\n\r\nx\r\n" + part + "x\r\n\r\ny\r\n--b--epilogue",
		"--b--", "--b\r\n\r\n", part + "file\r\n\r\nx\r\n" + part + "file\r\n\r\ny\r\n--b--", "--b\r\nContent-Disposition: a\r\n\r\n\r\n--b--",
	} {
		f.Add(body, "b")
	}
	f.Fuzz(func(t *testing.T, body, boundary string) {
		fields, file, err := readWhole(strings.NewReader(body), boundary)
		slowFields, slowFile, slowErr := readWhole(iotest.OneByteReader(strings.NewReader(body)), boundary)
		if !maps.Equal(fields, slowFields) || file != slowFile || !errors.Is(slowErr, err) {
			t.Errorf("%q, %q, %v; byte by byte %q, %q, %v", fields, file, err, slowFields, slowFile, slowErr)
		}
		if len(file) > len(body) {
			t.Errorf("%d bytes of %d", len(file), len(body))
		}
		total := 0
		for name, value := range fields {
			if total += len(name); name != strings.ToLower(name) || len(value) > 2*maxPostFieldBytes {
				t.Errorf("field %q of %d bytes", name, len(value))
			}
		}
		if total > maxPostFieldBytes {
			t.Errorf("names of %d bytes", total)
		}
		_, err = readPostForm(iotest.ErrReader(io.ErrUnexpectedEOF), boundary)
		if boundary != "" && len(boundary) <= maxBoundaryBytes && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a connection that was lost: %v", err)
		}
	})
}

// FuzzPostFile: a file comes out as it was put in, and its place in the body is known before it is read.
func FuzzPostFile(f *testing.F) {
	f.Add("hello", "a.txt", "k")
	f.Add("\r\n--bound", "", "")
	f.Add("\r\n--boundarx\r\n\r\n", "ü", "\r\n")
	f.Fuzz(func(t *testing.T, file, name, value string) {
		const boundary = "boundary"
		if strings.Contains(file+value, boundary) || strings.ContainsAny(name, "\"\r\n\\") || len(value)+len(name) > 10<<10 {
			return
		}
		body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + value + "\r\n--" + boundary +
			"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n" + file + "\r\n--" + boundary + "--"
		form, err := readPostForm(strings.NewReader(body), boundary)
		if err != nil {
			if strings.Contains(value, "${filename}") || !isHeaderText("x", name) {
				return
			}
			t.Fatalf("%v: %q", err, body)
		}
		if size := int64(len(body)) - form.file.taken - form.file.trailerBytes(); size != int64(len(file)) {
			t.Errorf("size %d, want %d", size, len(file))
		}
		raw, err := io.ReadAll(form.file)
		if err != nil || string(raw) != file {
			t.Errorf("%q, %v, want %q", raw, err, file)
		}
		if err := form.file.finish(); err != nil {
			t.Error(err)
		}
	})
}
