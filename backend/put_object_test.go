package backend

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

func etag(content []byte) meta.ETag {
	sum := md5.Sum(content)
	return meta.ETag(hex.EncodeToString(sum[:]))
}

func TestPutObjectStoresWhatItWasGiven(t *testing.T) {
	f := open(t)
	// Around the sizes of buffers and blocks, and those from which a body has a file of its own, and is hashed beside.
	for i, size := range []int{
		0, 1, 4096, 4097, 65536, 128<<10 - 1, 128 << 10, 128<<10 + 1, 256 << 10, 256<<10 + 1, 1<<20 + 7,
		overlapFrom - 1, overlapFrom, overlapFrom + overlapBytes - 1, overlapFrom + overlapBytes, overlapFrom + overlapBytes + 1,
	} {
		content, key := noise(size, 1), meta.Key(fmt.Sprintf("%d bytes", size))
		out := f.put(key, content)
		f.wantContent(key, content)
		head, err := f.HeadObject(background, "b", key, "")
		if err != nil {
			t.Fatal(err)
		}
		if head.ETag != etag(content) || head.ETag != out.ETag || head.Size != int64(size) || out.Size != int64(size) {
			t.Errorf("object %d of %d bytes: head %+v, put gave %+v", i, size, head.ObjectHead, out)
		}
	}
}

func TestPutObjectWithoutAChecksumGetsACRC64NVME(t *testing.T) {
	f, content := open(t), noise(100_000, 2)
	f.put("k", content)
	head, err := f.HeadObject(background, "b", "k", "")
	if err != nil || head.Checksum.Algorithm != checksum.CRC64NVME ||
		!bytes.Equal(head.Checksum.Value, sumOf(checksum.CRC64NVME, content)) {
		t.Errorf("checksum %+v, error %v", head.Checksum, err)
	}
}

func TestPutObjectKeepsTheDeclaredChecksum(t *testing.T) {
	f, content := open(t), noise(10, 3)
	for _, a := range checksum.Algorithms() {
		out, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: checked(content, a)})
		if err != nil || out.Checksum.Algorithm != a || !bytes.Equal(out.Checksum.Value, sumOf(a, content)) {
			t.Errorf("%s: %+v, error %v", a, out.Checksum, err)
		}
	}
}

func TestPutObjectReplacesAndCreditsTheOldObject(t *testing.T) {
	f := open(t)
	f.put("k", noise(1000, 1))
	f.put("k", noise(300, 2))
	f.wantContent("k", noise(300, 2))
	f.wantUsage(bucketB, quota.Usage{Bytes: 300, Objects: 1})
	f.wantUsage(quota.ServerScope, quota.Usage{Bytes: 300, Objects: 1})
}

func TestPutObjectIntoNoBucketIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	f := open(t)
	_, err := f.PutObject(background, PutObjectInput{Bucket: "none", Key: "k", Body: Body{Reader: unread{t}, Size: 1}})
	if !errors.Is(err, meta.ErrNoSuchBucket) {
		t.Error(err)
	}
}

func TestPutObjectThatIsTooLargeIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	f := open(t)
	_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: Body{Reader: unread{t}, Size: MaxPutBytes + 1}})
	var large *EntityTooLargeError
	if !errors.As(err, &large) || large.Size != MaxPutBytes+1 {
		t.Error(err)
	}
}

func TestPutObjectPastALimitIsRefusedBeforeTheBodyIsRead(t *testing.T) {
	for _, scope := range []quota.Scope{bucketB, quota.ServerScope} {
		t.Run(string(scope.Kind), func(t *testing.T) {
			f := open(t)
			f.put("old", noise(60, 1))
			f.limit(scope, quota.Limit{MaxBytes: 100})
			_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: Body{Reader: unread{t}, Size: 41}})
			e := wantExceeded(t, err, scope, quota.Bytes)
			if e.Total != 100 || e.Used != 60 || e.Requested != 41 || e.Transient {
				t.Errorf("%+v", e)
			}
		})
	}
}

// precondition is a condition on the object "k", which exists or not, and what becomes of a put under it.
var preconditions = []struct {
	name   string
	exists bool
	p      meta.Precondition
	want   error
}{
	{"If-None-Match on nothing is stored", false, meta.Precondition{IfNoneMatch: true}, nil},
	{"If-None-Match on an object fails", true, meta.Precondition{IfNoneMatch: true}, meta.ErrPreconditionFailed},
	{"If-Match on nothing fails", false, meta.Precondition{IfMatch: "*"}, meta.ErrNoSuchKey},
	{"If-Match of any ETag is stored", true, meta.Precondition{IfMatch: "*"}, nil},
	{"If-Match of the ETag is stored", true, meta.Precondition{IfMatch: etag([]byte("old"))}, nil},
	{"If-Match of another ETag fails", true, meta.Precondition{IfMatch: etag([]byte("other"))}, meta.ErrPreconditionFailed},
}

