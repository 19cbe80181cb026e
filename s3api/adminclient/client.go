// Package adminclient talks to a Plimsoll server's admin API, which package adminapi describes. It is what the command
// line of Plimsoll uses. Beside the standard library it needs packages of this module only.
//
// Sizes are bytes; a limit of 0 is no limit. Buckets, limits, users, keys, policies and webhooks have an ETag, by which a
// change can be made only if nobody else has made one in between: see Client.IfMatch.
//
// A Client may be used concurrently. Its methods return *Problem where the server refused; any other error means that
// the server was not reached, or that what answered is not a Plimsoll server. Nothing is retried: every call is safe to
// send again but CreateKey, RotateKey and CreateReport, which would make another key or report, TestWebhook, which would
// send another event, and those that make or remove something by name, whose second answer would differ.
package adminclient

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// Problem is a refusal by the server; Code tells them apart.
type Problem = adminapi.Problem

// maxAnswerBytes bounds what is read of an answer: some 100,000 buckets.
const maxAnswerBytes = 64 << 20

// plainToTLS is what a server of net/http answers to a request without TLS where it wants one.
const plainToTLS = "Client sent an HTTP request to an HTTPS server"

// Client is a client for one server.
type Client struct {
	endpoint             string // without a slash at the end
	accessKey, secretKey string
	region               string
	ifMatch              string // see IfMatch
	http                 *http.Client
}

// New returns a client for the server at endpoint, such as http://127.0.0.1:9000; a path is not allowed. The keys and
// the region are those of the server. A nil httpClient means http.DefaultClient.
func New(endpoint, accessKey, secretKey, region string, httpClient *http.Client) (*Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
		strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not an endpoint such as http://127.0.0.1:9000", endpoint)
	}
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	return &Client{
		endpoint: u.Scheme + "://" + u.Host, accessKey: accessKey, secretKey: secretKey, region: region, http: httpClient,
	}, nil
}

// IfMatch returns a client whose changes are made only to what has this ETag still. The Problem PreconditionFailed says
// that it is another by then, and that nothing was changed:
//
//	account, err := client.Quota(ctx, scope)
//	// decide
//	account, err = client.IfMatch(account.ETag).ChangeQuota(ctx, scope, limit)
//
// It is for one change: after that the ETag is another. An ETag that a method is given goes before it.
func (c *Client) IfMatch(etag string) *Client {
	conditional := *c
	conditional.ifMatch = etag
	return &conditional
}

// Overview returns what is stored in all.
func (c *Client) Overview(ctx context.Context) (adminapi.Overview, error) {
	return get[adminapi.Overview](ctx, c, "usage")
}

// Usage returns what a bucket holds and may hold.
func (c *Client) Usage(ctx context.Context, bucket string) (adminapi.Account, error) {
	if bucket == "" {
		return adminapi.Account{}, errNoName
	}
	return get[adminapi.Account](ctx, c, "usage/"+url.PathEscape(bucket))
}

// OwnerUsage returns what all buckets of a user hold and may hold. Everyone may ask for themselves.
func (c *Client) OwnerUsage(ctx context.Context, user string) (adminapi.Account, error) {
	return at[adminapi.Account](ctx, c, request{method: http.MethodGet}, "usage", "owners", user)
}

// Quotas returns the limits that are set.
func (c *Client) Quotas(ctx context.Context) (adminapi.Quotas, error) {
	return get[adminapi.Quotas](ctx, c, "quotas")
}

// Quota returns the limit of a bucket, of a prefix, of an owner or of the server, and what it holds.
func (c *Client) Quota(ctx context.Context, scope quota.Scope) (adminapi.Account, error) {
	path, err := quotaPath(scope)
	if err != nil {
		return adminapi.Account{}, err
	}
	return get[adminapi.Account](ctx, c, path)
}

// ChangeQuota sets the figures of a limit that are not nil; 0 removes one.
func (c *Client) ChangeQuota(ctx context.Context, scope quota.Scope, limit adminapi.Limit) (adminapi.Account, error) {
	return c.setQuota(ctx, http.MethodPatch, scope, limit)
}

// ReplaceQuota sets a limit; a figure that is nil is no limit.
func (c *Client) ReplaceQuota(ctx context.Context, scope quota.Scope, limit adminapi.Limit) (adminapi.Account, error) {
	return c.setQuota(ctx, http.MethodPut, scope, limit)
}

func (c *Client) setQuota(
	ctx context.Context, method string, scope quota.Scope, limit adminapi.Limit,
) (account adminapi.Account, err error) {
	path, err := quotaPath(scope)
	if err != nil {
		return account, err
	}
	err = c.do(ctx, method, path, limit, &account)
	return account, err
}

