package event

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	rules := &Rules{Rules: []Rule{
		{ID: "1", Webhook: "a", Events: []string{"s3:ObjectCreated:*"}, Prefix: "in/", Suffix: ".jpg"},
		{ID: "2", Webhook: "b", Events: []string{ObjectRemovedDelete, BucketQuotaRefused}},
		{ID: "3", Webhook: "a", Events: []string{"s3:ObjectRemoved:*"}},
		{ID: "4", Webhook: "a", Events: []string{ObjectRemovedDelete}, Prefix: "x"}, // overlaps: told once
	}}
	for _, c := range []struct{ eventType, key, want string }{
		{ObjectCreatedPut, "in/1.jpg", "[{a 1}]"},
		{ObjectCreatedCopy, "in/.jpg", "[{a 1}]"},
		{ObjectCreatedPut, "in/1.png", "[]"},
		{ObjectCreatedPut, "out/1.jpg", "[]"},
		{ObjectRemovedDelete, "x", "[{b 2} {a 3}]"},
		{ObjectRemovedMarkerCreated, "x", "[{a 3}]"},
		{QuotaRefused, "x", "[{b 2}]"},
		{ObjectTaggingPut, "x", "[]"},
	} {
		if got := fmt.Sprint(rules.Match(c.eventType, c.key)); got != c.want {
			t.Errorf("%s of %q is told to %s, want %s", c.eventType, c.key, got, c.want)
		}
	}
	if got := (*Rules)(nil).Match(ObjectCreatedPut, "k"); got != nil {
		t.Errorf("no rules tell %v", got)
	}
}

// TestOverlaps holds Overlaps against what it promises: whether some event is matched by both.
func TestOverlaps(t *testing.T) {
	part := rapid.SampledFrom([]string{"", "a", "b", "aa", "ab", "ba", "aba"})
	events := rapid.SliceOfN(rapid.SampledFrom(ObjectPatterns()), 1, 2)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *Rule {
			return &Rule{
				Webhook: name, Events: events.Draw(t, "events"), Prefix: part.Draw(t, "prefix"), Suffix: part.Draw(t, "suffix"),
			}
		}
		one, two := draw("one"), draw("two")
		both := false
		types := append(slices.Clone(objectTypes), QuotaRefused)
		for _, eventType := range types {
			// The longer prefix, then the longer suffix, has both of each where that is possible.
			prefix, suffix := one.Prefix, one.Suffix
			if len(two.Prefix) > len(prefix) {
				prefix = two.Prefix
			}
			if len(two.Suffix) > len(suffix) {
				suffix = two.Suffix
			}
			rules := Rules{Rules: []Rule{*one, *two}}
			both = both || len(rules.Match(eventType, prefix+suffix)) == 2
		}
		if got := one.Overlaps(two); got != both || got != two.Overlaps(one) {
			t.Fatalf("%+v and %+v overlap: %t, and some event has both: %t", one, two, got, both)
		}
	})
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		filter  string
		wants   string
		objects bool
	}{
		{"", "", false},
		{"quota.threshold", QuotaThreshold, false},
		{"quota.*", QuotaThreshold + " " + QuotaRefused, false},
		{"s3:ObjectAcl:Put", ObjectACLPut, true},
		{"s3:*", strings.Join(objectTypes, " "), true},
		{"*", strings.Join(append(slices.Clone(objectTypes), QuotaThreshold, QuotaRefused), " "), true},
	} {
		filter := Filter(strings.Fields(c.filter))
		var wants []string
		for _, eventType := range append(slices.Clone(objectTypes), QuotaThreshold, QuotaRefused) {
			if filter.Wants(eventType) {
				wants = append(wants, eventType)
			}
		}
		if got := strings.Join(wants, " "); got != c.wants || filter.WantsObjects() != c.objects {
			t.Errorf("%q wants %q, of objects: %t", c.filter, got, filter.WantsObjects())
		}
	}
}

func TestMarshal(t *testing.T) {
	e := &Event{
		ID: "1", Type: QuotaThreshold, Time: time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC), To: []Target{{"a", "1"}},
		Origin: Origin{RequestID: "R"}, Threshold: &Threshold{Scope: "bucket", Name: "b", Percent: 80, Rising: true},
	}
	got, err := Unmarshal(e.Marshal())
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Unmarshal([]byte("{")); err == nil {
		t.Error("half an event is read")
	}
}

func TestOrigin(t *testing.T) {
	if got := OriginOf(t.Context()); got != (Origin{}) {
		t.Errorf("%+v", got)
	}
	want := Origin{RequestID: "R", Form: true}
	if got := OriginOf(WithOrigin(t.Context(), &want)); got != want {
		t.Errorf("%+v", got)
	}
}
