package admin

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// Described returns what a description must have: "GET users/{}" for every method of every resource of the admin API.
func (h *Handler) Described() []string {
	var all []string
	for _, t := range h.routes {
		path, ok := strings.CutPrefix("/"+strings.Join(t.path, "/"), adminapi.Prefix)
		if !ok {
			continue
		}
		for _, method := range slices.Sorted(maps.Keys(t.methods)) {
			all = append(all, method+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// Handle adds a resource for tests.
func (h *Handler) Handle(path string, answers map[string]func(http.ResponseWriter, *http.Request) error) {
	m := methods{}
	for method, answer := range answers {
		m[method] = func(rq *request) error { return answer(rq.w, rq.r) }
	}
	full := strings.TrimPrefix(adminapi.Prefix, "/") + path
	h.routes = append(h.routes, route{path: strings.Split(full, "/"), methods: m})
}

// Merge is merge.
var Merge = merge

// Problem is what an error becomes.
func Problem(err error) *adminapi.Problem { return new(request).toProblem(err) }
