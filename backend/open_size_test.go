package backend

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// bounded is a body of which only bounds are known.
func bounded(content []byte, least, likely, most int) Body {
	return Body{Reader: bytes.NewReader(content), Size: int64(likely), Least: int64(least), Most: int64(most)}
}

// TestPutObjectOfUnknownSize: what is stored and charged is what came, whatever was likely. Sizes lie on both sides of
// those from which a blob has a file, and a file is given its space beforehand.
func TestPutObjectOfUnknownSize(t *testing.T) {
	f := open(t)
	for _, size := range []int{0, 1, 4096, 128 << 10, 1 << 20, 9 << 20} {
		for _, likely := range []int{0, 1, size - 2, size, size + 1, 128<<10 + 1, 10 << 20} {
			if likely < 0 {
				continue
			}
			t.Run(fmt.Sprintf("%d of %d", size, likely), func(t *testing.T) {
				content := noise(size, 1)
				out, err := f.PutObject(background, PutObjectInput{
					Bucket: "b", Key: "k", Owner: "ada", Body: bounded(content, 0, likely, 10<<20),
				})
				if err != nil || out.Size != int64(size) || out.ETag != etag(content) ||
					!bytes.Equal(out.Checksum.Value, sumOf(checksum.CRC64NVME, content)) {
					t.Fatalf("%+v, %v", out, err)
				}
				f.wantContent("k", content)
				if a, _ := f.Account(quota.BucketScope("b")); a.Usage.Bytes != int64(size) || a.Usage.Objects != 1 {
					t.Errorf("usage %+v", a.Usage)
				}
			})
		}
	}
}

func TestPutObjectOfUnknownSizeRefusals(t *testing.T) {
	lost := errors.New("lost")
	for _, inPacks := range []bool{true, false} {
		change := func(*Options) {}
		if !inPacks {
			change = inFiles
		}
		f := open(t, change)
		f.limit(quota.BucketScope("b"), quota.Limit{MaxBytes: 100})
		for _, test := range []struct {
			name string
			body Body
			want error // nil for the quota's
		}{
			{"shorter than at least", bounded(noise(9, 1), 10, 20, 30), ErrIncompleteBody},
			{"longer than at most", bounded(noise(31, 1), 10, 20, 30), ErrBodyTooLong},
			{"lost", Body{Reader: iotest.ErrReader(lost), Size: 20, Most: 30}, lost},
			{"too much in the end", bounded(noise(101, 1), 0, 99, 200), nil},
			{"too much as was likely", bounded(noise(101, 1), 0, 101, 200), nil},
			{"too much in any case", Body{Reader: unread{t}, Size: 150, Least: 101, Most: 200}, nil},
		} {
			t.Run(fmt.Sprintf("%s, packs %t", test.name, inPacks), func(t *testing.T) {
				_, err := f.PutObject(background, PutObjectInput{Bucket: "b", Key: "k", Body: test.body})
				var exceeded *quota.ExceededError
				if (test.want != nil && !errors.Is(err, test.want)) || (test.want == nil && !errors.As(err, &exceeded)) {
					t.Errorf("error %v", err)
				}
				if _, err := f.HeadObject(background, "b", "k", ""); !errors.Is(err, meta.ErrNoSuchKey) {
					t.Errorf("failed, and yet stored: %v", err)
				}
				f.wantIdle()
			})
		}
		for _, likely := range []int{98, 100, 102} { // exactly what is left
			content := noise(100, 2)
			if _, err := f.PutObject(background, PutObjectInput{
				Bucket: "b", Key: meta.Key(strings.Repeat("k", likely)), Body: bounded(content, 50, likely, 200),
			}); err != nil {
				t.Errorf("%d likely: %v", likely, err)
			}
			f.delete(meta.Key(strings.Repeat("k", likely)))
		}
		f.finish()
	}
}
