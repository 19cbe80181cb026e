package s3api_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// headers are those of a request.
type headers = map[string]string

// with returns the headers of several maps together.
func with(all ...headers) headers {
	together := headers{}
	for _, h := range all {
		for name, value := range h {
			together[name] = value
		}
	}
	return together
}

const ssePrefix = "x-amz-server-side-encryption"

var (
	sseS3      = headers{ssePrefix: "AES256"}
	sseKMS     = headers{ssePrefix: "aws:kms"}
	ssePhotos  = headers{ssePrefix: "aws:kms", ssePrefix + "-aws-kms-key-id": "photos"}
	sseA, sseB = customer("a", ssePrefix), customer("b", ssePrefix)
	sourceA    = customer("a", "x-amz-copy-source-server-side-encryption")
)

// customer returns the headers of a customer's key.
func customer(letter, prefix string) headers {
	key := strings.Repeat(letter, 32)
	sum := md5.Sum([]byte(key))
	return headers{
		prefix + "-customer-algorithm": "AES256",
		prefix + "-customer-key":       base64.StdEncoding.EncodeToString([]byte(key)),
		prefix + "-customer-key-md5":   base64.StdEncoding.EncodeToString(sum[:]),
	}
}

func (s *server) putWith(path, body string, h headers) answer {
	s.t.Helper()
	return s.do(call{method: http.MethodPut, path: path, body: body, header: h})
}

func (s *server) getWith(path string, h headers) answer {
	s.t.Helper()
	return s.do(call{method: http.MethodGet, path: path, header: h})
}

// wantEncryption checks what an answer tells of encryption: all that the map has, and no more.
func (a answer) wantEncryption(t *testing.T, want headers) answer {
	t.Helper()
	told := headers{}
	for name := range a.header {
		if name = strings.ToLower(name); strings.HasPrefix(name, ssePrefix) {
			told[name] = a.header.Get(name)
		}
	}
	for name, value := range want {
		if name != ssePrefix+"-customer-key" && told[name] != value {
			t.Errorf("%s is %q, want %q", name, told[name], value)
		}
		delete(told, name)
	}
	if len(told) > 0 {
		t.Errorf("the answer tells %v", told)
	}
	return a
}

func TestEncryptedObjects(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	sum := md5.Sum([]byte("hello"))
	for _, test := range []struct {
		name       string
		put, get   headers
		told       headers
		etagIsHash bool
	}{
		{"none", nil, nil, nil, true},
		{"SSE-S3", sseS3, nil, sseS3, true},
		{"SSE-KMS", sseKMS, nil, with(sseKMS, headers{ssePrefix + "-aws-kms-key-id": "default"}), false},
		{"SSE-KMS with a key", ssePhotos, nil, ssePhotos, false},
		{"SSE-KMS with a bucket key", with(ssePhotos, headers{ssePrefix + "-bucket-key-enabled": "true"}), nil, ssePhotos, false},
		{"SSE-C", sseA, sseA, sseA, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			put := s.putWith("/photos/k", "hello", test.put).want(t, 200).wantEncryption(t, test.told)
			etag := put.header.Get("Etag")
			if is := etag == `"`+hex.EncodeToString(sum[:])+`"`; is != test.etagIsHash || len(etag) != 34 {
				t.Errorf("the ETag is %s", etag)
			}
			if got := s.getWith("/photos/k", test.get).want(t, 200).wantEncryption(t, test.told); got.body != "hello" {
				t.Errorf("%q", got.body)
			}
			ranged := s.getWith("/photos/k", with(test.get, headers{"Range": "bytes=1-3"})).want(t, 206)
			if ranged.body != "ell" || ranged.header.Get("Content-Range") != "bytes 1-3/5" {
				t.Errorf("%q, %q", ranged.body, ranged.header.Get("Content-Range"))
			}
			head := s.do(call{method: http.MethodHead, path: "/photos/k", header: test.get}).want(t, 200)
			if head.wantEncryption(t, test.told).header.Get("Content-Length") != "5" {
				t.Errorf("the length is %q", head.header.Get("Content-Length"))
			}
			attributes := with(test.get, headers{"x-amz-object-attributes": "ObjectSize"})
			s.getWith("/photos/k?attributes", attributes).want(t, 200)
		})
	}
}

