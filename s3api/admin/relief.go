package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

// maxUploadsPage is how many uploads a page has at most.
const maxUploadsPage = 1000

func getUploadSummaries(rq *request) error {
	store := rq.handler.config.Store
	oldest, err := store.OldestUploads(rq.r.Context(), quota.ServerScope)
	if err != nil {
		return err
	}
	answer := adminapi.UploadSummaries{Buckets: []adminapi.UploadSummary{}}
	for _, a := range store.Accounts() {
		if a.Scope.Kind == quota.Bucket && a.Usage.Uploads > 0 {
			answer.Buckets = append(answer.Buckets, adminapi.UploadSummary{
				Bucket: a.Scope.Name, Uploads: a.Usage.Uploads, Bytes: a.Usage.PartBytes,
				Oldest: optionalTime(oldest[a.Scope]),
			})
		}
	}
	return rq.answer(http.StatusOK, answer)
}

func getUploads(rq *request) error {
	values, err := rq.parameters("prefix", "older_than_seconds", "key", "upload_id", "after_key", "after_upload_id", "limit")
	if err != nil {
		return err
	}
	limit, err := integer(values, "limit", maxUploadsPage, 1, maxUploadsPage)
	if err != nil {
		return err
	}
	seconds, err := integer(values, "older_than_seconds", 0, 0, maxAgeSeconds)
	if err != nil {
		return err
	}
	body := adminapi.UploadFilter{
		Prefix: values.Get("prefix"), OlderThanSeconds: &seconds, Key: values.Get("key"), UploadID: values.Get("upload_id"),
	}
	if values.Has("after_key") || values.Has("after_upload_id") {
		body.After = &adminapi.UploadPosition{Key: values.Get("after_key"), UploadID: values.Get("after_upload_id")}
	}
	filter, err := rq.uploadFilter(body)
	if err != nil {
		return err
	}
	found, err := rq.handler.config.Store.FindUploads(rq.r.Context(), filter, int(limit))
	if err != nil {
		return uploadProblem(err)
	}
	answer := adminapi.Uploads{Uploads: []adminapi.Upload{}, Next: uploadPosition(found.Next)}
	for _, u := range found.Uploads {
		answer.Uploads = append(answer.Uploads, adminapi.Upload{
			Key: string(u.Key), UploadID: string(u.ID), Initiated: u.Initiated.UTC(), Owner: u.Owner, Bytes: u.PartBytes,
		})
	}
	return rq.answer(http.StatusOK, answer)
}

func abortUploads(rq *request) error {
	body, err := decode[adminapi.AbortUploads](rq, "older_than_seconds, prefix, key, upload_id, dry_run and after")
	if err != nil {
		return err
	}
	if body.OlderThanSeconds == nil && body.Key == "" {
		return invalidArgument("Give older_than_seconds, which may be 0, or a key: an upload may be under way.")
	}
	filter, err := rq.uploadFilter(body.UploadFilter)
	if err != nil {
		return err
	}
	started := time.Now()
	out, err := rq.handler.config.Store.AbortUploads(rq.r.Context(), filter, body.DryRun)
	if !body.DryRun && out.Uploads > 0 {
		rq.handler.config.Log.Info("uploads aborted", "request_id", rq.id, "by", rq.who.Name, "bucket", rq.name,
			"older_than", filter.OlderThan, "prefix", filter.Prefix, "key", filter.Key, "uploads", out.Uploads,
			"bytes", out.Bytes, "duration", time.Since(started))
	}
	if err != nil {
		return uploadProblem(err)
	}
	answer := adminapi.AbortedUploads{
		Uploads: out.Uploads, Bytes: out.Bytes, DryRun: body.DryRun, Next: uploadPosition(out.Next),
	}
	rq.note(nil, struct {
		adminapi.AbortedUploads
		Asked adminapi.AbortUploads `json:"asked"`
	}{answer, body})
	return rq.answer(http.StatusOK, answer)
}

// uploadFilter checks what chooses uploads.
func (rq *request) uploadFilter(body adminapi.UploadFilter) (f backend.UploadFilter, err error) {
	f = backend.UploadFilter{
		Bucket: meta.BucketName(rq.name), Prefix: body.Prefix, Key: meta.Key(body.Key), ID: meta.UploadID(body.UploadID),
	}
	if !validKey(body.Prefix) || !validKey(body.Key) {
		return f, invalidArgument("prefix or key cannot be that of an upload.")
	}
	if body.Key != "" && body.Prefix != "" {
		return f, invalidArgument("Give a key, or a prefix.")
	}
	if body.UploadID != "" && body.Key == "" {
		return f, invalidArgument("An upload_id is named with its key.")
	}
	if body.OlderThanSeconds != nil {
		if f.OlderThan, err = age(*body.OlderThanSeconds); err != nil {
			return f, err
		}
	}
	if body.After != nil {
		f.After = backend.UploadPosition{Key: meta.Key(body.After.Key), ID: meta.UploadID(body.After.UploadID)}
	}
	return f, nil
}