// ClearQuota removes a limit.
func (c *Client) ClearQuota(ctx context.Context, scope quota.Scope) error {
	path, err := quotaPath(scope)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

// Prefixes returns the prefixes of a bucket that have limits.
func (c *Client) Prefixes(ctx context.Context, bucket string) ([]adminapi.Account, error) {
	if bucket == "" {
		return nil, errNoName
	}
	all, err := get[adminapi.Prefixes](ctx, c, "quotas/buckets/"+url.PathEscape(bucket)+"/prefixes")
	return all.Prefixes, err
}

// Defaults returns the limits that new buckets and new users get.
func (c *Client) Defaults(ctx context.Context) (adminapi.Defaults, error) {
	return get[adminapi.Defaults](ctx, c, "quotas/defaults")
}

// ChangeDefault sets the figures of the limit of new buckets, or of new users, that are not nil; 0 removes one. kind is
// quota.Bucket or quota.Owner.
func (c *Client) ChangeDefault(
	ctx context.Context, kind quota.ScopeKind, limit adminapi.Limit,
) (changed adminapi.DefaultLimit, err error) {
	path, err := defaultPath(kind)
	if err == nil {
		err = c.do(ctx, http.MethodPatch, path, limit, &changed)
	}
	return changed, err
}

// ClearDefault removes the limit of new buckets, or of new users.
func (c *Client) ClearDefault(ctx context.Context, kind quota.ScopeKind) error {
	path, err := defaultPath(kind)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

func defaultPath(kind quota.ScopeKind) (string, error) {
	switch kind {
	case quota.Bucket:
		return "quotas/defaults/buckets", nil
	case quota.Owner:
		return "quotas/defaults/owners", nil
	default:
		return "", fmt.Errorf("%q has no default limit", kind)
	}
}

// QuotaQuestion is what CheckQuota asks about.
type QuotaQuestion struct {
	Bucket string
	// Key is where it would be put; empty for nowhere in particular.
	Key string
	// Bytes is how much it would be. Objects is how many new objects; 0 for one, in the place of what is under Key.
	Bytes, Objects int64
}

// CheckQuota asks whether something would fit now.
func (c *Client) CheckQuota(ctx context.Context, q QuotaQuestion) (adminapi.QuotaCheck, error) {
	if q.Bucket == "" {
		return adminapi.QuotaCheck{}, errNoName
	}
	query := url.Values{"bucket": {q.Bucket}, "bytes": {strconv.FormatInt(q.Bytes, 10)}}
	if q.Key != "" {
		query.Set("key", q.Key)
	}
	if q.Objects != 0 {
		query.Set("objects", strconv.FormatInt(q.Objects, 10))
	}
	// A space as %20, as it is signed.
	return get[adminapi.QuotaCheck](ctx, c, "quotas/check?"+strings.ReplaceAll(query.Encode(), "+", "%20"))
}

// Buckets returns all buckets by name.
func (c *Client) Buckets(ctx context.Context) ([]adminapi.Bucket, error) {
	all, err := get[adminapi.Buckets](ctx, c, "buckets")
	return all.Buckets, err
}

// Bucket returns a bucket.
func (c *Client) Bucket(ctx context.Context, name string) (adminapi.Bucket, error) {
	if name == "" {
		return adminapi.Bucket{}, errNoName
	}
	return get[adminapi.Bucket](ctx, c, "buckets/"+url.PathEscape(name))
}

// CreateBucket makes a bucket with a limit, which may be empty. The Problem BucketAlreadyExists says that there is one.
func (c *Client) CreateBucket(
	ctx context.Context, name string, limit adminapi.Limit,
) (account adminapi.Account, err error) {
	if name == "" {
		return account, errNoName
	}
	err = c.do(ctx, http.MethodPut, "buckets/"+url.PathEscape(name), limit, &account)
	account.ETag = "" // it is the bucket's
	return account, err
}

// DeleteBucket removes a bucket that holds no objects; its unfinished uploads are aborted. The Problem BucketNotEmpty
// says that it holds some.
func (c *Client) DeleteBucket(ctx context.Context, name string) error {
	if name == "" {
		return errNoName
	}
	return c.do(ctx, http.MethodDelete, "buckets/"+url.PathEscape(name), nil, nil)
}

var errNoName = errors.New("the bucket's name is empty")

func quotaPath(scope quota.Scope) (string, error) {
	if scope.Kind == quota.Prefix && scope.Name != "" && scope.Prefix != "" {
		return "quotas/buckets/" + url.PathEscape(scope.Name) + "/prefixes/" + url.PathEscape(scope.Prefix), nil
	}
	return scopePath("quotas", scope)
}

// scopePath returns the path of a resource that each scope has but for prefixes.
func scopePath(resource string, scope quota.Scope) (string, error) {
	switch {
	case scope == quota.ServerScope:
		return resource + "/server", nil
	case scope.Kind == quota.Bucket && scope.Name != "":
		return resource + "/buckets/" + url.PathEscape(scope.Name), nil
	case scope.Kind == quota.Bucket:
		return "", errNoName
	case scope.Kind == quota.Owner:
		return named(resource, "owners", scope.Name)
	default:
		return "", fmt.Errorf("%s has no %s", scope, resource)
	}
}

func get[T any](ctx context.Context, c *Client, path string) (answer T, err error) {
	err = c.do(ctx, http.MethodGet, path, nil, &answer)
	return answer, err
}

// at sends a request to a path of words and names, and returns the answer.
func at[T any](ctx context.Context, c *Client, rq request, segments ...string) (answer T, err error) {
	if rq.path, err = named(segments...); err != nil {
		return answer, err
	}
	rq.answer = &answer
	_, err = c.send(ctx, rq)
	return answer, err
}

// do sends a request with body as JSON, if it is not nil, and reads the answer into answer, if that is not nil.
func (c *Client) do(ctx context.Context, method, path string, body, answer any) error {
	_, err := c.send(ctx, request{method: method, path: path, body: body, answer: answer})
	return err
}

// request is one request.
type request struct {
	method, path string
	// body is sent as JSON, if it is not nil; raw as it is, if that is not nil.
	body any
	raw  []byte
	// ifMatch is the ETag that must be there; empty for any, NoPolicy for none.
	ifMatch string
	// answer is what the answer is read into, if it is not nil.
	answer any
}

// build returns the request, signed.
func (c *Client) build(ctx context.Context, rq request) (*http.Request, error) {
	if rq.body != nil {
		var err error
		if rq.raw, err = json.Marshal(rq.body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, rq.method, c.endpoint+adminapi.Prefix+rq.path, bytes.NewReader(rq.raw))
	if err != nil {
		return nil, err
	}
	if rq.raw != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	ifMatch := rq.ifMatch
	if rq.method != http.MethodGet {
		ifMatch = cmp.Or(ifMatch, c.ifMatch)
	}
	switch ifMatch {
	case "":
	case NoPolicy:
		request.Header.Set("If-None-Match", "*")
	default:
		request.Header.Set("If-Match", ifMatch)
	}
	sum := sha256.Sum256(rq.raw)
	sigv4.Sign(request, c.accessKey, c.secretKey, c.region, hex.EncodeToString(sum[:]), time.Now())
	return request, nil
}

// send sends a request, reads the answer, and returns its ETag.
func (c *Client) send(ctx context.Context, rq request) (etag string, err error) {
	request, err := c.build(ctx, rq)
	if err != nil {
		return "", err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written to it
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return "", fmt.Errorf("read the answer of %s: %w", c.endpoint, err)
	}
	etag = response.Header.Get("ETag")
	err = c.read(response, content, rq.answer)
	switch answer := rq.answer.(type) {
	case *adminapi.Account:
		answer.ETag = etag
	case *adminapi.Bucket:
		answer.ETag = etag
	case *adminapi.Key:
		answer.ETag = etag
	case *adminapi.CreatedKey:
		answer.ETag = etag
	case *adminapi.User:
		answer.ETag = etag
	case *adminapi.Webhook:
		answer.ETag = etag
	case *adminapi.CreatedWebhook:
		answer.ETag = etag
	}
	return etag, err
}

// read turns an answer into what was asked for, or a *Problem.
func (c *Client) read(response *http.Response, content []byte, answer any) error {
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if mediaType == adminapi.ProblemContentType {
		p := new(Problem)
		if err := json.Unmarshal(content, p); err != nil {
			return fmt.Errorf("the problem that %s answered with is not JSON: %w", c.endpoint, err)
		}
		return p
	}
	if response.StatusCode == http.StatusBadRequest && bytes.HasPrefix(content, []byte(plainToTLS)) {
		return fmt.Errorf("%s is a server for https: begin its URL with that", c.endpoint)
	}
	if response.StatusCode/100 != 2 || (answer != nil && mediaType != "application/json") {
		return fmt.Errorf("%s answers %s, and not as a Plimsoll server does", c.endpoint, response.Status)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return fmt.Errorf("the answer of %s is not what was asked for: %w", c.endpoint, err)
	}
	return nil
}
