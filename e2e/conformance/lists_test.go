package main

import (
	"slices"
	"strings"
	"testing"
)

// The lists that are part of the program must be in order: a run would refuse them.
func TestLists(t *testing.T) {
	t.Parallel()
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) { checkLists(t, s) })
	}
}

func checkLists(t *testing.T, s *suite) {
	tests, err := loadTests(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(tests) == 0 {
		t.Fatal("no test is in scope")
	}
	// The report has one row for a group, so a group's tests stand together.
	var groups []string
	for _, v := range tests {
		if n := len(groups); n > 0 && groups[n-1] == v.group {
			continue
		}
		if slices.Contains(groups, v.group) {
			t.Errorf("names: %s stands apart from the rest of its group %s", v.name, v.group)
		}
		groups = append(groups, v.group)
	}
}

func TestParseNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       []test
		wantErr    string
	}{
		{"empty", "", nil, ""},
		{
			"comments and blanks", "# a comment\n\nPut Put_a\n\t Put  Put_b versions \n", []test{
				{group: "Put", name: "Put_a"}, {group: "Put", name: "Put_b", versions: true},
			}, "",
		},
		{"no name", "Put Put_a\nPut\n", nil, `line 2: "Put" is not`},
		{"unknown mark", "Put Put_a slow\n", nil, "line 1:"},
		{"too many words", "Put Put_a versions too\n", nil, "line 1:"},
		{"twice", "Put Put_a\nGet Put_a\n", nil, "line 2: Put_a stands there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseNames(tt.file)
			if !errorIs(err, tt.wantErr) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if err == nil && !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParseReasons(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       []reason
		wantErr    string
	}{
		{"empty", "# nothing yet\n", nil, ""},
		{"two", "A_a why it fails\n\n# more\nA_b   so\n", []reason{{"A_a", "why it fails"}, {"A_b", "so"}}, ""},
		{"no reason", "A_a\n", nil, "line 1: A_a has no reason"},
		{"only spaces for a reason", "A_a   \n", nil, "line 1: A_a has no reason"},
		{"unsorted", "A_b x\nA_a x\n", nil, "line 2: A_a must stand before A_b"},
		{"twice", "A_a x\nA_a y\n", nil, "line 2: A_a must stand before A_a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseReasons(tt.file)
			if !errorIs(err, tt.wantErr) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if err == nil && !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	scope := []test{{group: "G", name: "G_a"}, {group: "G", name: "G_b"}}
	tests := []struct {
		name               string
		excluded, expected []reason
		want               []string // reasons, in order
		wantErr            string
	}{
		{"nothing expected", nil, nil, []string{"", ""}, ""},
		{"one expected", []reason{{"G_x", "why"}}, []reason{{"G_b", "so"}}, []string{"", "so"}, ""},
		{"in scope and excluded", []reason{{"G_a", "why"}}, nil, nil, "G_a is in scope and excluded"},
		{"expected but unknown", nil, []reason{{"G_c", "so"}}, nil, "G_c is expected to fail but not in scope"},
		{"expected but excluded", []reason{{"G_c", "why"}}, []reason{{"G_c", "so"}}, nil, "not in scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			joined, err := join(scope, tt.excluded, tt.expected)
			if !errorIs(err, tt.wantErr) {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			var got []string
			for _, v := range joined {
				got = append(got, v.reason)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("reasons %q, want %q", got, tt.want)
			}
		})
	}
}

// errorIs tells whether err contains want, or is nil where want is empty.
func errorIs(err error, want string) bool {
	if err == nil || want == "" {
		return err == nil && want == ""
	}
	return strings.Contains(err.Error(), want)
}
