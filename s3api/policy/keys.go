package policy

import "strings"

// Condition keys are compared without regard to case, but for the tag's name in keys like s3:ExistingObjectTag/Project.
// Inside the package, and towards Request.Values, they are in lower case.

// globalKeys are the keys of every service. A name that ends in a slash stands for all keys that begin with it.
var globalKeys = keySet(
	"aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:CurrentTime", "aws:EpochTime",
	"aws:FederatedProvider", "aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:PrincipalAccount",
	"aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
	"aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:PrincipalTag/", "aws:PrincipalType",
	"aws:Referer", "aws:RequestTag/",
	"aws:RequestedRegion", "aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:ResourceTag/",
	"aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity", "aws:SourceIp", "aws:SourceOrgID",
	"aws:SourceOrgPaths", "aws:SourceOwner", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:TagKeys",
	"aws:TokenIssueTime", "aws:UserAgent", "aws:ViaAWSService", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths",
	"aws:VpcSourceIp", "aws:userid", "aws:username",
)

// everyActionKeys are the keys of S3 that any of its actions may be conditioned on.
var everyActionKeys = keySet(
	"s3:AccessGrantsInstanceArn", "s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:authType", "s3:BucketTag/",
	"s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:ResourceAccount", "s3:signatureAge", "s3:signatureversion",
	"s3:TlsVersion", "s3:x-amz-content-sha256",
)

// The actions that share their keys.
var (
	listings     = keySet("s3:ListBucket", "s3:ListBucketVersions")
	bucketACLs   = []string{"s3:CreateBucket", "s3:PutBucketAcl"}
	objectACLs   = []string{"s3:PutObjectAcl", "s3:PutObjectVersionAcl"}
	objectWrites = []string{"s3:PutObject", "s3:BypassGovernanceRetention"}
	aclWrites    = keySet(append(append(objectWrites[:2:2], objectACLs...), bucketACLs...)...)
	writes       = keySet(objectWrites...)
	encrypting   = keySet(append(objectWrites[:2:2], "s3:ReplicateObject")...)
	tagWrites    = append(objectWrites[:2:2], "s3:PutObjectTagging", "s3:PutObjectVersionTagging")
	retaining    = keySet(append(objectWrites[:2:2], "s3:PutObjectRetention")...)
	conditional  = keySet("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion")
)

// actionKeys are the keys of S3 that only some actions may be conditioned on, with those actions.
var actionKeys = map[string]map[string]bool{
	"s3:prefix":             listings,
	"s3:delimiter":          listings,
	"s3:max-keys":           listings,
	"s3:locationconstraint": keySet("s3:CreateBucket"),
	"s3:versionid": keySet(
		"s3:DeleteObjectVersion", "s3:DeleteObjectVersionTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl",
		"s3:GetObjectVersionAttributes", "s3:GetObjectVersionTagging", "s3:GetObjectVersionTorrent",
		"s3:PutObjectVersionAcl", "s3:PutObjectVersionTagging",
	),
	"s3:existingobjecttag/": keySet(
		"s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging", "s3:GetObject", "s3:GetObjectAcl",
		"s3:GetObjectAttributes", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl",
		"s3:GetObjectVersionAttributes", "s3:GetObjectVersionTagging", "s3:PutObjectAcl", "s3:PutObjectTagging",
		"s3:PutObjectVersionAcl", "s3:PutObjectVersionTagging",
	),
	"s3:requestobjecttag/":         keySet(tagWrites...),
	"s3:requestobjecttagkeys":      keySet(tagWrites...),
	"s3:x-amz-acl":                 aclWrites,
	"s3:x-amz-grant-full-control":  aclWrites,
	"s3:x-amz-grant-read":          aclWrites,
	"s3:x-amz-grant-read-acp":      aclWrites,
	"s3:x-amz-grant-write":         aclWrites,
	"s3:x-amz-grant-write-acp":     aclWrites,
	"s3:x-amz-object-ownership":    keySet("s3:CreateBucket"),
	"s3:x-amz-copy-source":         writes,
	"s3:x-amz-metadata-directive":  writes,
	"s3:x-amz-storage-class":       keySet(append(objectWrites[:2:2], objectACLs...)...),
	"s3:objectcreationoperation":   keySet("s3:PutObject"),
	"s3:if-match":                  conditional,
	"s3:if-none-match":             conditional,
	"s3:object-lock-mode":          retaining,
	"s3:object-lock-legal-hold":    keySet(append(objectWrites[:2:2], "s3:PutObjectLegalHold")...),
	"s3:destinationregion":         keySet("s3:PauseReplication"),
	"s3:isreplicationpauserequest": keySet("s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"),

	"s3:object-lock-retain-until-date":                   retaining,
	"s3:object-lock-remaining-retention-days":            retaining,
	"s3:inventoryaccessibleoptionalfields":               keySet("s3:PutInventoryConfiguration"),
	"s3:x-amz-server-side-encryption":                    encrypting,
	"s3:x-amz-server-side-encryption-aws-kms-key-id":     encrypting,
	"s3:x-amz-server-side-encryption-customer-algorithm": encrypting,
	"s3:x-amz-website-redirect-location":                 writes,
}

// keySet makes a set of names in lower case.
func keySet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[strings.ToLower(name)] = true
	}
	return set
}

// canonicalKey returns a condition key as the package compares it.
func canonicalKey(key string) string {
	family, tag, tagged := strings.Cut(key, "/")
	if !tagged {
		return strings.ToLower(key)
	}
	return strings.ToLower(family) + "/" + tag
}

// keyFamily returns a canonical key without its tag: "s3:existingobjecttag/" for s3:existingobjecttag/Project.
func keyFamily(key string) string {
	if i := strings.IndexByte(key, '/'); i >= 0 && i < len(key)-1 {
		return key[:i+1]
	}
	return key
}

// wellFormedKey reports whether a canonical key is of the form service:name.
func wellFormedKey(key string) bool {
	service, name, ok := strings.Cut(key, ":")
	return ok && service != "" && name != "" && !strings.ContainsAny(service, " /")
}

// knownKey reports whether S3 has a canonical key. A family without a tag is none.
func knownKey(key string) bool {
	if strings.HasSuffix(key, "/") {
		return false
	}
	family := keyFamily(key)
	_, some := actionKeys[family]
	return some || globalKeys[family] || everyActionKeys[family]
}

// keyApplies reports whether an action, given as a pattern, may be conditioned on the known keys of a family: an action
// that is named must have the key, of those that wildcards stand for one.
func keyApplies(family, pattern string) bool {
	of, restricted := actionKeys[family]
	return !restricted || covers(pattern, func(a action) bool { return of[a.lower] })
}
