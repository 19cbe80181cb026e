package s3api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// What tags may be. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const (
	maxObjectTags    = 10
	maxBucketTags    = 50
	maxTagKeyRunes   = 128
	maxTagValueRunes = 256
)

// configTagging is a bucket's tags, as JSON.
const configTagging meta.ConfigKind = "tagging"

type tagging struct {
	TagSet *tagSet `xml:"TagSet"`
}

type tagSet struct {
	Tags []struct {
		Key   string `xml:"Key"`
		Value string `xml:"Value"`
	} `xml:"Tag"`
}

// checkTags refuses tags that S3 does not take.
func checkTags(tags []meta.Tag, most int) error {
	if len(tags) > most {
		if most == maxObjectTags {
			return s3err("BadRequest", "Object tags cannot be greater than "+itoa(most))
		}
		return s3err("BadRequest", "Bucket tag count cannot be greater than "+itoa(most))
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > maxTagKeyRunes || !isTagText(t.Key):
			return s3err("InvalidTag", "The TagKey you have provided is invalid").with("TagKey", t.Key)
		case utf8.RuneCountInString(t.Value) > maxTagValueRunes || !isTagText(t.Value):
			return s3err("InvalidTag", "The TagValue you have provided is invalid").
				with("TagKey", t.Key).with("TagValue", t.Value)
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return s3err("InvalidTag", "System tags cannot be added/updated by requester").with("TagKey", t.Key)
		case seen[t.Key]:
			return s3err("InvalidTag", "Cannot provide multiple Tags with the same key").with("TagKey", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

// isTagText reports whether a text is made of letters, digits, spaces and the signs that tags may have.
func isTagText(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsSpace(r) && !unicode.IsMark(r) &&
			!strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// headerTags reads x-amz-tagging: tags as a query has parameters, in their order.
func headerTags(value string) ([]meta.Tag, error) {
	if value == "" {
		return nil, nil
	}
	var tags []meta.Tag
	for pair := range strings.SplitSeq(value, "&") {
		if pair == "" {
			continue
		}
		key, text, _ := strings.Cut(pair, "=")
		key, keyErr := url.QueryUnescape(key)
		text, textErr := url.QueryUnescape(text)
		twice := slices.ContainsFunc(tags, func(t meta.Tag) bool { return t.Key == key })
		if keyErr != nil || textErr != nil || key == "" || twice {
			return nil, invalidArgument("x-amz-tagging", value,
				"The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
		}
		tags = append(tags, meta.Tag{Key: key, Value: text})
	}
	return tags, checkTags(tags, maxObjectTags)
}

// documentTags reads a Tagging document.
func (rq *request) documentTags(most int) ([]meta.Tag, error) {
	var in tagging
	if err := rq.readXML("Tagging", maxConfigBytes, &in); err != nil {
		return nil, err
	}
	if in.TagSet == nil {
		return nil, s3err("MalformedXML")
	}
	return in.TagSet.tags(most)
}

func (s *tagSet) tags(most int) ([]meta.Tag, error) {
	tags := make([]meta.Tag, 0, len(s.Tags))
	for _, t := range s.Tags {
		tags = append(tags, meta.Tag{Key: t.Key, Value: t.Value})
	}
	return tags, checkTags(tags, most)
}

// writeTags answers with tags. S3 promises no order; some clients count on one by their keys.
func (rq *request) writeTags(tags []meta.Tag) error {
	tags = slices.SortedFunc(slices.Values(tags), func(a, b meta.Tag) int { return strings.Compare(a.Key, b.Key) })
	x := newXML(256 + 128*len(tags))
	x.root("Tagging")
	x.open("TagSet")
	for _, t := range tags {
		x.open("Tag")
		x.text("Key", t.Key)
		x.text("Value", t.Value)
		x.close("Tag")
	}
	x.close("TagSet")
	x.close("Tagging")
	return rq.writeXML(x)
}

// getObjectTagging answers GetObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
func getObjectTagging(rq *request) error {
	object, err := rq.statNamed()
	if err != nil {
		return err
	}
	rq.setVersion(object.Version)
	return rq.writeTags(object.Tags)
}

// putObjectTagging answers PutObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
func putObjectTagging(rq *request) error {
	tags, err := rq.documentTags(maxObjectTags)
	if err != nil {
		return err
	}
	if err := rq.authorizeSettings(meta.Settings{Tags: tags}); err != nil {
		return err
	}
	return rq.replaceTags(tags, http.StatusOK)
}

// deleteObjectTagging answers DeleteObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html
func deleteObjectTagging(rq *request) error { return rq.replaceTags(nil, http.StatusNoContent) }

func (rq *request) replaceTags(tags []meta.Tag, status int) error {
	return rq.updateObject(meta.UpdateObject{Tags: &tags}, status)
}

// updateObject changes settings of the version that the request names, and answers with a status.
func (rq *request) updateObject(update meta.UpdateObject, status int) error {
	version, err := rq.settingsVersion()
	if err != nil {
		return err
	}
	update.Bucket, update.Key, update.Version = rq.bucket, rq.key, version
	changed, err := rq.store().UpdateObject(rq.r.Context(), update)
	if err != nil {
		return err
	}
	rq.setVersion(changed)
	return rq.done(status)
}

// getBucketTagging answers GetBucketTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
func getBucketTagging(rq *request) error {
	raw := rq.access.Configs[configTagging]
	if raw == nil {
		return s3err("NoSuchTagSet").with("BucketName", string(rq.bucket))
	}
	var tags []meta.Tag
	if err := json.Unmarshal(raw, &tags); err != nil {
		return err
	}
	return rq.writeTags(tags)
}

// putBucketTagging answers PutBucketTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
func putBucketTagging(rq *request) error {
	tags, err := rq.documentTags(maxBucketTags)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(tags)
	if err != nil {
		return err
	}
	return rq.putConfig(configTagging, raw, http.StatusNoContent)
}

// deleteBucketTagging answers DeleteBucketTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html
func deleteBucketTagging(rq *request) error {
	return rq.putConfig(configTagging, nil, http.StatusNoContent)
}
