// Package webhook tells others of what happens: it keeps webhooks, which are URLs with a secret, and sends them the events
// of the store's outbox.
//
// # What a receiver gets
//
// A POST with one event: a CloudEvent in the structured mode, application/cloudevents+json.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
//
//	{"specversion":"1.0", "id":"01K…", "source":"urn:plimsoll:bucket:photos", "type":"s3:ObjectCreated:Put",
//	 "subject":"trip.jpg", "time":"2026-03-04T05:06:07.089Z", "sequence":"00000000000000000042",
//	 "datacontenttype":"application/json", "data":{"Records":[…]}}
//
// The data of an event of a bucket is S3's event record; that of quota.threshold and quota.refused are figures: see
// ThresholdData and RefusalData. Events of a bucket come where its notification configuration names the webhook, or the
// webhook subscribes to their type; a refusal in a bucket whose configuration names it has type plimsoll:QuotaRefused.
//
// It is signed as standardwebhooks.com says. Three headers, and the HMAC-SHA256 is over the first two and the body:
//
//	webhook-id: the event's id, the same in every attempt
//	webhook-timestamp: seconds since 1970, of this attempt
//	webhook-signature: v1, and base64(HMAC-SHA256(secret, id + "." + timestamp + "." + body))
//
// A secret that begins with whsec_ is base64 of the key; any other is the key itself. Verify does what a receiver should.
//
// # Delivery
//
// An answer of 2xx within the timeout takes an event; everything else, a redirect among it, is a failure, and the event is
// sent again after a time that doubles from half a second to a minute, and is shortened at random by up to a half. This
// goes on for as long as the webhook is enabled. So each event is delivered at least once; the id tells repetitions.
//
// Events of a bucket are delivered in the order of their commits, one after the other; those of several buckets in
// several requests at a time, up to four for each webhook. An event that its receiver refuses holds up those behind it, of
// this webhook only. Up to where a webhook has everything is stored, once in a second: after a crash the events of that
// second are sent again.
//
// The outbox is bounded. A webhook may be behind the one that is furthest ahead by half of it; what is older is dropped for
// that webhook, logged and counted. Where all of them are behind, what comes when the outbox is full is dropped.
//
// While a webhook is disabled nothing waits for it, and when it is enabled it gets what happens from then on.
package webhook
