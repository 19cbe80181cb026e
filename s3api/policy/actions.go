package policy

import "strings"

// ResourceType is what an action is done to.
type ResourceType uint8

// The types of resource that actions of general purpose buckets have.
const (
	// AccountResource is no bucket in particular: such actions match the resource "*" only.
	AccountResource ResourceType = iota
	// BucketResource is arn:aws:s3:::bucket.
	BucketResource
	// ObjectResource is arn:aws:s3:::bucket/key.
	ObjectResource
)

// actionNames are the actions of S3's service authorization reference that concern general purpose buckets, without
// their "s3:". Those of access points, access grants, batch jobs and Storage Lens are left out.
var actionNames = [...][]string{
	AccountResource: {
		"GetAccountPublicAccessBlock", "ListAllMyBuckets", "PutAccountPublicAccessBlock",
	},
	BucketResource: {
		"CreateBucket", "CreateBucketMetadataTableConfiguration", "DeleteBucket", "DeleteBucketMetadataTableConfiguration",
		"DeleteBucketPolicy", "DeleteBucketWebsite", "GetAccelerateConfiguration", "GetAnalyticsConfiguration",
		"GetBucketAbac", "GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging",
		"GetBucketMetadataTableConfiguration", "GetBucketNotification", "GetBucketObjectLockConfiguration",
		"GetBucketOwnershipControls", "GetBucketPolicy", "GetBucketPolicyStatus", "GetBucketPublicAccessBlock",
		"GetBucketRequestPayment", "GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite",
		"GetEncryptionConfiguration", "GetIntelligentTieringConfiguration", "GetInventoryConfiguration",
		"GetLifecycleConfiguration", "GetMetricsConfiguration", "GetReplicationConfiguration", "ListBucket",
		"ListBucketMultipartUploads", "ListBucketVersions", "ListTagsForResource", "PauseReplication",
		"PutAccelerateConfiguration", "PutAnalyticsConfiguration", "PutBucketAbac", "PutBucketAcl", "PutBucketCORS",
		"PutBucketLogging", "PutBucketNotification", "PutBucketObjectLockConfiguration", "PutBucketOwnershipControls",
		"PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketRequestPayment", "PutBucketTagging",
		"PutBucketVersioning", "PutBucketWebsite", "PutEncryptionConfiguration", "PutIntelligentTieringConfiguration",
		"PutInventoryConfiguration", "PutLifecycleConfiguration", "PutMetricsConfiguration",
		"PutReplicationConfiguration", "TagResource", "UntagResource",
		"UpdateBucketMetadataInventoryTableConfiguration", "UpdateBucketMetadataJournalTableConfiguration",
	},
	ObjectResource: {
		"AbortMultipartUpload", "BypassGovernanceRetention", "DeleteObject", "DeleteObjectTagging", "DeleteObjectVersion",
		"DeleteObjectVersionTagging", "GetObject", "GetObjectAcl", "GetObjectAttributes", "GetObjectLegalHold",
		"GetObjectRetention", "GetObjectTagging", "GetObjectTorrent", "GetObjectVersion", "GetObjectVersionAcl",
		"GetObjectVersionAttributes", "GetObjectVersionForReplication", "GetObjectVersionTagging",
		"GetObjectVersionTorrent", "InitiateReplication", "ListMultipartUploadParts", "ObjectOwnerOverrideToBucketOwner",
		"PutObject", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging", "PutObjectVersionAcl",
		"PutObjectVersionTagging", "ReplicateDelete", "ReplicateObject", "ReplicateTags", "RestoreObject",
	},
}

const servicePrefix = "s3:"

// action is an action of S3.
type action struct {
	lower    string // in lower case, with its prefix: actions are compared without regard to case
	resource ResourceType
}

// actions are all actions by the name that S3 spells.
var actions = func() map[string]action {
	byName := map[string]action{}
	for resource, names := range actionNames {
		for _, name := range names {
			name = servicePrefix + name
			byName[name] = action{lower: strings.ToLower(name), resource: ResourceType(resource)}
		}
	}
	return byName
}()

// ActionResource returns what an action of S3, as S3 spells it ("s3:GetObject"), is done to, and whether there is such
// an action.
func ActionResource(name string) (ResourceType, bool) {
	a, ok := actions[name]
	return a.resource, ok
}

// lowerAction returns the form in which actions are compared; for those of S3 it is at hand.
func lowerAction(name string) string {
	if a, ok := actions[name]; ok {
		return a.lower
	}
	return strings.ToLower(name)
}

// actionPattern makes the pattern of an action, of S3 only in a bucket policy.
func (c *compiler) actionPattern(text string) (string, error) {
	pattern := patternOf(strings.ToLower(text))
	if pattern == star {
		return pattern, nil
	}
	service, name, ok := strings.Cut(pattern, ":")
	if !ok || name == "" || !actionText(service) || !actionText(name) {
		return "", malformed(msgAction)
	}
	if c.identity {
		return pattern, nil
	}
	if hasWildcard(service) || !covers(pattern, func(action) bool { return true }) {
		return "", malformed(msgAction)
	}
	return pattern, nil
}

// covers reports whether a pattern matches an action of S3 that has a property.
func covers(pattern string, has func(action) bool) bool {
	for _, a := range actions {
		if has(a) && match(pattern, a.lower) {
			return true
		}
	}
	return false
}

// actionText reports whether a service or an action is made of what such names are made of.
func actionText(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '-', b == anyText, b == anyCharacter:
		default:
			return false
		}
	}
	return s != ""
}
