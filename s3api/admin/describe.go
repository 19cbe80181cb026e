package admin

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// The description of the API, in OpenAPI 3.1: api.json says what it is and what all resources have in common, each other
// file describes a resource. https://spec.openapis.org/oas/v3.1.1
//
//go:embed openapi/*.json
var descriptions embed.FS

// describe puts the description together.
func describe() ([]byte, error) {
	names, err := fs.Glob(descriptions, "openapi/*.json")
	if err != nil {
		return nil, err
	}
	documents := make(map[string][]byte, len(names))
	for _, name := range names {
		if documents[path.Base(name)], err = descriptions.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return merge(documents)
}

// part is what a file has. Paths are told by their templates, components by their kind and their name.
type part struct {
	OpenAPI    string                                `json:"openapi,omitempty"`
	Info       json.RawMessage                       `json:"info,omitempty"`
	Servers    json.RawMessage                       `json:"servers,omitempty"`
	Security   json.RawMessage                       `json:"security,omitempty"`
	Tags       []json.RawMessage                     `json:"tags,omitempty"`
	Paths      map[string]json.RawMessage            `json:"paths,omitempty"`
	Components map[string]map[string]json.RawMessage `json:"components,omitempty"`
}

// merge makes one document of files. Each path and each component is in one of them only.
func merge(documents map[string][]byte) ([]byte, error) {
	whole := part{Paths: map[string]json.RawMessage{}, Components: map[string]map[string]json.RawMessage{}}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		var p part
		if err := json.Unmarshal(documents[name], &p); err != nil {
			return nil, fmt.Errorf("openapi/%s: %w", name, err)
		}
		if p.OpenAPI != "" {
			whole.OpenAPI, whole.Info, whole.Servers, whole.Security = p.OpenAPI, p.Info, p.Servers, p.Security
		}
		whole.Tags = append(whole.Tags, p.Tags...)
		if err := add(whole.Paths, p.Paths); err != nil {
			return nil, fmt.Errorf("openapi/%s: %w", name, err)
		}
		for kind, components := range p.Components {
			if whole.Components[kind] == nil {
				whole.Components[kind] = map[string]json.RawMessage{}
			}
			if err := add(whole.Components[kind], components); err != nil {
				return nil, fmt.Errorf("openapi/%s: %s: %w", name, kind, err)
			}
		}
	}
	return json.Marshal(whole)
}

func add(to, from map[string]json.RawMessage) error {
	for name, value := range from {
		if _, twice := to[name]; twice {
			return fmt.Errorf("%s is in another file as well", name)
		}
		to[name] = value
	}
	return nil
}
