package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// History returns what a bucket, an owner or the server held over time, and how it grows. Everyone may ask for themselves.
func (c *Client) History(ctx context.Context, scope quota.Scope) (adminapi.History, error) {
	path, err := scopePath("history", scope)
	if err != nil {
		return adminapi.History{}, err
	}
	return get[adminapi.History](ctx, c, path)
}

// CreateReport begins a report of where a bucket's space is, and does not wait for it. The Problem TooManyReports says
// that several are being made.
func (c *Client) CreateReport(ctx context.Context, report adminapi.NewReport) (r adminapi.Report, err error) {
	err = c.do(ctx, http.MethodPost, "reports", report, &r)
	return r, err
}

// Reports returns the reports that are kept, without their results.
func (c *Client) Reports(ctx context.Context) ([]adminapi.Report, error) {
	all, err := get[adminapi.Reports](ctx, c, "reports")
	return all.Reports, err
}

// Report returns how far a report is, and its result once it is done.
func (c *Client) Report(ctx context.Context, id string) (adminapi.Report, error) {
	return at[adminapi.Report](ctx, c, request{method: http.MethodGet}, "reports", id)
}

// DeleteReport removes a report, and stops it where it is unfinished.
func (c *Client) DeleteReport(ctx context.Context, id string) error {
	return c.remove(ctx, "", "reports", id)
}

// UploadSummaries returns the buckets that have unfinished uploads.
func (c *Client) UploadSummaries(ctx context.Context) ([]adminapi.UploadSummary, error) {
	all, err := get[adminapi.UploadSummaries](ctx, c, "uploads")
	return all.Buckets, err
}

// Uploads returns a page of the unfinished uploads of a bucket; the filter's After is the Next of the page before. A
// limit of 0 leaves the length of a page to the server.
func (c *Client) Uploads(
	ctx context.Context, bucket string, filter adminapi.UploadFilter, limit int,
) (page adminapi.Uploads, err error) {
	path, err := named("uploads", bucket)
	if err != nil {
		return page, err
	}
	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("prefix", filter.Prefix)
	set("key", filter.Key)
	set("upload_id", filter.UploadID)
	if filter.OlderThanSeconds != nil {
		set("older_than_seconds", strconv.FormatInt(*filter.OlderThanSeconds, 10))
	}
	if filter.After != nil {
		set("after_key", filter.After.Key)
		set("after_upload_id", filter.After.UploadID)
	}
	if limit > 0 {
		set("limit", strconv.Itoa(limit))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return get[adminapi.Uploads](ctx, c, path)
}

// AbortUploads aborts unfinished uploads of a bucket, or tells what that would give back. It is sent again with After, the
// answer's Next, until there is none.
func (c *Client) AbortUploads(
	ctx context.Context, bucket string, abort adminapi.AbortUploads,
) (adminapi.AbortedUploads, error) {
	return at[adminapi.AbortedUploads](ctx, c, request{method: http.MethodPost, body: abort}, "uploads", bucket, "abort")
}

// PruneVersions removes noncurrent versions of a bucket, or tells what that would give back. It is sent again with After,
// the answer's Next, until there is none.
func (c *Client) PruneVersions(ctx context.Context, bucket string, prune adminapi.Prune) (adminapi.Pruned, error) {
	return at[adminapi.Pruned](ctx, c, request{method: http.MethodPost, body: prune}, "versions", bucket, "prune")
}