func uploadPosition(p *backend.UploadPosition) *adminapi.UploadPosition {
	if p == nil {
		return nil
	}
	return &adminapi.UploadPosition{Key: string(p.Key), UploadID: string(p.ID)}
}

func uploadProblem(err error) error {
	switch {
	case errors.Is(err, meta.ErrNoSuchUpload):
		return problem("NoSuchUpload", http.StatusNotFound, "There is no such upload of this key, or none as old.")
	case errors.Is(err, backend.ErrInvalidUploadMarker):
		return invalidArgument("The upload id to go on after is not one.")
	default:
		return err
	}
}

func pruneVersions(rq *request) error {
	body, err := decode[adminapi.Prune](rq, "older_than_seconds, prefix, keep, dry_run and after")
	if err != nil {
		return err
	}
	in, err := rq.pruneInput(body)
	if err != nil {
		return err
	}
	started := time.Now()
	out, err := rq.handler.config.Store.PruneVersions(rq.r.Context(), in)
	if !body.DryRun && out.Versions+out.Markers > 0 {
		rq.handler.config.Log.Info("versions pruned", "request_id", rq.id, "by", rq.who.Name, "bucket", rq.name,
			"older_than", in.OlderThan, "prefix", in.Prefix, "keep", in.Keep, "versions", out.Versions, "bytes", out.Bytes,
			"delete_markers", out.Markers, "locked", out.LockedVersions, "duration", time.Since(started))
	}
	if errors.Is(err, meta.ErrInvalidVersion) {
		return invalidArgument("The version id to go on after is not one.")
	}
	if err != nil {
		return err
	}
	answer := prunedDocument(out, body.DryRun)
	rq.note(nil, struct {
		adminapi.Pruned
		Asked adminapi.Prune `json:"asked"`
	}{answer, body})
	return rq.answer(http.StatusOK, answer)
}

func (rq *request) pruneInput(body adminapi.Prune) (in backend.PruneInput, err error) {
	switch {
	case body.OlderThanSeconds == nil:
		return in, invalidArgument("Give older_than_seconds, which may be 0.")
	case body.Keep < 0:
		return in, invalidArgument("keep is negative.")
	case !validKey(body.Prefix):
		return in, invalidArgument("prefix cannot be that of a key.")
	case body.After != nil && (body.After.Key == "" || body.After.VersionID == "" || body.After.Newer < 0):
		return in, invalidArgument("after is not the next of another call.")
	}
	olderThan, err := age(*body.OlderThanSeconds)
	if err != nil {
		return in, err
	}
	in = backend.PruneInput{
		Bucket: meta.BucketName(rq.name), Prefix: body.Prefix, DryRun: body.DryRun,
		Pruning: lifecycle.Pruning{OlderThan: olderThan, Keep: body.Keep},
	}
	if a := body.After; a != nil {
		in.After = backend.PrunePosition{
			Key: meta.Key(a.Key), Version: meta.VersionID(a.VersionID),
			Position: lifecycle.Position{Since: a.Since, Newer: a.Newer},
		}
	}
	return in, nil
}

func prunedDocument(out backend.PruneOutput, dryRun bool) adminapi.Pruned {
	d := adminapi.Pruned{
		Read: out.Read, Versions: out.Versions, Bytes: out.Bytes, DeleteMarkers: out.Markers,
		LockedVersions: out.LockedVersions, LockedBytes: out.LockedBytes, DryRun: dryRun,
	}
	for _, v := range out.Locked {
		locked := adminapi.LockedVersion{
			Key: string(v.Key), VersionID: string(v.Version), Bytes: v.Size, RetainUntil: optionalTime(v.Retention.Until),
			LegalHold: v.LegalHold,
		}
		switch v.Retention.Mode {
		case meta.RetentionGovernance:
			locked.Mode = "GOVERNANCE"
		case meta.RetentionCompliance:
			locked.Mode = "COMPLIANCE"
		}
		d.Locked = append(d.Locked, locked)
	}
	if n := out.Next; n != nil {
		d.Next = &adminapi.PrunePosition{
			Key: string(n.Key), VersionID: string(n.Version), Since: n.Since.UTC(), Newer: n.Newer,
		}
	}
	return d
}
