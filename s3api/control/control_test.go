package control_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/plimsoll/plimsoll/s3api/control"
)

// TestReadSigned: nothing but the body that was signed is handed on.
func TestReadSigned(t *testing.T) {
	t.Parallel()
	largest := strings.Repeat("x", control.MaxBodyBytes)
	for _, test := range []struct {
		name, signed, sent, code string
	}{
		{"empty", "", "", ""},
		{"the largest", largest, largest, ""},
		{"one byte more", largest + "x", largest + "x", "EntityTooLarge"},
		{"another", "what was signed", "what is sent", "XAmzContentSHA256Mismatch"},
		{"the beginning", "what was signed", "what", "XAmzContentSHA256Mismatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sum := sha256.Sum256([]byte(test.signed))
			hash, err := control.PayloadHash(hex.EncodeToString(sum[:]))
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPut, "/", strings.NewReader(test.sent))
			body, err := control.ReadSigned(httptest.NewRecorder(), r, hash)
			if code := codeOf(err); code != test.code || (code == "" && string(body) != test.sent) || (code != "" && body != nil) {
				t.Errorf("code %q, want %q, with %d bytes", code, test.code, len(body))
			}
		})
	}
	r := httptest.NewRequest(http.MethodPut, "/", iotest.ErrReader(errors.New("reset")))
	if _, err := control.ReadSigned(httptest.NewRecorder(), r, make([]byte, sha256.Size)); codeOf(err) != "IncompleteBody" {
		t.Errorf("a body that breaks off: %v", err)
	}
	for _, payload := range []string{"", "UNSIGNED-PAYLOAD", "00", strings.Repeat("0", 66)} {
		if hash, err := control.PayloadHash(payload); codeOf(err) != "InvalidRequest" || hash != nil {
			t.Errorf("payload %q: %x, %v", payload, hash, err)
		}
	}
}

func codeOf(err error) string {
	var refusal *control.Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return refusal.Code
	}
	return err.Error()
}

// TestAnswer looks at the headers of an answer with and without a body.
func TestAnswer(t *testing.T) {
	t.Parallel()
	send := func(status int, contentType, body string) http.Header {
		w := httptest.NewRecorder()
		end := control.Begin(w, "ID")
		control.Send(w, status, contentType, []byte(body))
		end()
		if w.Code != status || w.Body.String() != body {
			t.Errorf("answered %d %q", w.Code, w.Body)
		}
		return w.Header()
	}
	for status, want := range map[int]string{http.StatusOK: "2", http.StatusNoContent: ""} {
		contentType, body := "text/plain", "OK"
		if want == "" {
			contentType, body = "", ""
		}
		h := send(status, contentType, body)
		if h.Get("Content-Length") != want || h.Get("Content-Type") != contentType ||
			h.Get("X-Amz-Request-Id") != "ID" || h.Get("Server") != "Plimsoll" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("status %d: %v", status, h)
		}
	}
}

func TestClaimedKey(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "", "Bearer x": "", "AWS4-HMAC-SHA256 Credential=": "",
		"AWS4-HMAC-SHA256 Credential=KEY/20260501/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0": "KEY",
		"AWS4-HMAC-SHA256 SignedHeaders=host,Credential=KEY//s3/aws4_request,Signature=0":                     "KEY",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		if got := control.ClaimedKey(r); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
