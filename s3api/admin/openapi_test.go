package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/plimsoll/plimsoll/s3api/admin"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// description is the API's description, as a server without anything tells it, loaded once for all tests.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	recorder := newRecorder()
	r, err := http.NewRequest(http.MethodGet, adminapi.Prefix+"openapi.json", nil)
	if err != nil {
		return nil, err
	}
	admin.New(admin.Config{}).ServeHTTP(recorder, r)
	return openapi3.NewLoader().LoadFromData(recorder.body.Bytes())
})

// recorder is a http.ResponseWriter that keeps the body.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func newRecorder() *recorder                          { return &recorder{header: make(http.Header)} }
func (r *recorder) Header() http.Header               { return r.header }
func (r *recorder) WriteHeader(int)                   {}
func (r *recorder) Write(p []byte) (n int, err error) { return r.body.Write(p) }

func mustDescribe(t *testing.T) *openapi3.T {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// conform holds a request and its answer against the description.
func conform(t *testing.T, r *http.Request, body []byte, got answer) {
	t.Helper()
	if err := conforms(mustDescribe(t), r, body, got); err != nil {
		t.Errorf("%s %s, answered %d %.500s: %v", r.Method, r.URL, got.status, got.body, err)
	}
}

// conforms says what of a request and its answer is not as it is described. A request that was accepted must be
// described, and every answer, refusals too. What is sent to no resource, or with a method that one does not have, is
// described by nothing.
func conforms(d *openapi3.T, r *http.Request, body []byte, got answer) error {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), strings.TrimSuffix(adminapi.Prefix, "/"))
	if !ok {
		return nil
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	template, parameters := findPath(d, path)
	var operation *openapi3.Operation
	if template != "" {
		operation = d.Paths.Value(template).GetOperation(method)
	}
	switch {
	case operation == nil && got.status/100 == 2:
		return errors.New("it is not described")
	case operation == nil:
		return nil
	}
	sent := r.Clone(context.Background())
	sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	sent.Header.Set("Content-Type", "application/json")
	input := &openapi3filter.RequestValidationInput{
		Request: sent, PathParams: parameters,
		Route: &routers.Route{
			Spec: d, Path: template, PathItem: d.Paths.Value(template), Method: method, Operation: operation,
		},
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
		},
	}
	if got.status/100 == 2 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("the request is accepted, and described otherwise: %w", err)
		}
	}
	if r.Method == http.MethodHead {
		return nil // it has no body
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Options: input.Options,
	}
	response.SetBodyBytes(got.body)
	return openapi3filter.ValidateResponse(context.Background(), response)
}

// findPath finds the template of a path, and the values of its parameters. One without parameters goes first.
func findPath(d *openapi3.T, path string) (template string, parameters map[string]string) {
	have := strings.Split(path, "/")
	for _, candidate := range d.Paths.InMatchingOrder() {
		want := strings.Split(candidate, "/")
		if len(want) != len(have) {
			continue
		}
		values := map[string]string{}
		matches := true
		for i := range want {
			if name, ok := strings.CutPrefix(want[i], "{"); ok && have[i] != "" {
				values[strings.TrimSuffix(name, "}")] = have[i]
			} else if want[i] != have[i] {
				matches = false
			}
		}
		if matches && (template == "" || len(values) < len(parameters)) {
			template, parameters = candidate, values
		}
	}
	return template, parameters
}

