package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// s3Namespace is the XML namespace of S3's documents.
const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// xmlWriter writes an XML document into memory. Answers are small, or bounded by 1,000 entries.
type xmlWriter struct{ b []byte }

// xmlWriters are used again with their memory: a page of a listing takes some hundred kilobytes.
var xmlWriters = sync.Pool{New: func() any { return new(xmlWriter) }}

// maxPooledXMLBytes is the largest memory that is kept for another document.
const maxPooledXMLBytes = 1 << 20

// newXML begins a document. capacity is about how long it will be.
func newXML(capacity int) *xmlWriter {
	x := xmlWriters.Get().(*xmlWriter)
	x.b = slices.Grow(x.b[:0], capacity)
	x.b = append(x.b, `<?xml version="1.0" encoding="UTF-8"?>`...)
	x.b = append(x.b, '\n')
	return x
}

// bytes returns the document, until release.
func (x *xmlWriter) bytes() []byte { return x.b }

// release ends the use of x, and of what bytes returned.
func (x *xmlWriter) release() {
	if cap(x.b) <= maxPooledXMLBytes {
		xmlWriters.Put(x)
	}
}

// raw writes markup that is known to be well formed. Listings use it where tags follow each other.
func (x *xmlWriter) raw(markup string) { x.b = append(x.b, markup...) }

// data writes character data.
func (x *xmlWriter) data(value string) { x.b = appendEscaped(x.b, value) }

func (x *xmlWriter) open(name string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

// root opens the document's element, in S3's namespace.
func (x *xmlWriter) root(name string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, name...)
	x.b = append(x.b, ` xmlns="`+s3Namespace+`">`...)
}

func (x *xmlWriter) close(name string) {
	x.b = append(x.b, '<', '/')
	x.b = append(x.b, name...)
	x.b = append(x.b, '>')
}

func (x *xmlWriter) text(name, value string) {
	x.open(name)
	x.data(value)
	x.close(name)
}

// optional writes an element unless its value is empty.
func (x *xmlWriter) optional(name, value string) {
	if value != "" {
		x.text(name, value)
	}
}

func (x *xmlWriter) number(name string, n int64) {
	x.open(name)
	x.integer(n)
	x.close(name)
}

func (x *xmlWriter) integer(n int64) { x.b = strconv.AppendInt(x.b, n, 10) }

// time writes a time as S3's documents have it: 2006-01-02T15:04:05.000Z. RFC 3339 in whole seconds is a layout for
// which package time has a fast way; layouts with milliseconds are interpreted for each time.
func (x *xmlWriter) time(t time.Time) {
	t = t.UTC()
	x.b = t.AppendFormat(x.b, time.RFC3339)
	ms := t.Nanosecond() / int(time.Millisecond)
	x.b = append(x.b[:len(x.b)-len("Z")], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

func (x *xmlWriter) timestamp(name string, t time.Time) {
	x.open(name)
	x.time(t)
	x.close(name)
}

func (x *xmlWriter) boolean(name string, v bool) { x.text(name, strconv.FormatBool(v)) }

// appendEscaped appends text as character data. Characters that XML 1.0 cannot carry become character references, as in
// S3: a parser refuses them, where a replacement would be taken for the real key. Clients that have such keys ask for
// encoding-type=url.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		// Most text is one run of plain characters.
		run := i
		for i < len(s) && isPlainText(s[i]) {
			i++
		}
		if b = append(b, s[run:i]...); i == len(s) {
			break
		}
		c := s[i]
		switch {
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '<':
			b = append(b, "&lt;"...)
		case c == '>':
			b = append(b, "&gt;"...)
		case c == '"':
			b = append(b, "&quot;"...)
		case c < 0x20:
			b = append(b, "&#x"...)
			b = strconv.AppendUint(b, uint64(c), 16)
			b = append(b, ';')
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == '\uFFFE' || r == '\uFFFF' {
				b = append(b, "&#x"...)
				b = strconv.AppendUint(b, uint64(r), 16)
				b = append(b, ';')
			} else {
				b = utf8.AppendRune(b, r)
			}
			i += n
			continue
		}
		i++
	}
	return b
}

// isPlainText reports whether a byte is a character that stands for itself.
func isPlainText(c byte) bool {
	return c >= 0x20 && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' && c != '"'
}

// parseXML reads a request document: one element of the given name, without a document type.
func parseXML(raw []byte, root string, into any) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.RawToken()
		if err != nil {
			return malformedXML(err)
		}
		switch t := token.(type) {
		case xml.Directive:
			// A document type can only define entities; S3's documents have none.
			return malformedXML(errors.New("a document type"))
		case xml.StartElement:
			if t.Name.Local != root {
				return malformedXML(errors.New("not a " + root))
			}
			if err := xml.Unmarshal(raw, into); err != nil {
				return malformedXML(err)
			}
			return nil
		}
	}
}

// decodeNext appends the element that begins with start to a list of at most so many: a document of the largest size has room
// for more than memory should take.
func decodeNext[S ~[]E, E any](list *S, most int, d *xml.Decoder, start xml.StartElement) error {
	if len(*list) == most {
		return fmt.Errorf("more than %d elements %s", most, start.Name.Local)
	}
	var next E
	if err := d.DecodeElement(&next, &start); err != nil {
		return err
	}
	*list = append(*list, next)
	return nil
}

func malformedXML(cause error) error {
	e := s3err("MalformedXML")
	e.cause = cause
	return e
}
