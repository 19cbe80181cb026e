package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// newHTTPClient returns a client with connections of its own that trusts the roots, or the system's where nil.
func newHTTPClient(roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots},
		ExpectContinueTimeout: 10 * time.Second,
		MaxIdleConnsPerHost:   64,
		DisableCompression:    true,
	}}
}

// sdk returns an aws-sdk-go-v2 client in its default configuration, but for where the server is. Path style is what a
// server without a domain needs.
func (s *server) sdk(options ...func(*s3.Options)) *s3.Client {
	s.t.Helper()
	cfg, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")))
	if err != nil {
		s.t.Fatal(err)
	}
	base := func(o *s3.Options) {
		o.BaseEndpoint = aws.String(s.endpoint)
		o.UsePathStyle = true
		o.DisableLogOutputChecksumValidationSkipped = true // only the log line about it
	}
	return s3.NewFromConfig(cfg, append([]func(*s3.Options){base}, options...)...)
}

// bucket creates a bucket through the SDK.
func (s *server) bucket(name string) string {
	s.t.Helper()
	_, err := s.sdk().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &name})
	if err != nil {
		s.t.Fatalf("create bucket %s: %v", name, err)
	}
	return name
}

// code returns an SDK error's code, and "" for success.
func code(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	default:
		return "not an API error: " + err.Error()
	}
}

// wantCode fails the test unless the error has the code.
func wantCode(t testing.TB, what string, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("%s: code %q, want %q (%v)", what, got, want, err)
	}
}

// request is a request that the test signs itself, for what SDKs do not send.
type request struct {
	method, path string // the path as on the wire, with its query
	host         string // where it differs from the endpoint's
	header       map[string]string
	body         []byte
	unsigned     bool
	accessKey    string        // the server's unless set
	secret       string        // the server's unless set
	skew         time.Duration // of the client's clock
	payloadHash  string        // the body's unless set
}

// answer is a response with its body read and, if it is an error of S3, parsed.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    s3Error
	closes bool // the connection ends with it; set by receive
}

// s3Error is the error document of S3 with the elements that the tests look at.
type s3Error struct {
	XMLName         xml.Name
	Code            string
	Message         string
	Resource        string
	RequestID       string `xml:"RequestId"`
	HostID          string `xml:"HostId"`
	Scope           string
	QuotaTotal      int64
	QuotaUsed       int64
	QuotaAvailable  int64
	QuotaRequested  int64
	SuggestedAction string
}

// build makes the signed http.Request.
func (s *server) build(rq request) *http.Request {
	s.t.Helper()
	path, query, _ := strings.Cut(rq.path, "?")
	unescaped, err := url.PathUnescape(path)
	if err != nil {
		unescaped = path
	}
	target, err := url.Parse(s.endpoint)
	if err != nil {
		s.t.Fatal(err)
	}
	target.Path, target.RawPath, target.RawQuery = unescaped, path, query
	r := &http.Request{
		Method: rq.method, URL: target, Host: target.Host, Header: make(http.Header),
		Body: io.NopCloser(bytes.NewReader(rq.body)), ContentLength: int64(len(rq.body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(rq.body)), nil },
	}
	if len(rq.body) == 0 {
		r.Body, r.GetBody = http.NoBody, nil
	}
	if rq.host != "" {
		r.Host = rq.host
	}
	for name, value := range rq.header {
		r.Header.Set(name, value)
	}
	if rq.unsigned {
		return r
	}
	hash := rq.payloadHash
	if hash == "" {
		sum := sha256.Sum256(rq.body)
		hash = hex.EncodeToString(sum[:])
	}
	id, secret := accessKey, secretKey
	if rq.accessKey != "" {
		id = rq.accessKey
	}
	if rq.secret != "" {
		secret = rq.secret
	}
	sigv4.Sign(r, id, secret, region, hash, time.Now().Add(rq.skew))
	return r
}

// send builds, sends and reads. Errors of the connection fail the test: a server must answer.
func (s *server) send(rq request) answer {
	s.t.Helper()
	response, err := s.http.Do(s.build(rq))
	if err != nil {
		s.t.Fatalf("%s %s: %v", rq.method, rq.path, err)
	}
	return s.read(response)
}