func TestRefusedEncryption(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	changed := func(name, value string) headers { return with(sseA, headers{ssePrefix + "-customer-" + name: value}) }
	for _, test := range []struct {
		name    string
		header  headers
		status  int
		code    string
		message string
	}{
		{"unknown", headers{ssePrefix: "rot13"}, 400, "InvalidArgument", "The encryption method specified is not supported"},
		{"unknown key", with(ssePhotos, headers{ssePrefix + "-aws-kms-key-id": "none"}), 400, "KMS.NotFoundException", "Invalid keyId 'none'"},
		{"a key without KMS", headers{ssePrefix + "-aws-kms-key-id": "photos"}, 400, "InvalidArgument", "requires HTTP header"},
		{"a key with AES256", with(sseS3, headers{ssePrefix + "-aws-kms-key-id": "photos"}), 400, "InvalidArgument", "requires HTTP header"},
		{"two layers", headers{ssePrefix: "aws:kms:dsse"}, 501, "NotImplemented", ""},
		{"a context", with(ssePhotos, headers{ssePrefix + "-context": "e30="}), 501, "NotImplemented", ""},
		{"a bucket key that is none", with(ssePhotos, headers{ssePrefix + "-bucket-key-enabled": "yes"}), 400, "InvalidArgument", ""},
		{"both", with(sseS3, sseA), 400, "InvalidArgument", "is incompatible with the encryption method specified"},
		{"no algorithm", changed("algorithm", ""), 400, "InvalidArgument", "must provide a valid encryption algorithm."},
		{"another algorithm", changed("algorithm", "AES128"), 400, "InvalidEncryptionAlgorithmError", "The valid value is AES256."},
		{"no key", changed("key", ""), 400, "InvalidArgument", "must provide an appropriate secret key."},
		{"a short key", changed("key", "YWJj"), 400, "InvalidArgument", "The secret key was invalid for the specified algorithm."},
		{"no MD5", changed("key-md5", ""), 400, "InvalidArgument", "must provide the client calculated MD5 of the secret key."},
		{"another MD5", changed("key-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), 400, "InvalidArgument", "did not match the hash that was provided."},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, c := range []call{
				{method: http.MethodPut, path: "/photos/k", body: "x"},
				{method: http.MethodPost, path: "/photos/k?uploads"},
			} {
				c.header = test.header
				if e := s.do(c).wantError(t, test.status, test.code); !strings.Contains(e.Message, test.message) {
					t.Errorf("%s: %q", c.method, e.Message)
				}
			}
			s.get("/photos/k").wantError(t, 404, "NoSuchKey")
		})
	}
}

// TestReadsThatAskForEncryption: how an object is encrypted cannot be asked for when it is read.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
func TestReadsThatAskForEncryption(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.putWith("/photos/k", "hello", sseS3).want(t, 200)
	asking := with(sseS3, headers{"x-amz-object-attributes": "ObjectSize"})
	s.getWith("/photos/k", asking).wantError(t, 400, "InvalidArgument")
	s.do(call{method: http.MethodHead, path: "/photos/k", header: asking}).want(t, 400)
	s.getWith("/photos/k?attributes", asking).wantError(t, 400, "InvalidArgument")
}

func TestReadsWithTheWrongCustomerKey(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.putWith("/photos/plain", "x", nil).want(t, 200)
	s.putWith("/photos/s3", "x", sseS3).want(t, 200)
	s.putWith("/photos/a", "x", sseA).want(t, 200)
	for _, test := range []struct {
		name, path string
		header     headers
		status     int
		code       string
		message    string
	}{
		{"none", "/photos/a", nil, 400, "InvalidRequest", "The object was stored using a form of Server Side Encryption."},
		{"another", "/photos/a", sseB, 403, "AccessDenied", ""},
		{"a key for a plain object", "/photos/plain", sseA, 400, "InvalidRequest", "not applicable"},
		{"a key for SSE-S3", "/photos/s3", sseA, 400, "InvalidRequest", "not applicable"},
		{"a malformed key", "/photos/a", with(sseA, headers{ssePrefix + "-customer-key": "x"}), 400, "InvalidArgument", "invalid"},
		{"encryption of what is there", "/photos/s3", sseS3, 400, "InvalidArgument", "not supported for this operation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := s.getWith(test.path, test.header).wantError(t, test.status, test.code)
			if !strings.Contains(e.Message, test.message) {
				t.Error(e.Message)
			}
			s.do(call{method: http.MethodHead, path: test.path, header: test.header}).want(t, test.status)
			if test.header[ssePrefix] == "" {
				attributes := with(test.header, headers{"x-amz-object-attributes": "ObjectSize"})
				s.getWith(test.path+"?attributes", attributes).wantError(t, test.status, test.code)
			}
		})
	}
	s.do(call{method: http.MethodDelete, path: "/photos/a"}).want(t, 204) // needs no key
}