func TestPutObjectPreconditions(t *testing.T) {
	for _, test := range preconditions {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			if test.exists {
				f.put("k", []byte("old"))
			}
			in := PutObjectInput{Bucket: "b", Key: "k", Precondition: test.p, Body: body([]byte("new"))}
			if test.want != nil {
				in.Body.Reader = unread{t}
			}
			if _, err := f.PutObject(background, in); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// TestPutObjectPreconditionsAreCheckedAgainInTheTransaction changes the object while the body arrives.
func TestPutObjectPreconditionsAreCheckedAgainInTheTransaction(t *testing.T) {
	for _, test := range preconditions {
		t.Run(test.name, func(t *testing.T) {
			f := open(t)
			// What the early check sees lets the put pass; what the transaction sees is the test's.
			if passes := test.p.IfMatch != ""; passes {
				early := []byte("old")
				if test.p.IfMatch == etag([]byte("other")) {
					early = []byte("other")
				}
				f.put("k", early)
			}
			meanwhile := func() {
				if test.exists {
					f.put("k", []byte("old"))
				} else {
					f.delete("k")
				}
			}
			b := body([]byte("new"))
			b.Reader = io.MultiReader(&hook{do: meanwhile}, b.Reader)
			_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Precondition: test.p, Body: b})
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			switch {
			case test.want == nil:
				f.wantContent("k", []byte("new"))
			case test.exists:
				f.wantContent("k", []byte("old"))
			default:
				f.wantGone("k")
			}
		})
	}
}

// hook is an empty reader that does something when it is first read.
type hook struct {
	once sync.Once
	do   func()
}

func (h *hook) Read([]byte) (int, error) {
	h.once.Do(h.do)
	return 0, io.EOF
}

// prefixed gives its content after its hook has run.
type prefixed struct {
	hook    hook
	content []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	p.hook.once.Do(p.hook.do)
	if len(p.content) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.content)
	p.content = p.content[n:]
	return n, nil
}

func TestOfConcurrentPutsWithIfNoneMatchExactlyOneWins(t *testing.T) {
	f := open(t)
	const writers = 32
	var (
		group  sync.WaitGroup
		errs   [writers]error
		arrive = make(chan struct{}) // holds all bodies back until all writers have passed the early check
		ready  sync.WaitGroup
	)
	ready.Add(writers)
	for i := range writers {
		group.Go(func() {
			b := body(noise(100, uint64(i)))
			b.Reader = io.MultiReader(&hook{do: func() { ready.Done(); <-arrive }}, b.Reader)
			_, errs[i] = f.PutObject(background, PutObjectInput{
				Bucket: "b", Key: "k", Precondition: meta.Precondition{IfNoneMatch: true}, Body: b,
			})
		})
	}
	ready.Wait()
	close(arrive)
	group.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			f.wantContent("k", noise(100, uint64(i)))
		} else if !errors.Is(err, meta.ErrPreconditionFailed) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d writers won", won)
	}
}

// badBodies are bodies that must leave nothing behind.
func badBodies() map[string]struct {
	body Body
	want error
} {
	const size = 300_000
	content := noise(size, 9)
	ctx, cancel := context.WithCancel(background)
	return map[string]struct {
		body Body
		want error
	}{
		"a body that is short":        {Body{Reader: bytes.NewReader(content[:size-1]), Size: size}, ErrIncompleteBody},
		"a body that is empty":        {Body{Reader: bytes.NewReader(nil), Size: size}, ErrIncompleteBody},
		"a body that is long":         {Body{Reader: bytes.NewReader(content), Size: size - 1}, ErrBodyTooLong},
		"a body that is long by much": {Body{Reader: bytes.NewReader(content), Size: 1}, ErrBodyTooLong},
		"a body where none was declared": {
			Body{Reader: bytes.NewReader(content), Size: 0}, ErrBodyTooLong,
		},
		"a body that ends in an error": {
			Body{Reader: io.MultiReader(bytes.NewReader(content), iotest.ErrReader(errHalfway)), Size: size}, errHalfway,
		},
		"a body that fails halfway": {
			Body{Reader: io.MultiReader(bytes.NewReader(content[:size/2]), iotest.ErrReader(errHalfway)), Size: size}, errHalfway,
		},
		"an empty body that fails": {Body{Reader: iotest.ErrReader(errHalfway), Size: 0}, errHalfway},
		"a connection that breaks": {
			Body{Reader: io.MultiReader(bytes.NewReader(content[:10]), iotest.ErrReader(io.ErrUnexpectedEOF)), Size: size},
			ErrIncompleteBody,
		},
		"a body that blocks and is cancelled": {
			Body{Reader: io.MultiReader(bytes.NewReader(content[:size/2]), &hook{do: cancel}, blocked{ctx}), Size: size},
			context.Canceled,
		},
	}
}

