package s3api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/backend/checksum"
)

// newUpload begins an upload with headers, and returns its id.
func (s *server) newUpload(path string, header map[string]string) string {
	s.t.Helper()
	return decode[struct {
		ID string `xml:"UploadId"`
	}](s.t,
		s.do(call{method: http.MethodPost, path: path + "?uploads", header: header}).want(s.t, 200)).ID
}

// sendPart uploads a part with headers.
func (s *server) sendPart(path, id string, number int, body string, header map[string]string) answer {
	s.t.Helper()
	return s.do(call{
		method: http.MethodPut, path: fmt.Sprintf("%s?partNumber=%d&uploadId=%s", path, number, id), body: body, header: header,
	})
}

// finish completes an upload of parts, each an XML fragment.
func (s *server) finish(path, id string, header map[string]string, parts ...string) answer {
	s.t.Helper()
	return s.do(call{
		method: http.MethodPost, path: path + "?uploadId=" + id, header: header,
		body: "<CompleteMultipartUpload>" + strings.Join(parts, "") + "</CompleteMultipartUpload>",
	})
}

// wantMessage is wantError with the message.
func (a answer) wantMessage(t *testing.T, status int, code, message string) {
	t.Helper()
	if e := a.wantError(t, status, code); e.Message != message {
		t.Errorf("message %q, want %q", e.Message, message)
	}
}

func checksumName(a checksum.Algorithm) string { return "Checksum" + a.String() }

// TestChecksumAlgorithms: every algorithm is verified, kept and answered, of an object and of a multipart upload.
func TestChecksumAlgorithms(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, a := range checksum.Algorithms() {
		t.Run(a.String(), func(t *testing.T) {
			sum := checksumOf(a, "hello")
			put := func(value string) answer {
				return s.do(call{
					method: http.MethodPut, path: "/photos/k", body: "hello", header: map[string]string{a.Header(): value},
				})
			}
			if got := put(sum).want(t, 200).header; got.Get(a.Header()) != sum || got.Get("x-amz-checksum-type") != "FULL_OBJECT" {
				t.Errorf("PutObject answers %v", got)
			}
			head := s.do(call{method: http.MethodHead, path: "/photos/k", header: map[string]string{"x-amz-checksum-mode": "ENABLED"}})
			if got := head.want(t, 200).header.Get(a.Header()); got != sum {
				t.Errorf("HeadObject answers %q, want %q", got, sum)
			}
			put(checksumOf(a, "hallo")).wantMessage(t, 400, "BadDigest",
				"The "+a.String()+" you specified did not match the calculated checksum.")
			put("AAAA").wantMessage(t, 400, "InvalidRequest", "Value for "+a.Header()+" header is invalid.")

			id := s.newUpload("/photos/m", map[string]string{"x-amz-checksum-algorithm": a.String()})
			part := s.sendPart("/photos/m", id, 1, "hello", map[string]string{a.Header(): sum}).want(t, 200)
			if got := part.header.Get(a.Header()); got != sum {
				t.Errorf("UploadPart answers %q, want %q", got, sum)
			}
			list := s.get("/photos/m?uploadId="+id).want(t, 200).body
			for _, want := range []string{
				"<" + checksumName(a) + ">" + sum + "<", "<ChecksumAlgorithm>" + a.String() + "<",
				"<ChecksumType>" + checksum.DefaultType(a).String() + "<",
			} {
				if !strings.Contains(list, want) {
					t.Errorf("ListParts lacks %s: %s", want, list)
				}
			}
			whole := sum
			if checksum.DefaultType(a) == checksum.Composite {
				raw, err := a.Decode(sum)
				if err != nil {
					t.Fatal(err)
				}
				whole = checksumOf(a, string(raw)) + "-1"
			}
			done := s.finish("/photos/m", id, map[string]string{a.Header(): whole}, fmt.Sprintf(
				"<Part><PartNumber>1</PartNumber><ETag>%s</ETag><%[2]s>%[3]s</%[2]s></Part>",
				part.header.Get("Etag"), checksumName(a), sum)).want(t, 200)
			if !strings.Contains(done.body, "<"+checksumName(a)+">"+whole+"<") {
				t.Errorf("CompleteMultipartUpload answers %s, want %s", done.body, whole)
			}
			attributes := s.do(call{
				method: http.MethodGet, path: "/photos/m?attributes",
				header: map[string]string{"x-amz-object-attributes": "Checksum,ObjectParts"},
			}).want(t, 200).body
			unnumbered, _, _ := strings.Cut(whole, "-") // of the parts, unlike everywhere else
			for _, want := range []string{
				"<Checksum><" + checksumName(a) + ">" + unnumbered + "<",
				"<Part><" + checksumName(a) + ">" + sum + "</" + checksumName(a) + "><PartNumber>1</PartNumber><Size>5</Size></Part>",
			} {
				if !strings.Contains(attributes, want) {
					t.Errorf("GetObjectAttributes lacks %s: %s", want, attributes)
				}
			}
		})
	}
}

