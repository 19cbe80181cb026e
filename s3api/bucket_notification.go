package s3api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/event"
)

// Bounds of a notification configuration.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
const (
	maxNotificationRules    = 100
	maxNotificationIDBytes  = 255
	maxNotificationKeyBytes = 1024
)

// The elements that a rule may stand in. All of them lead to webhooks: what is behind an ARN is for its name to say.
const (
	topicConfiguration    = "TopicConfiguration"
	queueConfiguration    = "QueueConfiguration"
	functionConfiguration = "CloudFunctionConfiguration"
)

// destinationElement is what a rule's ARN stands in.
var destinationElement = map[string]string{
	topicConfiguration: "Topic", queueConfiguration: "Queue", functionConfiguration: "CloudFunction",
}

// unservedEvents begin the types of events that S3 has and this server never sends, since it never does what they tell.
var unservedEvents = []string{
	"s3:ReducedRedundancyLostObject", "s3:ObjectRestore:", "s3:Replication:", "s3:LifecycleTransition",
	"s3:IntelligentTiering", "s3:ObjectAnnotation:",
}

// notificationDocument is what clients send.
type notificationDocument struct {
	Topics      []notificationRule `xml:"TopicConfiguration"`
	Queues      []notificationRule `xml:"QueueConfiguration"`
	Functions   []notificationRule `xml:"CloudFunctionConfiguration"`
	EventBridge *unknown           `xml:"EventBridgeConfiguration"`
	Unknown     []unknown          `xml:",any"`
}

type notificationRule struct {
	ID       string                `xml:"Id"`
	Topic    string                `xml:"Topic"`
	Queue    string                `xml:"Queue"`
	Function string                `xml:"CloudFunction"`
	Events   []string              `xml:"Event"`
	Filters  []notificationKeyRule `xml:"Filter>S3Key>FilterRule"`
}

type notificationKeyRule struct {
	Name  string `xml:"Name"`
	Value string `xml:"Value"`
}

// getBucketNotification answers GetBucketNotificationConfiguration.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html
func getBucketNotification(rq *request) error {
	x := newXML(512)
	x.root("NotificationConfiguration")
	if rules := rq.access.Notifications; rules != nil {
		for _, kind := range []string{topicConfiguration, queueConfiguration, functionConfiguration} {
			for i := range rules.Rules {
				if rules.Rules[i].Kind == kind {
					writeNotificationRule(x, &rules.Rules[i])
				}
			}
		}
	}
	x.close("NotificationConfiguration")
	return rq.writeXML(x)
}

func writeNotificationRule(x *xmlWriter, r *event.Rule) {
	x.open(r.Kind)
	x.text("Id", r.ID)
	x.text(destinationElement[r.Kind], r.ARN)
	for _, e := range r.Events {
		x.text("Event", e)
	}
	if r.Prefix != "" || r.Suffix != "" {
		x.open("Filter")
		x.open("S3Key")
		for _, part := range [][2]string{{"prefix", r.Prefix}, {"suffix", r.Suffix}} {
			if part[1] != "" {
				x.open("FilterRule")
				x.text("Name", part[0])
				x.text("Value", part[1])
				x.close("FilterRule")
			}
		}
		x.close("S3Key")
		x.close("Filter")
	}
	x.close(r.Kind)
}

