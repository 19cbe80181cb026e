package packs

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/plimsoll/plimsoll/backend/blob"
	"github.com/plimsoll/plimsoll/backend/blob/blobtest"
	"github.com/plimsoll/plimsoll/backend/blob/files"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

// openIn opens a store whose packs are in dir/packs, and its large blobs in dir/files.
func openIn(t testing.TB, dir string, options Options, system fileSystem) *Store {
	t.Helper()
	large, err := files.Open(filepath.Join(dir, "files"), files.Options{})
	if err != nil {
		t.Fatalf("open the large store: %v", err)
	}
	s, err := open(filepath.Join(dir, "packs"), large, options, system)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func commit(s *Store, content []byte) (blob.Ref, error) {
	w, err := s.Create(background, int64(len(content)))
	if err != nil {
		return blob.Ref{}, err
	}
	if _, err := w.Write(content); err != nil {
		w.Abort()
		return blob.Ref{}, err
	}
	err = w.Commit()
	return blob.Ref{ID: w.ID(), Size: int64(len(content)), Place: w.Place()}, err
}

func mustCommit(t testing.TB, s *Store, content []byte) blob.Ref {
	t.Helper()
	ref, err := commit(s, content)
	if err != nil {
		t.Fatalf("commit %d bytes: %v", len(content), err)
	}
	return ref
}

func mustPut(t testing.TB, s *Store, content []byte) blob.Ref {
	t.Helper()
	ref := mustCommit(t, s, content)
	if err := s.Sync(background, []blob.Ref{ref}); err != nil {
		t.Fatalf("sync %d bytes: %v", len(content), err)
	}
	return ref
}

func get(s *Store, ref blob.Ref) ([]byte, error) {
	r, err := s.Open(background, ref, 0, ref.Size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	return b.Bytes(), err
}

func wantContent(t testing.TB, s *Store, ref blob.Ref, want []byte) {
	t.Helper()
	got, err := get(s, ref)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("blob %s at %x: %d bytes, equal: %v, error %v", ref.ID, ref.Place, len(got), bytes.Equal(got, want), err)
	}
}

// walk returns what Walk finds without an error, by place, and the errors.
func walk(t testing.TB, s *Store) (map[blob.Ref]bool, []blob.Ref) {
	t.Helper()
	found, damaged := make(map[blob.Ref]bool), []blob.Ref(nil)
	err := s.Walk(background, func(ref blob.Ref, err error) error {
		switch {
		case err != nil:
			damaged = append(damaged, ref)
		case found[ref]:
			t.Errorf("Walk visits %v twice", ref)
		default:
			found[ref] = true
		}
		return nil
	})
	if err != nil {
		t.Errorf("Walk: %v", err)
	}
	return found, damaged
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// catalog makes a blob.ByID of a Store: it remembers what metadata would.
type catalog struct {
	*Store
	known *known
}

type known struct {
	mu   sync.Mutex // guards refs
	refs map[blob.ID]blob.Ref
}

// catalogs are the memories of the stores that were opened in a directory, which outlive them.
var catalogs sync.Map

func openCatalog(t testing.TB, dir string, options Options) blob.ByID {
	k, _ := catalogs.LoadOrStore(dir, &known{refs: make(map[blob.ID]blob.Ref)})
	return catalog{openIn(t, dir, options, diskFileSystem{}), k.(*known)}
}

func (c catalog) ref(id blob.ID) blob.Ref {
	c.known.mu.Lock()
	defer c.known.mu.Unlock()
	if ref, ok := c.known.refs[id]; ok {
		return ref
	}
	return blob.Ref{ID: id}
}

func (c catalog) refsOf(ids []blob.ID) []blob.Ref {
	var refs []blob.Ref
	for _, id := range ids {
		refs = append(refs, c.ref(id))
	}
	return refs
}

type catalogWriter struct {
	*Writer
	catalog catalog
	size    int64
}

func (w *catalogWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.size += int64(n)
	return n, err
}

func (w *catalogWriter) Commit() error {
	err := w.Writer.Commit()
	if err == nil {
		w.catalog.known.mu.Lock()
		defer w.catalog.known.mu.Unlock()
		w.catalog.known.refs[w.ID()] = blob.Ref{ID: w.ID(), Size: w.size, Place: w.Place()}
	}
	return err
}

func (c catalog) Create(ctx context.Context, size int64) (blob.Writer, error) {
	w, err := c.Store.Create(ctx, size)
	if err != nil {
		return nil, err
	}
	return &catalogWriter{Writer: w.(*Writer), catalog: c}, nil
}

func (c catalog) Sync(ctx context.Context, ids []blob.ID) error {
	return c.Store.Sync(ctx, c.refsOf(ids))
}

func (c catalog) Open(ctx context.Context, id blob.ID, offset, size int64) (io.ReadCloser, error) {
	return c.Store.Open(ctx, c.ref(id), offset, size)
}

func (c catalog) Verify(ctx context.Context, id blob.ID) error { return c.Store.Verify(ctx, c.ref(id)) }

func (c catalog) Delete(ctx context.Context, ids []blob.ID) error {
	refs := c.refsOf(ids)
	c.known.mu.Lock()
	for _, id := range ids {
		delete(c.known.refs, id)
	}
	c.known.mu.Unlock()
	return c.Store.Delete(ctx, refs)
}

func (c catalog) Walk(ctx context.Context, visit func(id blob.ID, size int64, err error) error) error {
	return c.Store.Walk(ctx, func(ref blob.Ref, err error) error {
		if c.ref(ref.ID) == (blob.Ref{ID: ref.ID}) && err == nil {
			return nil // deleted, and not compacted yet
		}
		return visit(ref.ID, ref.Size, err)
	})
}

func TestConformance(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
	}{
		{"Sync", Options{Sync: true, PackBytes: 2 << 20}},
		{"NoSync", Options{PackBytes: 2 << 20}},
		{"SmallPacks", Options{PackBytes: 100_000, Threshold: 50_000}},
		{"LargeThreshold", Options{Threshold: 1 << 20, PackBytes: 3 << 20}},
	} {
		t.Run(test.name, func(t *testing.T) {
			blobtest.Run(t, func(t testing.TB, dir string) blob.ByID { return openCatalog(t, dir, test.options) })
		})
	}
}
