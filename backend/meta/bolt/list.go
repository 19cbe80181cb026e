package bolt

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/backend/meta"
)

var errLimit = errors.New("the limit of a page is less than 1")

// commonPrefix returns what key is rolled up to: the part up to and with the first delimiter after the prefix.
func commonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" || !strings.HasPrefix(key, prefix) {
		return "", false
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(prefix)+i+len(delimiter)], true
}

// List returns a page of a bucket's keys. It reads the rows that it returns and one that it seeks to for each common
// prefix, and of each row no more than the head.
func (r *Repository) List(ctx context.Context, req meta.ListRequest) (page meta.ListPage, err error) {
	if req.Limit < 1 {
		return meta.ListPage{}, errLimit
	}
	err = r.view(ctx, func(s snapshot) error {
		if err := requireBucket(s, req.Bucket); err != nil {
			return err
		}
		page, err = list(s.table(tableObjects).Cursor(), req)
		return err
	})
	if err != nil {
		return meta.ListPage{}, err
	}
	return page, nil
}

func list(c *cursor, req meta.ListRequest) (meta.ListPage, error) {
	var (
		page   meta.ListPage
		memory pageMemory
		base   = bucketPrefix(req.Bucket)
		prefix = append(bytes.Clone(base), req.Prefix...)
	)
	k, v := c.Seek(listStart(base, prefix, req))
	for bytes.HasPrefix(k, prefix) {
		if len(page.Entries) == req.Limit {
			page.Truncated = true
			break
		}
		key := memory.string(k[len(base):])
		if common, found := commonPrefix(key, req.Prefix, req.Delimiter); found {
			page.Entries = append(page.Entries, meta.ListEntry{Key: meta.Key(common)})
			// The zero byte after the bucket's name makes sure that there is a successor.
			k, v = c.Seek(successor(k[:len(base)+len(common)]))
			continue
		}
		head, err := memory.head(tableObjects, k, v)
		if err != nil {
			return meta.ListPage{}, err
		}
		page.Entries = append(page.Entries, meta.ListEntry{Key: meta.Key(key), Head: head})
		k, v = c.Next()
	}
	return page, nil
}

// listStart returns the smallest table key that the page may begin with.
func listStart(base, prefix []byte, req meta.ListRequest) []byte {
	start := base
	switch common, found := commonPrefix(req.After, req.Prefix, req.Delimiter); {
	case found:
		// The common prefix of After does not sort after After, and so none of its keys is asked for.
		start = successor(append(bytes.Clone(base), common...))
	case req.After != "":
		start = append(append(bytes.Clone(base), req.After...), 0) // the next key there can be
	}
	if bytes.Compare(start, prefix) < 0 {
		return prefix
	}
	return start
}

const (
	// A page's first chunk of heads, for the many pages that are short, and its largest.
	minChunkHeads = 16
	maxChunkHeads = 256

	chunkBytes = 8 << 10
)

// pageMemory holds what a page's rows are decoded into. A page of a thousand rows would otherwise take several thousand
// allocations, and most of a listing's time. Its memory comes in chunks that never move and are never used again, so
// what it returns may be kept; it keeps the chunks alive. Nothing in it is the engine's memory.
//
// A nil pageMemory gives each value memory of its own.
type pageMemory struct {
	heads []meta.ObjectHead
	text  strings.Builder
	raw   []byte
}

// head decodes the head of an object's row.
func (m *pageMemory) head(table, key, value []byte) (*meta.ObjectHead, error) {
	d := decoder{rest: value, page: m}
	_, h := readHead(&d, table, key, value)
	if d.err != nil {
		return nil, corruptRow(table, key, d.err)
	}
	if len(m.heads) == cap(m.heads) {
		m.heads = make([]meta.ObjectHead, 0, max(minChunkHeads, min(2*cap(m.heads), maxChunkHeads)))
	}
	m.heads = append(m.heads, h)
	return &m.heads[len(m.heads)-1], nil
}

// last returns the class and the owner of the last head.
func (m *pageMemory) last() (class, owner string) {
	if m == nil || len(m.heads) == 0 {
		return "", ""
	}
	h := &m.heads[len(m.heads)-1]
	return h.Class, h.Owner
}

// versionOf returns the id of a version.
func (m *pageMemory) versionOf(i identity) meta.VersionID {
	if m == nil || i.null {
		return i.version()
	}
	var text [ulid.EncodedSize]byte
	_ = i.at.MarshalTextTo(text[:]) // it fails for a buffer of another size only
	return meta.VersionID(m.string(text[:]))
}

// string returns a copy of b.
func (m *pageMemory) string(b []byte) string {
	if m == nil {
		return string(b)
	}
	if m.text.Cap()-m.text.Len() < len(b) {
		// The old chunk belongs to the strings that were cut from it.
		m.text = strings.Builder{}
		m.text.Grow(max(len(b), chunkBytes))
	}
	start := m.text.Len()
	m.text.Write(b)
	return m.text.String()[start:]
}

// bytes returns a copy of b.
func (m *pageMemory) bytes(b []byte) []byte {
	if m == nil {
		return append([]byte(nil), b...)
	}
	if cap(m.raw)-len(m.raw) < len(b) {
		m.raw = make([]byte, 0, max(len(b), chunkBytes))
	}
	start := len(m.raw)
	m.raw = append(m.raw, b...)
	return m.raw[start:len(m.raw):len(m.raw)]
}
