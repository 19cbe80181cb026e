package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// TestAuditLine: what was done is told from what was only asked for, and what strangers send stays on its line.
func TestAuditLine(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for name, test := range map[string]struct {
		record adminapi.AuditRecord
		want   string // after the time
	}{
		"a change": {
			adminapi.AuditRecord{
				User: "root", Action: "PATCH", Resource: "quotas/server", Result: adminapi.AuditDone,
				Before: raw(`{"max_bytes":1,"max_objects":2}`), After: raw(`{"max_bytes":3,"max_objects":2}`),
			},
			"root  PATCH quotas/server  done  max_bytes 1 -> 3",
		},
		"made": {
			adminapi.AuditRecord{
				User: "root", Action: "PUT", Resource: "buckets/b", Result: adminapi.AuditDone, After: raw(`{"name":"b"}`),
			},
			"root  PUT buckets/b  done",
		},
		"pruned": {
			adminapi.AuditRecord{
				User: "root", Action: "POST", Resource: "versions/b/prune", Result: adminapi.AuditDone,
				After: raw(`{"versions":2,"bytes":30,"delete_markers":0,"dry_run":false,"next":{"key":"k"}}`),
			},
			"root  POST versions/b/prune  done  bytes 30  versions 2",
		},
		"not pruned": {
			adminapi.AuditRecord{
				User: "root", Action: "POST", Resource: "versions/b/prune", Result: adminapi.AuditDone,
				After: raw(`{"versions":2,"bytes":30,"dry_run":true}`),
			},
			"root  POST versions/b/prune  done  dry run  bytes 30  versions 2",
		},
		"a stranger": {
			adminapi.AuditRecord{
				AccessKey: "A\nroot  PUT", Action: "GET", Resource: "users", Result: adminapi.AuditDenied, Code: "AccessDenied",
				Remote: "127.0.0.1:1", Omitted: 3,
			},
			`(A\nroot  PUT)  GET users  denied  AccessDenied  from 127.0.0.1:1  (3 more were denied before)`,
		},
		"nobody": {
			adminapi.AuditRecord{Action: "GET", Resource: "users", Result: adminapi.AuditDenied, Code: "AccessDenied", Remote: "a:1"},
			"(anonymous)  GET users  denied  AccessDenied  from a:1",
		},
	} {
		got := auditLine(&test.record)
		if !strings.HasSuffix(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
