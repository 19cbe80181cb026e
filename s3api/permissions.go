package s3api

import "github.com/plimsoll/plimsoll/s3api/acl"

// permission is what a request needs: an action of IAM's, or a grant of an access control list instead.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping
type permission struct {
	action string
	// grant is what of the bucket's list allows the action, or of the object's where ofObject is set; 0 where no grant
	// does.
	grant    acl.Permission
	ofObject bool
	// ofUpload says that the action is on an upload: a list lets do it who may have begun that, and nobody does so
	// anonymously.
	ofUpload bool
	// version is the one that is named; empty for the latest.
	version string
}

// permissions of the operations that need one, for what their path names. Operations that are not here ask for what they
// need themselves: theirs is several keys, or a source beside the destination, or is known from the body only.
var permissions = map[string]permission{
	"CreateBucket":         {action: "s3:CreateBucket"},
	"DeleteBucket":         {action: "s3:DeleteBucket"},
	"HeadBucket":           {action: "s3:ListBucket", grant: acl.Read},
	"GetBucketLocation":    {action: "s3:GetBucketLocation"},
	"ListObjects":          {action: "s3:ListBucket", grant: acl.Read},
	"ListObjectsV2":        {action: "s3:ListBucket", grant: acl.Read},
	"ListObjectVersions":   {action: "s3:ListBucketVersions", grant: acl.Read},
	"ListMultipartUploads": {action: "s3:ListBucketMultipartUploads", grant: acl.Read},

	"GetBucketAccelerateConfiguration":            {action: "s3:GetAccelerateConfiguration"},
	"PutBucketAccelerateConfiguration":            {action: "s3:PutAccelerateConfiguration"},
	"GetBucketAcl":                                {action: "s3:GetBucketAcl", grant: acl.ReadACP},
	"PutBucketAcl":                                {action: "s3:PutBucketAcl", grant: acl.WriteACP},
	"GetBucketAnalyticsConfiguration":             {action: "s3:GetAnalyticsConfiguration"},
	"PutBucketAnalyticsConfiguration":             {action: "s3:PutAnalyticsConfiguration"},
	"DeleteBucketAnalyticsConfiguration":          {action: "s3:PutAnalyticsConfiguration"},
	"GetBucketCors":                               {action: "s3:GetBucketCORS"},
	"PutBucketCors":                               {action: "s3:PutBucketCORS"},
	"DeleteBucketCors":                            {action: "s3:PutBucketCORS"},
	"GetBucketEncryption":                         {action: "s3:GetEncryptionConfiguration"},
	"PutBucketEncryption":                         {action: "s3:PutEncryptionConfiguration"},
	"DeleteBucketEncryption":                      {action: "s3:PutEncryptionConfiguration"},
	"GetBucketInventoryConfiguration":             {action: "s3:GetInventoryConfiguration"},
	"PutBucketInventoryConfiguration":             {action: "s3:PutInventoryConfiguration"},
	"DeleteBucketInventoryConfiguration":          {action: "s3:PutInventoryConfiguration"},
	"GetBucketLifecycleConfiguration":             {action: "s3:GetLifecycleConfiguration"},
	"PutBucketLifecycleConfiguration":             {action: "s3:PutLifecycleConfiguration"},
	"DeleteBucketLifecycle":                       {action: "s3:PutLifecycleConfiguration"},
	"GetBucketLogging":                            {action: "s3:GetBucketLogging"},
	"PutBucketLogging":                            {action: "s3:PutBucketLogging"},
	"GetBucketMetricsConfiguration":               {action: "s3:GetMetricsConfiguration"},
	"PutBucketMetricsConfiguration":               {action: "s3:PutMetricsConfiguration"},
	"DeleteBucketMetricsConfiguration":            {action: "s3:PutMetricsConfiguration"},
	"GetBucketNotificationConfiguration":          {action: "s3:GetBucketNotification"},
	"PutBucketNotificationConfiguration":          {action: "s3:PutBucketNotification"},
	"GetObjectLockConfiguration":                  {action: "s3:GetBucketObjectLockConfiguration"},
	"PutObjectLockConfiguration":                  {action: "s3:PutBucketObjectLockConfiguration"},
	"GetBucketOwnershipControls":                  {action: "s3:GetBucketOwnershipControls"},
	"PutBucketOwnershipControls":                  {action: "s3:PutBucketOwnershipControls"},
	"DeleteBucketOwnershipControls":               {action: "s3:PutBucketOwnershipControls"},
	"GetBucketPolicy":                             {action: "s3:GetBucketPolicy"},
	"PutBucketPolicy":                             {action: "s3:PutBucketPolicy"},
	"DeleteBucketPolicy":                          {action: "s3:DeleteBucketPolicy"},
	"GetBucketPolicyStatus":                       {action: "s3:GetBucketPolicyStatus"},
	"GetPublicAccessBlock":                        {action: "s3:GetBucketPublicAccessBlock"},
	"PutPublicAccessBlock":                        {action: "s3:PutBucketPublicAccessBlock"},
	"DeletePublicAccessBlock":                     {action: "s3:PutBucketPublicAccessBlock"},
	"GetBucketReplication":                        {action: "s3:GetReplicationConfiguration"},
	"PutBucketReplication":                        {action: "s3:PutReplicationConfiguration"},
	"DeleteBucketReplication":                     {action: "s3:PutReplicationConfiguration"},
	"GetBucketRequestPayment":                     {action: "s3:GetBucketRequestPayment"},
	"PutBucketRequestPayment":                     {action: "s3:PutBucketRequestPayment"},
	"GetBucketTagging":                            {action: "s3:GetBucketTagging"},
	"PutBucketTagging":                            {action: "s3:PutBucketTagging"},
	"DeleteBucketTagging":                         {action: "s3:PutBucketTagging"},
	"GetBucketVersioning":                         {action: "s3:GetBucketVersioning"},
	"PutBucketVersioning":                         {action: "s3:PutBucketVersioning"},
	"GetBucketWebsite":                            {action: "s3:GetBucketWebsite"},
	"PutBucketWebsite":                            {action: "s3:PutBucketWebsite"},
	"DeleteBucketWebsite":                         {action: "s3:DeleteBucketWebsite"},
	"GetBucketIntelligentTieringConfiguration":    {action: "s3:GetIntelligentTieringConfiguration"},
	"PutBucketIntelligentTieringConfiguration":    {action: "s3:PutIntelligentTieringConfiguration"},
	"DeleteBucketIntelligentTieringConfiguration": {action: "s3:PutIntelligentTieringConfiguration"},

	"GetObject":               {action: "s3:GetObject", grant: acl.Read, ofObject: true},
	"HeadObject":              {action: "s3:GetObject", grant: acl.Read, ofObject: true},
	"GetObjectAttributes":     {action: "s3:GetObjectAttributes", grant: acl.Read, ofObject: true},
	"GetObjectAcl":            {action: "s3:GetObjectAcl", grant: acl.ReadACP, ofObject: true},
	"PutObjectAcl":            {action: "s3:PutObjectAcl", grant: acl.WriteACP, ofObject: true},
	"GetObjectTagging":        {action: "s3:GetObjectTagging"},
	"PutObjectTagging":        {action: "s3:PutObjectTagging"},
	"DeleteObjectTagging":     {action: "s3:DeleteObjectTagging"},
	"GetObjectRetention":      {action: "s3:GetObjectRetention"},
	"PutObjectRetention":      {action: "s3:PutObjectRetention"},
	"GetObjectLegalHold":      {action: "s3:GetObjectLegalHold"},
	"PutObjectLegalHold":      {action: "s3:PutObjectLegalHold"},
	"RestoreObject":           {action: "s3:RestoreObject"},
	"PutObject":               {action: "s3:PutObject", grant: acl.Write},
	"CopyObject":              {action: "s3:PutObject", grant: acl.Write},
	"CreateMultipartUpload":   {action: "s3:PutObject", grant: acl.Write},
	"UploadPart":              {action: "s3:PutObject", grant: acl.Write},
	"UploadPartCopy":          {action: "s3:PutObject", grant: acl.Write},
	"CompleteMultipartUpload": {action: "s3:PutObject", grant: acl.Write},
	"AbortMultipartUpload":    {action: "s3:AbortMultipartUpload", grant: acl.Write, ofUpload: true},
	"ListParts":               {action: "s3:ListMultipartUploadParts", grant: acl.Read, ofUpload: true},
	"DeleteObject":            {action: "s3:DeleteObject", grant: acl.Write},
}

// versionActions are the actions on a version that is named, where S3 has another for it.
var versionActions = map[string]string{
	"s3:GetObject":           "s3:GetObjectVersion",
	"s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
	"s3:GetObjectAcl":        "s3:GetObjectVersionAcl",
	"s3:PutObjectAcl":        "s3:PutObjectVersionAcl",
	"s3:GetObjectTagging":    "s3:GetObjectVersionTagging",
	"s3:PutObjectTagging":    "s3:PutObjectVersionTagging",
	"s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
	"s3:DeleteObject":        "s3:DeleteObjectVersion",
}

// on returns the permission for a version; empty is the latest.
func (p permission) on(version string) permission {
	if version == "" {
		return p
	}
	p.version = version
	if action, ok := versionActions[p.action]; ok {
		p.action = action
	}
	if p.action == "s3:DeleteObjectVersion" {
		p.grant = 0 // lists let others write, and nobody but the owner remove for good
	}
	return p
}

// readsBody says that conditions on what the operation sets can be judged when its body has been read: the operation asks
// for its permission itself then.
func (p permission) readsBody() bool {
	switch p.action {
	case "s3:PutObjectTagging", "s3:PutObjectRetention", "s3:PutObjectLegalHold":
		return true
	}
	return false
}