// putBucketNotification answers PutBucketNotificationConfiguration. The configuration replaces what was there; an empty
// one removes it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
func putBucketNotification(rq *request) error {
	var in notificationDocument
	if err := rq.readXML("NotificationConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	rules, err := in.rules(rq.webhookOf)
	if err != nil {
		return err
	}
	var value []byte
	if len(rules.Rules) > 0 {
		value = rules.Marshal()
	}
	return rq.putConfig(backend.ConfigNotification, value, http.StatusOK)
}

// rules returns the rules as they are kept, or says what is wrong with them. webhookOf tells what an ARN names.
func (in *notificationDocument) rules(webhookOf func(arn string) (string, bool)) (*event.Rules, error) {
	switch {
	case in.EventBridge != nil:
		return nil, s3err("NotImplemented", "Notifications to EventBridge are not implemented.")
	case len(in.Unknown) > 0:
		return nil, s3err("MalformedXML")
	}
	rules := new(event.Rules)
	for _, of := range []struct {
		kind  string
		rules []notificationRule
	}{{topicConfiguration, in.Topics}, {queueConfiguration, in.Queues}, {functionConfiguration, in.Functions}} {
		for i := range of.rules {
			rule, err := of.rules[i].rule(of.kind, webhookOf)
			if err != nil {
				return nil, err
			}
			rules.Rules = append(rules.Rules, rule)
		}
	}
	return rules, checkNotificationRules(rules.Rules)
}

// rule returns a rule as it is kept.
func (in *notificationRule) rule(kind string, webhookOf func(arn string) (string, bool)) (event.Rule, error) {
	arn := map[string]string{
		topicConfiguration: in.Topic, queueConfiguration: in.Queue, functionConfiguration: in.Function,
	}[kind]
	r := event.Rule{ID: in.ID, Kind: kind, ARN: arn, Events: in.Events}
	if arn == "" || len(in.Events) == 0 {
		return r, s3err("MalformedXML")
	}
	if r.ID == "" {
		r.ID = ulid.Make().String()
	}
	if len(r.ID) > maxNotificationIDBytes {
		return r, invalidArgument("Id", r.ID, "ID length should not exceed allowed limit of 255")
	}
	for _, e := range r.Events {
		if slices.Contains(event.ObjectPatterns(), e) {
			continue
		}
		if slices.ContainsFunc(unservedEvents, func(prefix string) bool { return strings.HasPrefix(e, prefix) }) {
			return r, s3err("NotImplemented", "Events of type "+e+" are not implemented.")
		}
		return r, invalidArgument("Event", e, "The event is not supported for notifications")
	}
	r.Events = slices.Compact(slices.Sorted(slices.Values(r.Events)))
	if err := notificationFilter(&r, in.Filters); err != nil {
		return r, err
	}
	var ok bool
	if r.Webhook, ok = webhookOf(arn); !ok {
		return r, invalidArgument(arn, "The destination does not exist: webhooks are arn:minio:sqs::NAME:webhook",
			"Unable to validate the following destination configurations")
	}
	return r, nil
}

func notificationFilter(r *event.Rule, in []notificationKeyRule) error {
	named := make(map[string]bool)
	for _, f := range in {
		name := strings.ToLower(f.Name)
		if name != "prefix" && name != "suffix" {
			return invalidArgument("FilterRule.Name", f.Name, "filter rule name must be either prefix or suffix")
		}
		if named[name] {
			return invalidArgument("FilterRule.Name", f.Name, "Cannot specify more than one "+name+" rule in a filter.")
		}
		if named[name] = true; len(f.Value) > maxNotificationKeyBytes {
			return invalidArgument("FilterRule.Value", f.Value, "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")
		}
		if name == "prefix" {
			r.Prefix = f.Value
		} else {
			r.Suffix = f.Value
		}
	}
	return nil
}

// webhookOf returns the webhook that an ARN names: arn:minio:sqs:REGION:NAME:webhook, as MinIO writes it, or
// arn:plimsoll:…; the region is the server's, or empty.
func (rq *request) webhookOf(arn string) (name string, ok bool) {
	p := strings.Split(arn, ":")
	if len(p) != 6 || p[0] != "arn" || (p[1] != "minio" && p[1] != "plimsoll") || p[2] != "sqs" || p[5] != "webhook" ||
		(p[3] != "" && p[3] != rq.handler.config.Region) {
		return "", false
	}
	return p[4], rq.handler.config.Webhooks.Has(p[4])
}

// checkNotificationRules checks what rules must be to each other.
func checkNotificationRules(rules []event.Rule) error {
	if len(rules) > maxNotificationRules {
		return s3err("InvalidRequest", "A bucket can have no more than 100 notification configurations.")
	}
	for i := range rules {
		for j := range i {
			if rules[i].ID == rules[j].ID {
				return invalidArgument("Id", rules[i].ID, "Same ID used for multiple configurations. IDs must be unique")
			}
			if rules[i].Overlaps(&rules[j]) {
				return s3err("InvalidArgument", "Configuration is ambiguously defined. Cannot have overlapping suffixes in two "+
					"rules if the prefixes are overlapping for the same event type.")
			}
		}
	}
	return nil
}
