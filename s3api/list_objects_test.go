package s3api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type listPage struct {
	Name, Prefix, Marker, NextMarker, Delimiter, EncodingType string
	StartAfter, ContinuationToken, NextContinuationToken      string
	KeyCount, MaxKeys                                         int
	IsTruncated                                               bool
	Contents                                                  []struct {
		Key, ETag, StorageClass, LastModified string
		Size                                  int64
		Owner                                 *struct{ ID string }
	}
	CommonPrefixes []struct{ Prefix string }
}

// entries are the keys and the common prefixes of a page, in order.
func (p listPage) entries() []string {
	var all []string
	for _, c := range p.Contents {
		all = append(all, c.Key)
	}
	for _, c := range p.CommonPrefixes {
		all = append(all, c.Prefix)
	}
	slices.Sort(all)
	return all
}

func TestListObjects(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, key := range []string{"a", "b/1", "b/2", "b/c/3", "d", "e//f", "g h", "é"} {
		s.put("/photos/"+(&url.URL{Path: key}).EscapedPath(), "x")
	}
	for _, c := range []struct {
		name, query string
		want        []string
	}{
		{"all", "", []string{"a", "b/1", "b/2", "b/c/3", "d", "e//f", "g h", "é"}},
		{"delimiter", "delimiter=/", []string{"a", "b/", "d", "e/", "g h", "é"}},
		{"prefix", "prefix=b/", []string{"b/1", "b/2", "b/c/3"}},
		{"prefix and delimiter", "prefix=b/&delimiter=/", []string{"b/1", "b/2", "b/c/"}},
		{"prefix inside a name", "prefix=b&delimiter=/", []string{"b/"}},
		{"double slash", "prefix=e/&delimiter=/", []string{"e//"}},
		{"other delimiter", "delimiter=c", []string{"a", "b/1", "b/2", "b/c", "d", "e//f", "g h", "é"}},
		{"nothing", "prefix=zzz", nil},
		{"no keys asked for", "max-keys=0", nil},
		{"unknown parameters are ignored", "prefix=d&x-id=ListObjects&fancy=1", []string{"d"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, version := range []string{"", "&list-type=2"} {
				page := decode[listPage](t, s.get("/photos?"+c.query+version).want(t, 200))
				if got := page.entries(); !slices.Equal(got, c.want) {
					t.Errorf("version %q: %q, want %q", version, got, c.want)
				}
				if version != "" && page.KeyCount != len(c.want) {
					t.Errorf("KeyCount %d, want %d", page.KeyCount, len(c.want))
				}
			}
		})
	}
	t.Run("pages of version 1", func(t *testing.T) {
		var got []string
		marker := ""
		for range 10 {
			page := decode[listPage](t, s.get("/photos?max-keys=2&delimiter=/&marker="+url.QueryEscape(marker)).want(t, 200))
			got = append(got, page.entries()...)
			if !page.IsTruncated {
				break
			}
			if marker = page.NextMarker; marker == "" {
				t.Fatal("a truncated page with a delimiter has no NextMarker")
			}
		}
		if want := []string{"a", "b/", "d", "e/", "g h", "é"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("pages of version 2", func(t *testing.T) {
		var got []string
		query := "max-keys=3&list-type=2&start-after=a"
		for range 10 {
			page := decode[listPage](t, s.get("/photos?"+query).want(t, 200))
			got = append(got, page.entries()...)
			if !page.IsTruncated {
				break
			}
			query = "max-keys=3&list-type=2&start-after=a&continuation-token=" + url.QueryEscape(page.NextContinuationToken)
		}
		if want := []string{"b/1", "b/2", "b/c/3", "d", "e//f", "g h", "é"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("encoding", func(t *testing.T) {
		page := decode[listPage](t, s.get("/photos?encoding-type=url&prefix=g+h&delimiter=/").want(t, 200))
		if page.EncodingType != "url" || page.Prefix != "g%20h" || page.Contents[0].Key != "g%20h" || page.Delimiter != "/" {
			t.Errorf("%+v", page)
		}
	})
	t.Run("owner", func(t *testing.T) {
		if p := decode[listPage](t, s.get("/photos?list-type=2")); p.Contents[0].Owner != nil {
			t.Error("an owner nobody asked for")
		}
		if p := decode[listPage](t, s.get("/photos?list-type=2&fetch-owner=true")); p.Contents[0].Owner == nil {
			t.Error("no owner")
		}
	})
	for query, code := range map[string]string{
		"max-keys=-1": "InvalidArgument", "max-keys=x": "InvalidArgument", "encoding-type=base64": "InvalidArgument",
		"list-type=3": "InvalidArgument", "list-type=2&continuation-token=%21": "InvalidArgument",
	} {
		t.Run(query, func(t *testing.T) { s.get("/photos?"+query).wantError(t, 400, code) })
	}
	s.get("/absent?list-type=2").wantError(t, 404, "NoSuchBucket")
	s.get("/photos?versions&max-keys=-1").wantMessage(t, 400, "InvalidArgument", "max-keys cannot be negative")
	s.get("/absent?max-keys=0").wantError(t, 404, "NoSuchBucket")
}

// Every key is an object of its own, and comes back from a listing as it went in.
func TestKeys(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	keys := []string{
		".", "..", "a/../b", "a/./b", "/", "//", "/a", "a/", "a//b", " ", "a b", "a+b", "a%20b", "a%2Fb", "é", "日本語", "🙂",
		"\x01", "\x00", "a\nb", "\x7f", `<&>"'`, "a?b", "a#b", "a;b", "a:b", `a\b`, "_plimsoll/health", strings.Repeat("k", 1024),
	}
	for i, key := range keys {
		s.put("/photos/"+escapeKey(key), fmt.Sprint(i))
	}
	var listed []string
	page := decode[listPage](t, s.get("/photos?encoding-type=url").want(t, 200))
	for _, c := range page.Contents {
		key, err := url.PathUnescape(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, key)
	}
	want := slices.Sorted(slices.Values(keys))
	if !slices.Equal(listed, want) {
		t.Errorf("listed %q\nwant   %q", listed, want)
	}
	for i, key := range keys {
		if got := s.get("/photos/"+escapeKey(key)).want(t, 200).body; got != fmt.Sprint(i) {
			t.Errorf("key %q holds %q, want %d", key, got, i)
		}
	}
	s.do(call{method: http.MethodPut, path: "/photos/" + strings.Repeat("k", 1025)}).wantError(t, 400, "KeyTooLongError")
	s.do(call{method: http.MethodPut, path: "/photos/%ff"}).wantError(t, 400, "InvalidURI")

	t.Run("delete them at once", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("<Delete>")
		for _, key := range keys {
			if key == "\x00" || key == "\x01" {
				continue // XML 1.0 cannot carry them
			}
			b.WriteString("<Object><Key>" + xmlText(key) + "</Key></Object>")
		}
		b.WriteString("</Delete>")
		a := s.do(call{
			method: http.MethodPost, path: "/photos?delete", body: b.String(),
			header: map[string]string{"Content-MD5": md5Base64(b.String())},
		}).want(t, 200)
		result := decode[struct {
			Deleted []struct{ Key string }
			Error   []struct{ Key, Code string }
		}](t, a)
		if len(result.Deleted) != len(keys)-2 || len(result.Error) != 0 {
			t.Errorf("%+v", result)
		}
		left := decode[listPage](t, s.get("/photos?encoding-type=url").want(t, 200))
		if got := left.entries(); !slices.Equal(got, []string{"%00", "%01"}) {
			t.Errorf("left: %q", got)
		}
	})
}