var errHalfway = errors.New("halfway")

// blocked gives nothing until its context ends.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func TestPutObjectOfABadBodyLeavesNothingBehind(t *testing.T) {
	for name, test := range badBodies() {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			f.put("k", []byte("old"))
			_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: test.body})
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			f.wantIdle()
			f.wantNoOrphans()
			f.wantContent("k", []byte("old"))
		})
	}
}

// A large body is hashed by another goroutine, which must have ended, whatever becomes of the body: the tests' end finds
// those that are left.
func TestALargeBadBodyLeavesNothingBehind(t *testing.T) {
	f := open(t)
	broken := errors.New("broken")
	content := noise(overlapFrom+1, 1)
	for name, test := range map[string]struct {
		reader io.Reader
		want   error
	}{
		"nothing":            {bytes.NewReader(nil), ErrIncompleteBody},
		"less than a buffer": {bytes.NewReader(content[:overlapBytes-1]), ErrIncompleteBody},
		"a buffer":           {bytes.NewReader(content[:overlapBytes]), ErrIncompleteBody},
		"all but a byte":     {iotest.HalfReader(bytes.NewReader(content[:overlapFrom-1])), ErrIncompleteBody},
		"a byte more":        {bytes.NewReader(content), ErrBodyTooLong},
		"fails":              {io.MultiReader(bytes.NewReader(content[:3*overlapBytes+7]), iotest.ErrReader(broken)), broken},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.PutObject(background, PutObjectInput{
				Bucket: "b", Key: "k", Body: Body{Reader: test.reader, Size: overlapFrom},
			})
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			f.wantIdle()
			f.wantNoOrphans()
		})
	}
}

// withMD5 is a body of which the client says that its MD5 is that of said.
func withMD5(content, said []byte) Body {
	b, sum := body(content), md5.Sum(said)
	b.MD5 = sum[:]
	return b
}

func TestABodyOfAnotherMD5LeavesNothingBehind(t *testing.T) {
	for _, size := range []int{0, 1, 4096, 128 << 10, 300_000, overlapFrom + 5} {
		t.Run(fmt.Sprintf("%d bytes", size), func(t *testing.T) {
			f := open(t)
			f.put("k", []byte("old"))
			id := f.createUpload("k", meta.Upload{})
			content, other := noise(size, 1), noise(7, 2)
			_, putErr := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: withMD5(content, other)})
			_, partErr := f.UploadPart(background, UploadPartInput{
				Bucket: "b", Key: "k", Upload: id, Number: 1, Body: withMD5(content, other),
			})
			got, said := md5.Sum(content), md5.Sum(other)
			for _, err := range []error{putErr, partErr} {
				var bad *BadDigestError
				if !errors.As(err, &bad) || !bytes.Equal(bad.Calculated, got[:]) || !bytes.Equal(bad.Expected, said[:]) {
					t.Errorf("error %v", err)
				}
			}
			f.wantIdle()
			f.wantNoOrphans()
			f.wantContent("k", []byte("old"))
			f.wantUsage(bucketB, quota.Usage{Bytes: 3, Objects: 1, Uploads: 1})

			_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: withMD5(content, content)})
			if err != nil {
				t.Errorf("with its own MD5: %v", err)
			}
			f.wantContent("k", content)
		})
	}
}

// TestSpaceIsHeldWhileABodyArrives also shows that it is given back when the body fails.
func TestSpaceIsHeldWhileABodyArrives(t *testing.T) {
	f := open(t)
	f.limit(bucketB, quota.Limit{MaxBytes: 100, MaxObjects: 5})
	b := Body{Size: 60, Reader: &hook{do: func() {
		if a, _ := f.Account(bucketB); a.Reserved != (quota.Delta{Bytes: 60, Objects: 1}) {
			t.Errorf("reserved %+v", a.Reserved)
		}
		_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "second", Body: Body{Reader: unread{t}, Size: 41}})
		if e := wantExceeded(t, err, bucketB, quota.Bytes); !e.Transient {
			t.Errorf("a refusal that only the first body caused is said to last: %+v", e)
		}
		if err := f.tryPut("third", noise(40, 3)); err != nil {
			t.Errorf("what fits beside the first body: %v", err)
		}
	}}}
	if _, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "first", Body: b}); !errors.Is(err, ErrIncompleteBody) {
		t.Error(err)
	}
	f.put("second", noise(60, 2))
	f.wantUsage(bucketB, quota.Usage{Bytes: 100, Objects: 2})
}