// TestCustomerKeysNeedAPrivateConnection: what comes over plain HTTP from elsewhere is refused.
func TestCustomerKeysNeedAPrivateConnection(t *testing.T) {
	var handler http.Handler
	s := newServer(t, func(c *s3api.Config) { handler = s3api.New(*c, s3api.NewMetrics()) })
	s.bucket("photos")
	s.putWith("/photos/k", "x", sseA).want(t, 200)
	for _, test := range []struct {
		name, remote, proto string
		status              int
	}{
		{"loopback", "127.0.0.1:1234", "", 200},
		{"loopback of IPv6", "[::1]:1234", "", 200},
		{"elsewhere", "192.0.2.1:1234", "", 400},
		{"elsewhere through a proxy without TLS", "192.0.2.1:1234", "http", 400},
		{"elsewhere through a proxy with TLS", "192.0.2.1:1234", "https", 200},
		{"who knows", "", "", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, s.url+"/photos/k", nil)
			r.RemoteAddr = test.remote
			for name, value := range sseA {
				r.Header.Set(name, value)
			}
			if test.proto != "" {
				r.Header.Set("X-Forwarded-Proto", test.proto)
			}
			sigv4.Sign(r, testAccessKey, testSecretKey, testRegion, "UNSIGNED-PAYLOAD", time.Now())
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
		})
	}
}

// TestCustomerKeyOfAFormBehindAProxy: a form's request comes through proxies as all others do.
func TestCustomerKeyOfAFormBehindAProxy(t *testing.T) {
	var handler http.Handler
	s := newServer(t, func(c *s3api.Config) { handler = s3api.New(*c, s3api.NewMetrics()) })
	s.bucket("photos")
	f := (&form{file: "hello"}).add("key", "k")
	for name, value := range sseA {
		f.add(strings.ToLower(name), value)
	}
	body := f.sign(t, "photos", nil).body()
	for proto, status := range map[string]int{"https": 204, "http": 400, "": 400} {
		r := httptest.NewRequest(http.MethodPost, s.url+"/photos", strings.NewReader(body))
		r.RemoteAddr = "192.0.2.1:1234"
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+testBoundary)
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("through %q: %d, want %d: %s", proto, w.Code, status, w.Body)
		}
	}
	s.getWith("/photos/k", sseA).want(t, 200)
}

// uploadWith begins an upload and returns its query.
func (s *server) uploadWith(path string, h headers) string {
	s.t.Helper()
	a := s.do(call{method: http.MethodPost, path: path + "?uploads", header: h}).want(s.t, 200)
	return "uploadId=" + decode[struct {
		ID string `xml:"UploadId"`
	}](s.t, a).ID
}

func TestEncryptedUploads(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.putWith("/photos/source", "source", sseA).want(t, 200)
	for _, test := range []struct {
		name                string
		create, part, whole headers // what is sent, and what the completed upload tells
	}{
		{"none", nil, nil, nil},
		{"SSE-S3", sseS3, nil, sseS3},
		{"SSE-KMS", ssePhotos, nil, ssePhotos},
		{"SSE-C", sseA, sseA, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.do(call{method: http.MethodPost, path: "/photos/other?uploads", header: test.create}).
				want(t, 200).wantEncryption(t, test.create)
			id := s.uploadWith("/photos/k", test.create)
			first := strings.Repeat("x", 5<<20)
			one := s.putWith("/photos/k?partNumber=1&"+id, first, test.part).want(t, 200).wantEncryption(t, test.create)
			two := s.putWith("/photos/k?partNumber=2&"+id, "", with(test.part, sourceA, headers{
				"x-amz-copy-source": "/photos/source", "x-amz-copy-source-range": "bytes=1-3",
			})).want(t, 200).wantEncryption(t, test.create)
			body := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + one.header.Get("Etag") +
				"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>" +
				decode[struct{ ETag string }](t, two).ETag + "</ETag></Part></CompleteMultipartUpload>"
			s.do(call{method: http.MethodPost, path: "/photos/k?" + id, body: body}).
				want(t, 200).wantEncryption(t, test.whole)
			got := s.getWith("/photos/k", test.part).want(t, 200).wantEncryption(t, test.create)
			if got.body != first+"our" || !strings.HasSuffix(got.header.Get("Etag"), `-2"`) {
				t.Errorf("%d bytes, ETag %s", len(got.body), got.header.Get("Etag"))
			}
		})
	}
}