func (s *server) read(response *http.Response) answer {
	s.t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("reading the answer %s: %v", response.Status, err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	if a.status >= 300 && strings.Contains(response.Header.Get("Content-Type"), "xml") {
		if err := xml.Unmarshal(body, &a.err); err != nil {
			s.t.Errorf("the error document does not parse: %v\n%s", err, body)
		}
	}
	return a
}

// receive reads an answer off a connection that the test wrote to itself.
func (s *server) receive(from *bufio.Reader) (answer, error) {
	s.t.Helper()
	response, err := http.ReadResponse(from, nil)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := s.read(response)
	a.closes = response.Close
	return a, nil
}

// want fails the test unless the answer has the status and, for an error with a body, the code.
func (a answer) want(t testing.TB, what string, status int, code string) {
	t.Helper()
	if a.status != status || a.err.Code != code {
		t.Errorf("%s: %d %s, want %d %s\n%s", what, a.status, a.err.Code, status, code, a.body)
		return
	}
	if code != "" && (a.err.RequestID == "" || a.err.RequestID != a.header.Get("X-Amz-Request-Id") || a.err.Message == "" ||
		a.err.HostID == "") {
		t.Errorf("%s: the error has no message, or not the request id of its header: %s", what, a.body)
	}
}

// require skips the test, or fails it where clients are required, if a client is missing.
func require(t testing.TB, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		// "go install" puts programs where not every shell looks for them.
		if gopath, e := exec.Command("go", "env", "GOPATH").Output(); e == nil {
			path, err = exec.LookPath(filepath.Join(strings.TrimSpace(string(gopath)), "bin", tool))
		}
	}
	if err != nil {
		missing(t, tool+" is not installed")
	}
	return path
}

// missing skips the test for want of a client, unless clients are required.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("PLIMSOLL_REQUIRE_CLIENTS") == "1" {
		t.Fatalf("%s, and PLIMSOLL_REQUIRE_CLIENTS=1", why)
	}
	t.Skip(why + "; .ci/run installs it")
}

// tool is a client program with the environment it runs in.
type tool struct {
	t    testing.TB
	path string
	args []string // before all others
	env  []string
	dir  string
}

// client returns an installed program that finds the server and its keys in the environment, as the AWS tools do.
func (s *server) client(name string, args ...string) *tool {
	s.t.Helper()
	return &tool{
		t: s.t, path: require(s.t, name), args: args, dir: s.t.TempDir(),
		env: append(os.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey,
			"AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_ENDPOINT_URL="+s.endpoint, "AWS_PAGER="),
	}
}

// try runs the program and returns what it prints on both streams.
func (c *tool) try(args ...string) (string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, c.path, append(c.args[:len(c.args):len(c.args)], args...)...)
	command.Env, command.Dir = c.env, c.dir
	out, err := command.CombinedOutput()
	return string(out), err
}

// run is try for what must succeed.
func (c *tool) run(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", filepath.Base(c.path), strings.Join(args, " "), err, out)
	}
	return out
}

// file writes a file of random bytes into the program's directory.
func (c *tool) file(name string, data []byte) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// same fails the test unless a file in the program's directory has these bytes.
func (c *tool) same(name string, want []byte) {
	c.t.Helper()
	got, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Error(err)
	} else if !bytes.Equal(got, want) {
		c.t.Errorf("%s: %d bytes that differ from the %d that were stored", name, len(got), len(want))
	}
}

// random returns n bytes, the same for the same seed.
func random(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	data := make([]byte, n)
	_, _ = mathrand.NewChaCha8(key).Read(data) // never fails
	return data
}

// certificate makes a self-signed certificate for the loopback addresses and returns its files and pool.
func certificate(t testing.TB) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "plimsoll e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, certPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}

// startTLS is start over https. It returns the file of the certificate, for clients to trust.
func startTLS(t testing.TB, flags ...string) (s *server, certFile string) {
	t.Helper()
	certFile, keyFile, roots := certificate(t)
	s = startWith(t, newHTTPClient(roots), append([]string{"--tls-cert", certFile, "--tls-key", keyFile}, flags...)...)
	return s, certFile
}