func TestCreateMultipartUploadChecksums(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, c := range []struct {
		algorithm, kind string
		message         string // of the InvalidRequest; empty where it is taken
		answer          string // the type
	}{
		{"", "", "", ""},
		{"CRC32", "", "", "COMPOSITE"},
		{"crc32c", "FULL_OBJECT", "", "FULL_OBJECT"},
		{"CRC64NVME", "", "", "FULL_OBJECT"},
		{"XXHASH128", "", "", "COMPOSITE"},
		{"CRC64NVME", "COMPOSITE", "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.", ""},
		{"SHA512", "FULL_OBJECT", "The FULL_OBJECT checksum type cannot be used with the sha512 checksum algorithm.", ""},
		{"MD5", "FULL_OBJECT", "The FULL_OBJECT checksum type cannot be used with the md5 checksum algorithm.", ""},
		{"", "FULL_OBJECT", "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.", ""},
		{"", "HALF_OBJECT", "Value for x-amz-checksum-type header is invalid.", ""},
		{"MD4", "", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, " +
			"CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]", ""},
	} {
		t.Run(c.algorithm+" "+c.kind, func(t *testing.T) {
			a := s.do(call{method: http.MethodPost, path: "/photos/k?uploads", header: map[string]string{
				"x-amz-checksum-algorithm": c.algorithm, "x-amz-checksum-type": c.kind,
			}})
			if c.message != "" {
				a.wantMessage(t, 400, "InvalidRequest", c.message)
				return
			}
			if got := a.want(t, 200).header.Get("x-amz-checksum-type"); got != c.answer {
				t.Errorf("type %q, want %q", got, c.answer)
			}
		})
	}
}