func TestPartsWithTheWrongCustomerKey(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, test := range []struct {
		name         string
		create, part headers
		code         string
		message      string
	}{
		{"none", sseA, nil, "InvalidRequest", "must include the appropriate encryption parameters."},
		{"another", sseA, sseB, "InvalidRequest", "did not match the ones used originally."},
		{"a key for a plain upload", nil, sseA, "InvalidRequest", "did not request encryption."},
		{"encryption of the part", nil, sseS3, "InvalidArgument", "not supported for this operation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := s.uploadWith("/photos/k", test.create)
			e := s.putWith("/photos/k?partNumber=1&"+id, "x", test.part).wantError(t, 400, test.code)
			if !strings.Contains(e.Message, test.message) {
				t.Error(e.Message)
			}
		})
	}
}

func TestEncryptedCopies(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	s.putWith("/photos/plain", "hello", nil).want(t, 200)
	s.putWith("/photos/s3", "hello", sseS3).want(t, 200)
	s.putWith("/photos/a", "hello", sseA).want(t, 200)
	for _, test := range []struct {
		name, from string
		header     headers
		read, told headers
	}{
		{"plain", "plain", nil, nil, nil},
		{"plain to SSE-S3", "plain", sseS3, nil, sseS3},
		{"plain to SSE-KMS", "plain", ssePhotos, nil, ssePhotos},
		{"plain to SSE-C", "plain", sseA, sseA, sseA},
		{"SSE-S3 stays", "s3", nil, nil, sseS3},
		{"SSE-S3 to SSE-C", "s3", sseB, sseB, sseB},
		{"SSE-C does not become plain", "a", sourceA, nil, sseS3},
		{"SSE-C to SSE-KMS", "a", with(sourceA, ssePhotos), nil, ssePhotos},
		{"SSE-C to another key", "a", with(sourceA, sseB), sseB, sseB},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.putWith("/photos/copy", "", with(test.header, headers{"x-amz-copy-source": "/photos/" + test.from})).
				want(t, 200).wantEncryption(t, test.told)
			if got := s.getWith("/photos/copy", test.read).want(t, 200).wantEncryption(t, test.told); got.body != "hello" {
				t.Errorf("%q", got.body)
			}
		})
	}
	t.Run("onto itself", func(t *testing.T) {
		source := headers{"x-amz-copy-source": "/photos/plain"}
		s.putWith("/photos/plain", "", source).wantError(t, 400, "InvalidRequest")
		s.putWith("/photos/plain", "", with(source, sseS3)).want(t, 200).wantEncryption(t, sseS3)
		if got := s.get("/photos/plain").want(t, 200).wantEncryption(t, sseS3); got.body != "hello" {
			t.Errorf("%q", got.body)
		}
	})
	// Without a key of its own the copy is not under the customer's: that is a change.
	t.Run("onto itself, from a customer's key", func(t *testing.T) {
		s.putWith("/photos/own", "hello", sseA).want(t, 200)
		s.putWith("/photos/own", "", with(sourceA, headers{"x-amz-copy-source": "/photos/own"})).want(t, 200).wantEncryption(t, sseS3)
		if got := s.get("/photos/own").want(t, 200).wantEncryption(t, sseS3); got.body != "hello" {
			t.Errorf("%q", got.body)
		}
	})
	t.Run("without the source's key", func(t *testing.T) {
		source := headers{"x-amz-copy-source": "/photos/a"}
		s.putWith("/photos/copy", "", source).wantError(t, 400, "InvalidRequest")
		s.putWith("/photos/copy", "", with(source, sseA)).wantError(t, 400, "InvalidRequest")
		other := customer("b", "x-amz-copy-source-server-side-encryption")
		s.putWith("/photos/copy", "", with(source, other)).wantError(t, 403, "AccessDenied")
	})
}

