// Package event says what the store tells of what has happened: events, the names that their types have, and the rules of
// a bucket that choose whom to tell. It is data and matching only: no I/O, no clock, no locks.
//
// An Event is stored as JSON in the outbox of the metadata, with the commit that it tells of. Who sends it on makes the
// form of it that receivers see.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/quota"
)

// The types of events of objects, as S3 names them.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
const (
	ObjectCreatedPut             = "s3:ObjectCreated:Put"
	ObjectCreatedPost            = "s3:ObjectCreated:Post"
	ObjectCreatedCopy            = "s3:ObjectCreated:Copy"
	ObjectCreatedComplete        = "s3:ObjectCreated:CompleteMultipartUpload"
	ObjectRemovedDelete          = "s3:ObjectRemoved:Delete"
	ObjectRemovedMarkerCreated   = "s3:ObjectRemoved:DeleteMarkerCreated"
	LifecycleExpirationDelete    = "s3:LifecycleExpiration:Delete"
	LifecycleExpirationMarker    = "s3:LifecycleExpiration:DeleteMarkerCreated"
	ObjectTaggingPut             = "s3:ObjectTagging:Put"
	ObjectTaggingDelete          = "s3:ObjectTagging:Delete"
	ObjectACLPut                 = "s3:ObjectAcl:Put"
	allCreated, allRemoved       = "s3:ObjectCreated:*", "s3:ObjectRemoved:*"
	allExpired, allTagged, allS3 = "s3:LifecycleExpiration:*", "s3:ObjectTagging:*", "s3:*"
)

// The types of events of quotas, and of the test of a webhook.
const (
	QuotaThreshold = "quota.threshold"
	QuotaRefused   = "quota.refused"
	Test           = "webhook.test"
	// BucketQuotaRefused is QuotaRefused among the events of a bucket.
	BucketQuotaRefused = "plimsoll:QuotaRefused"

	allQuota, everything = "quota.*", "*"
)

var objectTypes = []string{
	ObjectCreatedPut, ObjectCreatedPost, ObjectCreatedCopy, ObjectCreatedComplete, ObjectRemovedDelete,
	ObjectRemovedMarkerCreated, LifecycleExpirationDelete, LifecycleExpirationMarker, ObjectTaggingPut,
	ObjectTaggingDelete, ObjectACLPut,
}

// ObjectPatterns are what a rule of a bucket may name: the types of events of objects, those of a kind together, and
// BucketQuotaRefused.
func ObjectPatterns() []string {
	return append(slices.Clone(objectTypes), allCreated, allRemoved, allExpired, allTagged, BucketQuotaRefused)
}

// Patterns are what a webhook may subscribe to by itself.
func Patterns() []string {
	return append(slices.Clone(objectTypes),
		allCreated, allRemoved, allExpired, allTagged, allS3, QuotaThreshold, QuotaRefused, allQuota, everything)
}

// Matches reports whether a pattern, which is a type or ends in *, has a type.
func Matches(pattern, eventType string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(eventType, prefix)
	}
	return pattern == eventType
}

// Event is something that has happened. One of Object, Threshold and Refusal is set, but for a Test.
type Event struct {
	// ID is unique for ever.
	ID   string    `json:"id"`
	Type string    `json:"type"`
	Time time.Time `json:"time"`
	// To are whom the bucket's rules name.
	To []Target `json:"to,omitempty"`
	// Bucket and Key are what it is about; Owner is the bucket's. Empty for an owner's or the server's threshold.
	Bucket string `json:"bucket,omitempty"`
	Owner  string `json:"owner,omitempty"`
	Key    string `json:"key,omitempty"`
	Origin

	Object    *Object    `json:"object,omitempty"`
	Threshold *Threshold `json:"threshold,omitempty"`
	Refusal   *Refusal   `json:"refusal,omitempty"`
}

// Target is a webhook, and the rule that names it.
type Target struct {
	Webhook string `json:"webhook"`
	Rule    string `json:"rule,omitempty"`
}

// Object is the object that an event is about.
type Object struct {
	Size    int64  `json:"size,omitempty"`
	ETag    string `json:"etag,omitempty"`
	Version string `json:"version,omitempty"`
}

// Threshold is the crossing of a percentage of a limit. Used and Limit are bytes or objects, as Resource says, after the
// commit that crossed it; Limit is 0 where the limit is gone.
type Threshold struct {
	Scope    quota.ScopeKind `json:"scope"`
	Name     string          `json:"name,omitempty"`
	Prefix   string          `json:"prefix,omitempty"` // of quota.Prefix; Name is its bucket's
	Resource quota.Resource  `json:"resource"`
	Percent  int             `json:"percent"`
	// Rising says that usage is at the threshold or above it now, and was below; else the other way round.
	Rising bool  `json:"rising"`
	Used   int64 `json:"used"`
	Limit  int64 `json:"limit"`
}

