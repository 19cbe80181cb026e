package admin

import (
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func postReport(rq *request) error {
	body, err := decode[adminapi.NewReport](rq, "bucket, prefix, depth, delimiter and largest")
	if err != nil {
		return err
	}
	if body.Delimiter == "" {
		body.Delimiter = "/"
	}
	switch {
	case body.Depth < 0 || body.Depth > adminapi.MaxReportDepth:
		return invalidArgument(fmt.Sprintf("depth is not from 0 to %d.", adminapi.MaxReportDepth))
	case body.Largest < 0 || body.Largest > adminapi.MaxReportLargest:
		return invalidArgument(fmt.Sprintf("largest is not from 0 to %d.", adminapi.MaxReportLargest))
	case body.Depth == 0 && body.Largest == 0:
		return invalidArgument("A report has a depth, or the largest versions, or both.")
	case !validKey(body.Prefix) || !validKey(body.Delimiter):
		return invalidArgument("prefix or delimiter is longer than a key.")
	}
	report, err := rq.handler.config.Store.CreateReport(backend.BreakdownInput{
		Bucket: meta.BucketName(body.Bucket), Prefix: body.Prefix, Depth: body.Depth, Delimiter: body.Delimiter,
		Largest: body.Largest,
	})
	switch {
	case errors.Is(err, meta.ErrNoSuchBucket):
		rq.name = body.Bucket // the problem names it
		return err
	case errors.Is(err, backend.ErrTooManyReports):
		rq.w.Header().Set("Retry-After", "5")
		return problem("TooManyReports", http.StatusTooManyRequests,
			"The server is making several reports already: wait for them, or delete one.")
	case err != nil:
		return err
	}
	rq.w.Header().Set("Location", adminapi.Prefix+"reports/"+report.ID)
	return rq.answer(http.StatusAccepted, reportDocument(report))
}

func getReports(rq *request) error {
	answer := adminapi.Reports{Reports: []adminapi.Report{}}
	for _, r := range rq.handler.config.Store.Reports() {
		d := reportDocument(r)
		d.Result = nil
		answer.Reports = append(answer.Reports, d)
	}
	return rq.answer(http.StatusOK, answer)
}

func getReport(rq *request) error {
	report, err := rq.handler.config.Store.Report(rq.name)
	if err != nil {
		return noSuchReport()
	}
	return rq.answer(http.StatusOK, reportDocument(report))
}

func deleteReport(rq *request) error {
	if err := rq.handler.config.Store.DeleteReport(rq.name); err != nil {
		return noSuchReport()
	}
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}

func noSuchReport() error {
	return problem("NoSuchReport", http.StatusNotFound, "There is no such report, or no more.")
}

func reportDocument(r backend.Report) adminapi.Report {
	d := adminapi.Report{
		ID: r.ID, State: string(r.State), Created: r.Created.UTC(), Snapshot: optionalTime(r.Snapshot),
		Finished: optionalTime(r.Finished), Read: r.Read, Of: r.Of,
		NewReport: adminapi.NewReport{
			Bucket: string(r.Input.Bucket), Prefix: r.Input.Prefix, Depth: r.Input.Depth, Delimiter: r.Input.Delimiter,
			Largest: r.Input.Largest,
		},
	}
	switch {
	case errors.Is(r.Err, meta.ErrNoSuchBucket):
		d.Detail = "The bucket is gone."
	case r.Err != nil:
		d.Detail = "The server failed; its log says more."
	}
	if b := r.Breakdown; b != nil {
		d.Result = breakdownDocument(b)
	}
	return d
}

func breakdownDocument(b *backend.Breakdown) *adminapi.Breakdown {
	d := &adminapi.Breakdown{Total: spaceDocument(b.Total), Other: spaceDocument(b.Other), OtherPrefixes: b.OtherPrefixes}
	for _, p := range b.Prefixes {
		d.Prefixes = append(d.Prefixes, adminapi.PrefixSpace{Prefix: p.Prefix, Space: spaceDocument(p.Space)})
	}
	for _, v := range b.Largest {
		d.Largest = append(d.Largest, adminapi.LargeVersion{
			Key: string(v.Key), VersionID: string(v.Version), Bytes: v.Size, Modified: v.Modified.UTC(),
			Noncurrent: v.Noncurrent,
		})
	}
	return d
}

func spaceDocument(s backend.Space) adminapi.Space {
	return adminapi.Space{
		Bytes: s.Bytes, Objects: s.Objects, NoncurrentBytes: s.NoncurrentBytes, NoncurrentObjects: s.Noncurrent,
		DeleteMarkers: s.Markers,
	}
}

// validKey says whether text can be a key, or begin one.
func validKey(text string) bool { return len(text) <= backend.MaxKeyBytes && utf8.ValidString(text) }