// TestMultipartChecksumRules: what of its checksums an upload asks for, part by part and at the end.
func TestMultipartChecksumRules(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	crc := checksumOf(checksum.CRC32, "hello")
	sha := checksumOf(checksum.SHA1, "hello")
	composite := s.newUpload("/photos/k", map[string]string{"x-amz-checksum-algorithm": "CRC32"})
	full := s.newUpload("/photos/k", map[string]string{
		"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT",
	})
	plain := s.newUpload("/photos/k", nil)

	const mismatch = "Checksum Type mismatch occurred, expected checksum Type: CRC32, actual checksum Type: "
	s.sendPart("/photos/k", composite, 1, "hello", nil).wantMessage(t, 400, "InvalidRequest", mismatch+"null")
	s.sendPart("/photos/k", composite, 1, "hello", map[string]string{"x-amz-checksum-sha1": sha}).
		wantMessage(t, 400, "InvalidRequest", mismatch+"SHA1")
	s.sendPart("/photos/k", composite, 1, "hello", map[string]string{"x-amz-checksum-sha1": "", "x-amz-checksum-crc32": ""}).
		wantMessage(t, 400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	s.sendPart("/photos/k", composite, 1, "hello", map[string]string{"x-amz-checksum-crc33": crc}).
		wantMessage(t, 400, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.")
	etag := s.sendPart("/photos/k", composite, 1, "hello", map[string]string{"x-amz-checksum-crc32": crc}).want(t, 200).header.Get("Etag")
	if got := s.sendPart("/photos/k", full, 1, "hello", nil).want(t, 200).header.Get("x-amz-checksum-crc32"); got != crc {
		t.Errorf("a part of a FULL_OBJECT upload answers %q", got)
	}
	if got := s.sendPart("/photos/k", plain, 1, "hello", nil).want(t, 200).header.Get("x-amz-checksum-crc64nvme"); got != "" {
		t.Errorf("a part of an upload without checksums answers %q", got)
	}
	if list := s.get("/photos/k?uploadId="+plain).want(t, 200).body; !strings.Contains(list,
		"<ChecksumAlgorithm>null</ChecksumAlgorithm><ChecksumType>null</ChecksumType>") {
		t.Errorf("ListParts of an upload without checksums: %s", list)
	}

	part := func(fields string) string {
		return "<Part><PartNumber>1</PartNumber><ETag>" + etag + "</ETag>" + fields + "</Part>"
	}
	good := "<ChecksumCRC32>" + crc + "</ChecksumCRC32>"
	other := "<ChecksumSHA1>" + sha + "</ChecksumSHA1>"
	for _, c := range []struct {
		name, upload  string
		header        map[string]string
		part          string
		code, message string
	}{
		{"no checksum of a part", composite, nil, part(""), "InvalidRequest", "The upload was created using a crc32 checksum. " +
			"The complete request must include the checksum for each part. It was missing for part 1 in the request."},
		{
			"another algorithm of a part", composite, nil, part(other), "BadDigest",
			"The sha1 you specified for part 1 did not match what we received.",
		},
		{
			"another checksum of a part", composite, nil, part("<ChecksumCRC32>AAAAAA==</ChecksumCRC32>"), "InvalidPart",
			"One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified " +
				"entity tag may not match the part's entity tag.",
		},
		{
			"two checksums of a part", composite, nil, part(good + other), "InvalidArgument",
			"Invalid Base64 or multiple checksums present in request",
		},
		{
			"no base64", composite, nil, part("<ChecksumCRC32>!</ChecksumCRC32>"), "InvalidArgument",
			"Invalid Base64 or multiple checksums present in request",
		},
		{"part 0", composite, nil, strings.Replace(part(good), ">1<", ">0<", 1), "InvalidArgument", "PartNumber must be >= 1"},
		{
			"another type", full,
			map[string]string{"x-amz-checksum-type": "COMPOSITE"},
			part(good), "InvalidRequest",
			"The upload was created using the FULL_OBJECT checksum mode. The complete request must use the same checksum mode.",
		},
		{
			"no type", full,
			map[string]string{"x-amz-checksum-type": "x"},
			part(good), "InvalidRequest",
			"Value for x-amz-checksum-type header is invalid.",
		},
		{
			"another whole", full,
			map[string]string{"x-amz-checksum-crc32": "AAAAAA=="},
			part(good), "BadDigest",
			"The CRC32 you specified did not match the calculated checksum.",
		},
		{
			"a composite of -3 parts", composite,
			map[string]string{"x-amz-checksum-crc32": crc + "--3"},
			part(good), "InvalidRequest",
			"Value for x-amz-checksum-crc32 header is invalid.",
		},
		{
			"a negative size", full,
			map[string]string{"x-amz-mp-object-size": "-1"},
			part(good), "InvalidRequest",
			"Value for x-amz-mp-object-size header is less than zero: '-1'",
		},
		{
			"another size", full,
			map[string]string{"x-amz-mp-object-size": "6"},
			part(good), "InvalidRequest",
			"The provided 'x-amz-mp-object-size' header value 6 does not match what was computed: 5",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.finish("/photos/k", c.upload, c.header, c.part).wantMessage(t, 400, c.code, c.message)
		})
	}
	t.Run("without an algorithm nothing is compared", func(t *testing.T) {
		s.finish("/photos/k", plain, map[string]string{"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, part(good)).want(t, 200)
		head := s.do(call{
			method: http.MethodHead, path: "/photos/k?partNumber=1", header: map[string]string{"x-amz-checksum-mode": "ENABLED"},
		}).want(t, 206)
		if got := head.header.Get("x-amz-checksum-crc64nvme"); got != "" || head.header.Get("x-amz-mp-parts-count") != "1" {
			t.Errorf("HeadObject of its part: %v", head.header)
		}
	})
	s.finish("/photos/k", full, nil, part("")).want(t, 200)
	s.finish("/photos/k", composite, nil, part(good)).want(t, 200)
}
