// Package lifecycle decides what a bucket's lifecycle rules do to a key's versions, and when. It is pure: it is told the
// time, and it changes nothing. Whoever acts on its decisions does so under the condition that nothing has changed since.
//
// A Configuration is not changed once it is validated, and may be used concurrently.
//
// Times are as S3 computes them: what is due days after an instant is due at the midnight (UTC) that follows it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
package lifecycle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxRules is how many rules a configuration may have.
const MaxRules = 1000

// Configuration is a bucket's rules.
type Configuration struct {
	Rules []Rule `json:"rules"`
	// MinimumSize is what the client says of small objects and transitions between storage classes, which are not there:
	// it is given back, and decides nothing.
	MinimumSize string `json:"minimum_size,omitempty"`
}

// Rule says what happens to what its filter matches. An action that is zero is not taken.
type Rule struct {
	ID      string `json:"id"`
	Enabled bool   `json:"enabled"`
	Filter  Filter `json:"filter"`
	// ExpireDays after its creation a current version expires; ExpireDate is a day instead.
	ExpireDays int       `json:"expire_days,omitempty"`
	ExpireDate time.Time `json:"expire_date,omitzero"`
	// ExpireMarkers removes a delete marker that hides nothing.
	ExpireMarkers bool `json:"expire_markers,omitempty"`
	// NoncurrentDays after it was replaced a noncurrent version is removed, but for the NewerNoncurrent newest of them.
	NoncurrentDays  int `json:"noncurrent_days,omitempty"`
	NewerNoncurrent int `json:"newer_noncurrent,omitempty"`
	// AbortDays after it was begun an unfinished upload is aborted.
	AbortDays int `json:"abort_days,omitempty"`
}

// Filter chooses versions. Every part of it that is set must hold.
type Filter struct {
	// Form is how the client wrote the filter, which is given back so; it decides nothing.
	Form   Form   `json:"form"`
	Prefix string `json:"prefix,omitempty"`
	Tags   []Tag  `json:"tags,omitempty"`
	// SizeGreaterThan and SizeLessThan are bytes, and exclude the figure itself.
	SizeGreaterThan *int64 `json:"size_greater_than,omitempty"`
	SizeLessThan    *int64 `json:"size_less_than,omitempty"`
}

// Form is a way to write a filter.
type Form string

// The forms: the rule's own Prefix element of old, a Filter without a condition, with one, with And.
const (
	FormPrefix Form = "prefix"
	FormEmpty  Form = "empty"
	FormSingle Form = "single"
	FormAnd    Form = "and"
)

// Tag is an object's tag.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Version is one version of a key: an object or a delete marker.
type Version struct {
	Key      string
	Size     int64
	Modified time.Time
	Tags     []Tag
	Marker   bool
}

// Marshal returns the configuration as it is stored.
func (c *Configuration) Marshal() []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // text, numbers and times always marshal
	}
	return raw
}

// Unmarshal reads what Marshal has written.
func Unmarshal(raw []byte) (*Configuration, error) {
	c := new(Configuration)
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("lifecycle: %w", err)
	}
	return c, nil
}

// Matches reports whether the filter chooses a version. A delete marker has neither tags nor a size: it is chosen by its
// key alone.
func (f *Filter) Matches(v *Version) bool {
	if !strings.HasPrefix(v.Key, f.Prefix) {
		return false
	}
	if v.Marker {
		return len(f.Tags) == 0 && f.SizeGreaterThan == nil && f.SizeLessThan == nil
	}
	if f.SizeGreaterThan != nil && v.Size <= *f.SizeGreaterThan || f.SizeLessThan != nil && v.Size >= *f.SizeLessThan {
		return false
	}
	for _, tag := range f.Tags {
		if !slices.Contains(v.Tags, tag) {
			return false
		}
	}
	return true
}

// due returns the midnight after days have passed since an instant.
func due(since time.Time, days int) time.Time {
	t := since.UTC().AddDate(0, 0, days)
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	if midnight.Before(t) {
		midnight = midnight.AddDate(0, 0, 1)
	}
	return midnight
}

