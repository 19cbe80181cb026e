package admin

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
)

func getBuckets(rq *request) error {
	buckets, err := rq.handler.config.Store.ListBuckets(rq.r.Context())
	if err != nil {
		return err
	}
	answer := adminapi.Buckets{Buckets: []adminapi.Bucket{}}
	for _, b := range buckets {
		answer.Buckets = append(answer.Buckets, bucketDocument(b))
	}
	return rq.answer(http.StatusOK, answer)
}

func getBucket(rq *request) error {
	bucket, err := rq.handler.config.Store.GetBucket(rq.r.Context(), meta.BucketName(rq.name))
	if err != nil {
		return err
	}
	rq.w.Header().Set("ETag", documentETag(bucketDocument(bucket)))
	return rq.answer(http.StatusOK, bucketDocument(bucket))
}

func bucketDocument(b meta.Bucket) adminapi.Bucket {
	return adminapi.Bucket{Name: string(b.Name), Created: b.Created.UTC(), Owner: b.Owner}
}

func putBucket(rq *request) error {
	if !s3api.ValidBucketName(rq.name) {
		return problem("InvalidBucketName", http.StatusBadRequest, fmt.Sprintf(
			"%q is not a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, "+
				"beginning and ending with a letter or digit.", rq.name))
	}
	limit := rq.handler.config.Store.Defaults().Bucket
	if len(rq.body) > 0 {
		body, err := rq.limit()
		if err != nil {
			return err
		}
		limit = body.over(limit)
	}
	if rq.conditional() {
		// If-Match asks for one that is there, and none is replaced.
		if _, err := rq.knownBucket(); err != nil && !errors.Is(err, meta.ErrNoSuchBucket) {
			return err
		} else if err != nil {
			return rq.condition("")
		}
	}
	bucket := backend.CreateBucketInput{
		Name: meta.BucketName(rq.name), Owner: rq.who.Name, Limit: limit, NoDefaults: true,
	}
	if err := rq.handler.config.Store.CreateBucket(rq.r.Context(), bucket); err != nil {
		return rq.taken(err, meta.ErrBucketExists)
	}
	made, err := rq.handler.config.Store.GetBucket(rq.r.Context(), bucket.Name)
	if err != nil {
		return err
	}
	rq.note(nil, struct {
		adminapi.Bucket
		MaxBytes   int64 `json:"max_bytes"`
		MaxObjects int64 `json:"max_objects"`
	}{bucketDocument(made), limit.MaxBytes, limit.MaxObjects})
	rq.w.Header().Set("ETag", documentETag(bucketDocument(made)))
	return rq.answerAccount(http.StatusCreated)
}

// knownBucket returns the bucket that the path names, if it is the one that the conditions say.
func (rq *request) knownBucket() (adminapi.Bucket, error) {
	bucket, err := rq.handler.config.Store.GetBucket(rq.r.Context(), meta.BucketName(rq.name))
	if err != nil {
		return adminapi.Bucket{}, err
	}
	known := bucketDocument(bucket)
	return known, rq.condition(documentETag(known))
}

// deleteBucket removes the bucket. A bucket has nothing else that an administrator changes here, so the ETag tells it
// from one that was made later under its name.
func deleteBucket(rq *request) error {
	known, err := rq.knownBucket()
	if err != nil {
		return err
	}
	rq.note(known, nil)
	if err := rq.handler.config.Store.DeleteBucket(rq.r.Context(), meta.BucketName(rq.name)); err != nil {
		return err
	}
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}
