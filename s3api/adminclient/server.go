package adminclient

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// Server returns what the server is, and how it is.
func (c *Client) Server(ctx context.Context) (adminapi.Server, error) {
	return get[adminapi.Server](ctx, c, "server")
}

// Description returns the description of the admin API in OpenAPI 3.1.
func (c *Client) Description(ctx context.Context) (json.RawMessage, error) {
	return get[json.RawMessage](ctx, c, "openapi.json")
}

// AuditQuery says which records of the audit log are asked for. The zero query asks for all.
type AuditQuery struct {
	// After asks for records with a greater number only.
	After uint64
	// Limit is how many records a page has at most, up to adminapi.MaxAuditRecords; 0 for the server's choice.
	Limit int
	// User asks for what this user tried only, where it is not empty.
	User string
	// Since asks for what was tried at this time or later; zero for any time.
	Since time.Time
}

func (q AuditQuery) path() string {
	v := url.Values{}
	if q.After > 0 {
		v.Set("after", strconv.FormatUint(q.After, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.User != "" {
		v.Set("user", q.User)
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if len(v) == 0 {
		return "audit"
	}
	return "audit?" + v.Encode()
}

// AuditPage returns a page of the audit log, the oldest record first. Its Next is the After of the following one. Every
// change is in the log, and so are attempts that were denied, as far as they were not too many.
func (c *Client) AuditPage(ctx context.Context, query AuditQuery) (adminapi.AuditPage, error) {
	return get[adminapi.AuditPage](ctx, c, query.path())
}

// Audit returns the records of the audit log, the oldest first, up to those that are there now. It asks for a page at a
// time; an error ends it.
func (c *Client) Audit(ctx context.Context, query AuditQuery) iter.Seq2[adminapi.AuditRecord, error] {
	return func(yield func(adminapi.AuditRecord, error) bool) {
		for {
			page, err := c.AuditPage(ctx, query)
			if err != nil {
				yield(adminapi.AuditRecord{}, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
			if !page.More || page.Next <= query.After {
				return
			}
			query.After = page.Next
		}
	}
}
