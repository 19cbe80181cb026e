package cors

import (
	"errors"
	"reflect"
	"testing"
)

func TestMatch(t *testing.T) {
	c := Configuration{Rules: []Rule{
		{ID: "one", Origins: []string{"https://www.example.com"}, Methods: []string{"PUT"}, Headers: []string{"x-amz-*", "Content-Type"}},
		{ID: "sub", Origins: []string{"https://*.example.com"}, Methods: []string{"GET", "HEAD"}},
		{ID: "all", Origins: []string{"*"}, Methods: []string{"DELETE"}, Headers: []string{"*"}},
	}}
	tests := []struct {
		name, origin, method string
		headers              []string
		want                 string
	}{
		{"exact", "https://www.example.com", "PUT", nil, "one"},
		{"headers in any case", "https://www.example.com", "PUT", []string{"X-Amz-Date", "content-type"}, "one"},
		{"a header too many", "https://www.example.com", "PUT", []string{"X-Amz-Date", "x-other"}, ""},
		{"wildcard", "https://a.example.com", "GET", nil, "sub"},
		{"the wildcard needs its dot", "https://example.com", "GET", nil, ""},
		{"wildcard does not reach over the end", "https://a.example.com.evil", "GET", nil, ""},
		{"no headers allowed", "https://a.example.com", "GET", []string{"range"}, ""},
		{"scheme counts", "http://www.example.com", "PUT", nil, ""},
		{"anyone", "null", "DELETE", []string{"anything"}, "all"},
		{"method", "https://www.example.com", "POST", nil, ""},
		{"overlapping ends", "https://.example.co", "GET", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if r, ok := c.Match(test.origin, test.method, test.headers); ok {
				got = r.ID
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if c.Rules[0].AnyOrigin() || !c.Rules[2].AnyOrigin() {
		t.Error("AnyOrigin")
	}
}

func TestValidate(t *testing.T) {
	age, negative := 5, -1
	good := Rule{Origins: []string{"http://*"}, Methods: Methods, Headers: []string{"x-*"}, Expose: []string{"ETag"}, MaxAgeSeconds: &age}
	old := good
	old.MaxAgeSeconds = &negative // S3 takes it
	if err := (&Configuration{Rules: []Rule{good, old}}).Validate(); err != nil {
		t.Error(err)
	}
	many := make([]Rule, MaxRules+1)
	for i := range many {
		many[i] = good
	}
	change := func(f func(*Rule)) []Rule {
		r := good
		f(&r)
		return []Rule{r}
	}
	for name, test := range map[string]struct {
		rules []Rule
		want  error
	}{
		"none":            {nil, ErrRules},
		"too many":        {many, ErrRules},
		"no method":       {change(func(r *Rule) { r.Methods = nil }), ErrRules},
		"empty method":    {change(func(r *Rule) { r.Methods = []string{""} }), ErrMethod},
		"header":          {change(func(r *Rule) { r.Headers = []string{"a b"} }), ErrCharacter},
		"exposed header":  {change(func(r *Rule) { r.Expose = []string{"a:b"} }), ErrCharacter},
		"PATCH":           {change(func(r *Rule) { r.Methods = []string{"PATCH"} }), ErrMethod},
		"lower case":      {change(func(r *Rule) { r.Methods = []string{"get"} }), ErrMethod},
		"no origin":       {change(func(r *Rule) { r.Origins = nil }), ErrOrigin},
		"two wildcards":   {change(func(r *Rule) { r.Origins = []string{"*.*"} }), ErrOrigin},
		"header wildcard": {change(func(r *Rule) { r.Headers = []string{"*-*"} }), ErrHeader},
		"exposes all":     {change(func(r *Rule) { r.Expose = []string{"*"} }), ErrExpose},
	} {
		if err := (&Configuration{Rules: test.rules}).Validate(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMarshal(t *testing.T) {
	age := 0
	c := &Configuration{Rules: []Rule{{ID: "r", Origins: []string{"*"}, Methods: []string{"GET"}, MaxAgeSeconds: &age}}}
	if got, err := Unmarshal(c.Marshal()); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Unmarshal([]byte("<xml/>")); err == nil {
		t.Error("XML is taken")
	}
}
