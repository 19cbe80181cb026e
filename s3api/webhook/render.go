package webhook

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/quota"
)

// timeFormat is that of S3's events: to the millisecond.
const timeFormat = "2006-01-02T15:04:05.000Z"

// CloudEvent is an event as receivers get it.
type CloudEvent struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject,omitempty"`
	Time        string `json:"time"`
	// Sequence orders the events of a server as strings.
	Sequence        string `json:"sequence"`
	DataContentType string `json:"datacontenttype"`
	Data            any    `json:"data"`
}

// ThresholdData is the data of quota.threshold.
type ThresholdData struct {
	Scope    quota.ScopeKind `json:"scope"`
	Name     string          `json:"name,omitempty"`
	Prefix   string          `json:"prefix,omitempty"`
	Resource quota.Resource  `json:"resource"`
	Percent  int             `json:"threshold_percent"`
	// Direction is up or down.
	Direction string `json:"direction"`
	Used      int64  `json:"used"`
	// Limit is 0 where the limit was removed.
	Limit int64 `json:"limit"`
}

// RefusalData is the data of quota.refused.
type RefusalData struct {
	event.Refusal
	Bucket    string `json:"bucket"`
	Key       string `json:"key,omitempty"`
	Owner     string `json:"owner,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Principal string `json:"principal,omitempty"`
}

// Records is the data of the events of a bucket, as S3 has it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
type Records struct {
	Records []Record `json:"Records"`
}

type principal struct {
	PrincipalID string `json:"principalId"`
}

// Record is S3's event record.
type Record struct {
	EventVersion string    `json:"eventVersion"`
	EventSource  string    `json:"eventSource"`
	AWSRegion    string    `json:"awsRegion"`
	EventTime    string    `json:"eventTime"`
	EventName    string    `json:"eventName"`
	UserIdentity principal `json:"userIdentity"`
	Parameters   struct {
		SourceIP string `json:"sourceIPAddress"`
	} `json:"requestParameters"`
	Response struct {
		RequestID string `json:"x-amz-request-id"`
	} `json:"responseElements"`
	S3 struct {
		SchemaVersion   string `json:"s3SchemaVersion"`
		ConfigurationID string `json:"configurationId,omitempty"`
		Bucket          struct {
			Name  string    `json:"name"`
			Owner principal `json:"ownerIdentity"`
			ARN   string    `json:"arn"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"` // as in the query of a URL
			Size      *int64 `json:"size,omitempty"`
			ETag      string `json:"eTag,omitempty"`
			VersionID string `json:"versionId,omitempty"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
	// Quota is why plimsoll:QuotaRefused was refused.
	Quota *event.Refusal `json:"quota,omitempty"`
}

// render returns an event as the webhook gets it that a bucket's rule with this id has named; nil where none has.
func render(e *event.Event, sequence uint64, rule *string, region string) CloudEvent {
	c := CloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: sourceOf(e), Type: e.Type, Subject: e.Key,
		Time: e.Time.UTC().Format(timeFormat), Sequence: fmt.Sprintf("%020d", sequence), DataContentType: "application/json",
	}
	switch {
	case e.Threshold != nil:
		direction := "down"
		if e.Threshold.Rising {
			direction = "up"
		}
		t := e.Threshold
		c.Data = ThresholdData{t.Scope, t.Name, t.Prefix, t.Resource, t.Percent, direction, t.Used, t.Limit}
	case e.Refusal != nil && rule == nil:
		c.Data = RefusalData{*e.Refusal, e.Bucket, e.Key, e.Owner, e.RequestID, e.Principal}
	case e.Type == event.Test:
		c.Data = struct{}{}
	default:
		if e.Refusal != nil {
			c.Type = event.BucketQuotaRefused
		}
		c.Data = Records{[]Record{record(e, c.Type, sequence, rule, region)}}
	}
	return c
}

func sourceOf(e *event.Event) string {
	const urn = "urn:plimsoll:"
	switch {
	case e.Bucket != "":
		return urn + "bucket:" + url.PathEscape(e.Bucket)
	case e.Threshold != nil && e.Threshold.Scope == quota.Owner:
		return urn + "user:" + url.PathEscape(e.Threshold.Name)
	case e.Threshold != nil && e.Threshold.Name != "":
		return urn + string(e.Threshold.Scope) + ":" + url.PathEscape(e.Threshold.Name)
	default:
		return urn + "server"
	}
}

func record(e *event.Event, eventType string, sequence uint64, rule *string, region string) Record {
	r := Record{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: region, EventTime: e.Time.UTC().Format(timeFormat),
		EventName: strings.TrimPrefix(eventType, "s3:"), UserIdentity: principal{e.Principal}, Quota: e.Refusal,
	}
	switch eventType {
	case event.BucketQuotaRefused:
		r.EventSource = "plimsoll:s3"
	case event.LifecycleExpirationDelete, event.LifecycleExpirationMarker, event.ObjectTaggingPut,
		event.ObjectTaggingDelete, event.ObjectACLPut:
		r.EventVersion = "2.3"
	}
	r.Parameters.SourceIP, r.Response.RequestID = e.SourceIP, e.RequestID
	r.S3.SchemaVersion = "1.0"
	if rule != nil {
		r.S3.ConfigurationID = *rule
	}
	r.S3.Bucket.Name, r.S3.Bucket.Owner.PrincipalID = e.Bucket, e.Owner
	r.S3.Bucket.ARN = "arn:aws:s3:::" + e.Bucket
	// S3 leaves slashes as they are.
	r.S3.Object.Key = strings.ReplaceAll(url.QueryEscape(e.Key), "%2F", "/")
	r.S3.Object.Sequencer = fmt.Sprintf("%016X", sequence)
	if o := e.Object; o != nil {
		r.S3.Object.ETag, r.S3.Object.VersionID = o.ETag, o.Version
		if o.ETag != "" { // an object that was made
			r.S3.Object.Size = &o.Size
		}
	}
	return r
}

// Listed is an event of the outbox, as the admin API lists it.
func Listed(e *event.Event, sequence uint64, region string) CloudEvent {
	var rule *string
	if len(e.To) > 0 {
		rule = &e.To[0].Rule
	}
	return render(e, sequence, rule, region)
}

func marshal(c CloudEvent) []byte {
	raw, err := json.Marshal(c)
	if err != nil {
		panic(err) // text and numbers always marshal
	}
	return raw
}
