package bolt

import (
	"bytes"
	"context"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// Uploads returns a page of a bucket's unfinished uploads, in the order of key, then id.
func (r *Repository) Uploads(ctx context.Context, req meta.UploadsRequest) (page meta.UploadsPage, err error) {
	if req.Limit < 1 {
		return meta.UploadsPage{}, errLimit
	}
	err = r.view(ctx, func(s snapshot) error {
		if err := requireBucket(s, req.Bucket); err != nil {
			return err
		}
		page, err = listUploads(s.table(tableUploads).Cursor(), req)
		return err
	})
	if err != nil {
		return meta.UploadsPage{}, err
	}
	return page, nil
}

func listUploads(c *cursor, req meta.UploadsRequest) (meta.UploadsPage, error) {
	var (
		page   meta.UploadsPage
		base   = bucketPrefix(req.Bucket)
		prefix = appendEscaped(bytes.Clone(base), req.Prefix)
	)
	k, v := c.Seek(uploadsStart(base, prefix, req))
	for bytes.HasPrefix(k, prefix) {
		if len(page.Entries) == req.Limit {
			page.Truncated = true
			break
		}
		u, err := decodeUpload(k, v)
		if err != nil {
			return meta.UploadsPage{}, err
		}
		if common, found := commonPrefix(string(u.Key), req.Prefix, req.Delimiter); found {
			page.Entries = append(page.Entries, meta.UploadEntry{Prefix: common})
			k, v = c.Seek(successor(appendEscaped(bytes.Clone(base), common)))
			continue
		}
		page.Entries = append(page.Entries, meta.UploadEntry{Upload: &u})
		k, v = c.Next()
	}
	return page, nil
}

// uploadsStart returns the smallest table key that the page may begin with.
func uploadsStart(base, prefix []byte, req meta.UploadsRequest) []byte {
	start := base
	switch common, found := commonPrefix(req.KeyMarker, req.Prefix, req.Delimiter); {
	case found:
		start = successor(appendEscaped(bytes.Clone(base), common))
	case req.KeyMarker != "" && req.UploadMarker != "":
		start = successor(uploadKey(req.Bucket, meta.Key(req.KeyMarker), req.UploadMarker))
	case req.KeyMarker != "":
		start = successor(appendTerminated(bytes.Clone(base), req.KeyMarker))
	}
	if bytes.Compare(start, prefix) < 0 {
		return prefix
	}
	return start
}