// Refusal is an operation that did not fit.
type Refusal struct {
	Operation string          `json:"operation,omitempty"`
	Scope     quota.ScopeKind `json:"scope"`
	Name      string          `json:"name,omitempty"`
	Prefix    string          `json:"prefix,omitempty"` // of quota.Prefix; Name is its bucket's
	Resource  quota.Resource  `json:"resource"`
	// Limit, Used, Reserved and Requested are as of a quota.ExceededError, or of the disk.
	Limit     int64 `json:"limit"`
	Used      int64 `json:"used"`
	Reserved  int64 `json:"reserved,omitempty"`
	Requested int64 `json:"requested"`
	// Transient says that only bodies that are arriving were in the way.
	Transient bool `json:"transient,omitempty"`
	// Count is how many refusals the event stands for: those of a bucket by the same scope are told of once a second.
	Count int64 `json:"count"`
}

// Origin is the request that an event comes from; the zero one is the server itself.
type Origin struct {
	RequestID string `json:"request_id,omitempty"`
	// Principal is the requester's.
	Principal string `json:"principal,omitempty"`
	SourceIP  string `json:"source_ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	// Form says that the object comes from a POST upload.
	Form bool `json:"-"`
}

type originKey struct{}

// WithOrigin returns a context that carries the request's origin to the store.
func WithOrigin(ctx context.Context, o *Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf returns what WithOrigin has put there, or the zero Origin.
func OriginOf(ctx context.Context) Origin {
	if o, ok := ctx.Value(originKey{}).(*Origin); ok {
		return *o
	}
	return Origin{}
}

// Marshal returns the event as it is stored.
func (e *Event) Marshal() []byte {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err) // text, numbers and a time always marshal
	}
	return raw
}

// Unmarshal reads what Marshal has returned.
func Unmarshal(raw []byte) (*Event, error) {
	e := new(Event)
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return e, nil
}

// Rule tells a webhook of what happens in a bucket.
type Rule struct {
	ID string `json:"id"`
	// Kind is the element that the client gave the rule in, ARN what it has as the destination: they are given back.
	Kind    string   `json:"kind"`
	ARN     string   `json:"arn"`
	Webhook string   `json:"webhook"`
	Events  []string `json:"events"`
	Prefix  string   `json:"prefix,omitempty"`
	Suffix  string   `json:"suffix,omitempty"`
}

// Overlaps reports whether there can be an event that both rules have.
func (r *Rule) Overlaps(other *Rule) bool {
	nested := func(a, b string, has func(s, part string) bool) bool { return has(a, b) || has(b, a) }
	if !nested(r.Prefix, other.Prefix, strings.HasPrefix) || !nested(r.Suffix, other.Suffix, strings.HasSuffix) {
		return false
	}
	for _, a := range r.Events {
		for _, b := range other.Events {
			if Matches(a, b) || Matches(b, a) {
				return true
			}
		}
	}
	return false
}

// Rules are those of a bucket. They are immutable once they are in use.
type Rules struct {
	Rules []Rule `json:"rules"`
}

// Marshal returns the rules as a bucket's configuration is stored.
func (r *Rules) Marshal() []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // text always marshals
	}
	return raw
}

// UnmarshalRules reads what Marshal has returned.
func UnmarshalRules(raw []byte) (*Rules, error) {
	r := new(Rules)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("notification rules: %w", err)
	}
	return r, nil
}

// Match returns whom the rules tell of an event; nil for nobody. Rules may be nil.
func (r *Rules) Match(eventType, key string) (to []Target) {
	if r == nil {
		return nil
	}
	if eventType == QuotaRefused {
		eventType = BucketQuotaRefused
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		has := func(pattern string) bool { return Matches(pattern, eventType) }
		if !strings.HasPrefix(key, rule.Prefix) || !strings.HasSuffix(key, rule.Suffix) || !slices.ContainsFunc(rule.Events, has) {
			continue
		}
		if !slices.ContainsFunc(to, func(t Target) bool { return t.Webhook == rule.Webhook }) {
			to = append(to, Target{Webhook: rule.Webhook, Rule: rule.ID})
		}
	}
	return to
}

// Filter is what webhooks subscribe to by themselves, all of them together.
type Filter []string

// Wants reports whether somebody subscribes to a type.
func (f Filter) Wants(eventType string) bool {
	return slices.ContainsFunc(f, func(pattern string) bool { return Matches(pattern, eventType) })
}

// WantsObjects reports whether somebody subscribes to what happens to objects.
func (f Filter) WantsObjects() bool { return slices.ContainsFunc(objectTypes, f.Wants) }