// Expiration returns when the current version of a key expires, and by which rule; ok is false where it never does. Of
// several rules the earliest counts.
func (c *Configuration) Expiration(v *Version) (at time.Time, rule string, ok bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if !r.Enabled || !r.Filter.Matches(v) {
			continue
		}
		var when time.Time
		switch {
		case r.ExpireDays > 0:
			when = due(v.Modified, r.ExpireDays)
		case !r.ExpireDate.IsZero():
			when = r.ExpireDate
		default:
			continue
		}
		if !ok || when.Before(at) {
			at, rule, ok = when, r.ID, true
		}
	}
	return at, rule, ok
}

// Expired returns which of a key's versions are to go now: the places in versions, which are all of the key's, the newest
// first.
func (c *Configuration) Expired(versions []Version, now time.Time) []int {
	var expired []int
	judge := c.Judge(now)
	for i := range versions {
		if judge.Next(&versions[i], i == len(versions)-1) {
			expired = append(expired, i)
		}
	}
	return expired
}

// Judge decides of a key's versions one after the other, so that a key may have more of them than fit into memory. It is
// used by one goroutine.
type Judge struct {
	rules *Configuration // nil where it prunes
	prune Pruning
	now   time.Time
	begun bool
	since time.Time // when the version before the next was made
	newer int       // objects among the noncurrent versions that have been judged
}

// Judge returns a judge of one key at a time of day.
func (c *Configuration) Judge(now time.Time) Judge { return Judge{rules: c, now: now} }

// Next reports whether the next version is to go now: they come newest first, and last says that no older one follows.
// The first, where it is an object, expires: it is deleted without naming its version, which in a versioned bucket hides
// it. Of the others, and of a delete marker, the version is removed.
func (j *Judge) Next(v *Version, last bool) bool {
	since := j.since
	j.since = v.Modified
	first := !j.begun
	j.begun = true
	if j.rules == nil {
		return j.prunes(v, since, first)
	}
	if first {
		if v.Marker {
			return last && j.rules.markerExpired(v, j.now)
		}
		at, _, ok := j.rules.Expiration(v)
		return ok && !j.now.Before(at)
	}
	expired := j.rules.noncurrentExpired(v, since, j.newer, j.now)
	if !v.Marker {
		j.newer++
	}
	return expired
}

// markerExpired reports whether a marker that hides nothing is to go: by a rule that says so, or by the age at which an
// object in its place would expire.
func (c *Configuration) markerExpired(marker *Version, now time.Time) bool {
	for i := range c.Rules {
		if r := &c.Rules[i]; r.Enabled && r.ExpireMarkers && r.Filter.Matches(marker) {
			return true
		}
	}
	at, _, ok := c.Expiration(marker)
	return ok && !now.Before(at)
}

// noncurrentExpired reports whether a noncurrent version is to go. It became noncurrent when the one before it was made.
func (c *Configuration) noncurrentExpired(v *Version, since time.Time, newer int, now time.Time) bool {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Enabled && r.NoncurrentDays > 0 && newer >= r.NewerNoncurrent && r.Filter.Matches(v) &&
			!now.Before(due(since, r.NoncurrentDays)) {
			return true
		}
	}
	return false
}

// Prefix returns what all keys begin with that an enabled rule may concern; ok is false where none is enabled.
func (c *Configuration) Prefix() (prefix string, ok bool) {
	for i := range c.Rules {
		r := &c.Rules[i]
		switch {
		case !r.Enabled:
		case !ok:
			prefix, ok = r.Filter.Prefix, true
		default:
			n := 0
			for n < min(len(prefix), len(r.Filter.Prefix)) && prefix[n] == r.Filter.Prefix[n] {
				n++
			}
			prefix = prefix[:n]
		}
	}
	return prefix, ok
}

// UsesTags reports whether a rule that is enabled chooses by tags.
func (c *Configuration) UsesTags() bool {
	return slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.Enabled && len(r.Filter.Tags) > 0 })
}

// AbortsUpload returns when an unfinished upload of a key is aborted, and by which rule; ok is false where it never is.
// Rules that choose by tags or sizes do not concern uploads.
func (c *Configuration) AbortsUpload(key string, initiated time.Time) (at time.Time, rule string, ok bool) {
	upload := Version{Key: key, Marker: true} // chosen by its key alone, as a marker is
	for i := range c.Rules {
		r := &c.Rules[i]
		if !r.Enabled || r.AbortDays == 0 || !r.Filter.Matches(&upload) {
			continue
		}
		if when := due(initiated, r.AbortDays); !ok || when.Before(at) {
			at, rule, ok = when, r.ID, true
		}
	}
	return at, rule, ok
}