// TestDescription: it is OpenAPI 3.1, and says of every method of every resource of the table what it does, and of
// nothing else.
func TestDescription(t *testing.T) {
	d := mustDescribe(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("it is OpenAPI %s", d.OpenAPI)
	}
	if err := d.Validate(t.Context()); err != nil {
		t.Errorf("it is not valid: %v", err)
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	var described []string
	ids := map[string]string{}
	tags := map[string]bool{}
	for _, tag := range d.Tags {
		tags[tag.Name] = true
	}
	for path, item := range d.Paths.Map() {
		for method, operation := range item.Operations() {
			what := method + " " + strings.TrimPrefix(parameter.ReplaceAllString(path, "{}"), "/")
			described = append(described, what)
			if other := ids[operation.OperationID]; other != "" || operation.OperationID == "" {
				t.Errorf("%s has the operation id %q of %s", what, operation.OperationID, other)
			}
			ids[operation.OperationID] = what
			if operation.Summary == "" || len(operation.Tags) != 1 || !tags[operation.Tags[0]] {
				t.Errorf("%s: summary %q, tags %q", what, operation.Summary, operation.Tags)
			}
			if operation.Responses.Default() == nil {
				t.Errorf("%s does not say what a refusal looks like", what)
			}
		}
	}
	slices.Sort(described)
	have := admin.New(admin.Config{}).Described()
	for _, what := range have {
		if !slices.Contains(described, what) {
			t.Errorf("%s is not described: add it to a file of openapi/", what)
		}
	}
	for _, what := range described {
		if !slices.Contains(have, what) {
			t.Errorf("%s is described and does not exist", what)
		}
	}
}

// It is told without credentials: it says nothing of the server, and tools need it before they have any.
func TestDescriptionIsPublic(t *testing.T) {
	f := newFixture(t)
	path := adminapi.Prefix + "openapi.json"
	got := f.do(f.request(http.MethodGet, path, ""))
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" ||
		!bytes.Contains(got.body, []byte(`"openapi":"3.1.`)) {
		t.Errorf("%d %s %.100s", got.status, got.header, got.body)
	}
	f.refused(f.request(http.MethodPut, path, ""), http.StatusMethodNotAllowed, "MethodNotAllowed")
	f.refused(f.request(http.MethodGet, path+"/", ""), http.StatusUnauthorized, "AccessDenied")
}

// TestConformance shows that conforms can fail.
func TestConformance(t *testing.T) {
	f := newFixture(t)
	got := f.do(f.signed(http.MethodGet, "quotas/server", ""))
	for name, spoil := range map[string]func(*answer){
		"a status that is not described": func(a *answer) { a.status = http.StatusAccepted },
		"a field that is missing":        func(a *answer) { a.body = bytes.Replace(a.body, []byte(`"scope"`), []byte(`"s"`), 1) },
		"a field of another type":        func(a *answer) { a.body = bytes.Replace(a.body, []byte(`"server"`), []byte(`1`), 1) },
		"another media type":             func(a *answer) { a.header.Set("Content-Type", "text/plain") },
		"no ETag":                        func(a *answer) { a.header.Set("ETag", "W/none") },
	} {
		spoilt := answer{got.status, got.header.Clone(), bytes.Clone(got.body)}
		spoil(&spoilt)
		if conforms(mustDescribe(t), f.signed(http.MethodGet, "quotas/server", ""), nil, spoilt) == nil {
			t.Errorf("%s goes unnoticed", name)
		}
	}
	r := f.signed(http.MethodPatch, "quotas/server", "")
	if conforms(mustDescribe(t), r, []byte(`{"max_byte":1}`), got) == nil {
		t.Error("a request that is not described goes unnoticed")
	}
	if conforms(mustDescribe(t), f.signed(http.MethodPost, "quotas/server", ""), nil, got) == nil {
		t.Error("a method that is not described goes unnoticed")
	}
}

func TestMerge(t *testing.T) {
	for name, second := range map[string]string{
		"a path twice":      `{"paths": {"/a": {}}}`,
		"a component twice": `{"components": {"schemas": {"A": {}}}}`,
		"not JSON":          `{`,
	} {
		_, err := admin.Merge(map[string][]byte{
			"a.json": []byte(`{"paths": {"/a": {}}, "components": {"schemas": {"A": {}}}}`), "b.json": []byte(second),
		})
		if err == nil || !strings.Contains(err.Error(), "b.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
