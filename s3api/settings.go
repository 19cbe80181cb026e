package s3api

import (
	"github.com/plimsoll/plimsoll/backend/meta"
)

// newSettings are what an object that the request writes is created with besides its attributes: tags, locks and grants,
// each with the permission that it needs.
func (rq *request) newSettings() (meta.Settings, error) {
	var s meta.Settings
	var err error
	if s.Tags, err = headerTags(headerOf(rq.r.Header, "X-Amz-Tagging")); err != nil {
		return s, err
	}
	if len(s.Tags) > 0 {
		if err := rq.allow(permission{action: "s3:PutObjectTagging"}, rq.access, rq.key); err != nil {
			return s, err
		}
	}
	if err := rq.newLocks(&s); err != nil {
		return s, err
	}
	s.ACL, err = rq.newObjectACL()
	return s, err
}