// An upload under a customer's key is not completed with another one, nor without one where the client chose a checksum.
func TestCompleteWithCustomerKey(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	for _, test := range []struct {
		name          string
		begin, finish headers
		status        int
	}{
		{"its key", sseA, sseA, 200},
		{"another key", sseA, sseB, 400},
		{"no key", sseA, nil, 200},
		{"no key, with a checksum", with(sseA, headers{"x-amz-checksum-algorithm": "CRC32"}), nil, 400},
		{"a key for nothing", nil, sseA, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := s.newUpload("/photos/k", test.begin)
			part := with(test.begin, headers{"x-amz-checksum-crc32": "NhCmhg=="})
			delete(part, "x-amz-checksum-algorithm")
			etag := s.putWith("/photos/k?partNumber=1&uploadId="+id, "hello", part).want(t, 200).header.Get("Etag")
			document := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag +
				"</ETag><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part></CompleteMultipartUpload>"
			s.do(call{method: http.MethodPost, path: "/photos/k?uploadId=" + id, body: document, header: test.finish}).want(t, test.status)
		})
	}
}

func TestBucketEncryption(t *testing.T) {
	s := newServer(t)
	s.bucket("photos")
	rule := func(inside string) string {
		return "<ServerSideEncryptionConfiguration><Rule>" + inside + "</Rule></ServerSideEncryptionConfiguration>"
	}
	apply := func(inside string) string {
		return "<ApplyServerSideEncryptionByDefault>" + inside + "</ApplyServerSideEncryptionByDefault>"
	}
	const path = "/photos?encryption"
	s.get(path).wantError(t, 404, "ServerSideEncryptionConfigurationNotFoundError")
	for _, test := range []struct {
		name, document string
		status         int
		code           string
	}{
		{"no document", "x", 400, "MalformedXML"},
		{"no rule", "<ServerSideEncryptionConfiguration/>", 400, "MalformedXML"},
		{"no default", rule(""), 400, "MalformedXML"},
		{"unknown", rule(apply("<SSEAlgorithm>rot13</SSEAlgorithm>")), 400, "MalformedXML"},
		{"a key for AES256", rule(apply("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>photos</KMSMasterKeyID>")), 400, "InvalidArgument"},
		{"unknown key", rule(apply("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>none</KMSMasterKeyID>")), 400, "KMS.NotFoundException"},
		{"two layers", rule(apply("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>")), 501, "NotImplemented"},
		{"blocked", rule(apply("<SSEAlgorithm>AES256</SSEAlgorithm>") +
			"<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>"), 501, "NotImplemented"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.putWith(path, test.document, nil).wantError(t, test.status, test.code)
			s.get(path).wantError(t, 404, "ServerSideEncryptionConfigurationNotFoundError")
		})
	}
	s.put("/photos/before", "x")

	s.putWith(path, rule(apply("<SSEAlgorithm>AES256</SSEAlgorithm>")), nil).want(t, 200)
	if got := s.get(path).want(t, 200).body; !strings.Contains(got, "<SSEAlgorithm>AES256</SSEAlgorithm>") {
		t.Error(got)
	}
	s.put("/photos/k", "x").wantEncryption(t, sseS3)
	s.get("/photos/before").want(t, 200).wantEncryption(t, nil)
	s.putWith("/photos/k", "x", sseA).want(t, 200).wantEncryption(t, sseA)

	s.putWith(path, rule(apply("<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>photos</KMSMasterKeyID>")+
		"<BucketKeyEnabled>true</BucketKeyEnabled>"), nil).want(t, 200)
	got := s.get(path).want(t, 200).body
	if !strings.Contains(got, "<KMSMasterKeyID>photos</KMSMasterKeyID>") ||
		!strings.Contains(got, "<BucketKeyEnabled>true</BucketKeyEnabled>") {
		t.Error(got)
	}
	s.put("/photos/k", "x").wantEncryption(t, ssePhotos)
	s.putWith("/photos/copy", "", headers{"x-amz-copy-source": "/photos/before"}).want(t, 200).wantEncryption(t, ssePhotos)
	s.do(call{method: http.MethodPost, path: "/photos/k?uploads"}).want(t, 200).wantEncryption(t, ssePhotos)
	s.putWith("/photos/k", "x", sseS3).want(t, 200).wantEncryption(t, sseS3)

	s.do(call{method: http.MethodDelete, path: path}).want(t, 204)
	s.get(path).wantError(t, 404, "ServerSideEncryptionConfigurationNotFoundError")
	s.put("/photos/k", "x").wantEncryption(t, nil)
	s.get("/photos/copy").want(t, 200).wantEncryption(t, ssePhotos)
	s.putWith("/photos/k?encryption", "x", nil).wantError(t, 501, "NotImplemented")
}
