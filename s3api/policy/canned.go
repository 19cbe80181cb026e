package policy

import (
	"maps"
	"slices"
)

// canned are identity policies that others have made known by name: MinIO's in lower case, and AWS's managed policies.
var canned = map[string]string{
	"readonly": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["s3:GetBucketLocation","s3:GetObject"],"Resource":["arn:aws:s3:::*"]}]}`,
	"readwrite": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`,
	"writeonly": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["s3:PutObject"],"Resource":["arn:aws:s3:::*"]}]}`,
	"diagnostics": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["admin:BandwidthMonitor","admin:ConsoleLog","admin:OBDInfo","admin:Profiling","admin:Prometheus",` +
		`"admin:ServerInfo","admin:ServerTrace","admin:TopLocksInfo"],"Resource":["arn:aws:s3:::*"]}]}`,
	"consoleAdmin": `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":["admin:*"],"Resource":["arn:aws:s3:::*"]},` +
		`{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`,
	"AmazonS3FullAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}`,
	"AmazonS3ReadOnlyAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
		`"Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],` +
		`"Resource":"*"}]}`,
}

// Canned returns the document of a well-known identity policy, and whether there is one of that name.
func Canned(name string) (document string, ok bool) {
	document, ok = canned[name]
	return document, ok
}

// CannedNames returns the names of the well-known identity policies, sorted.
func CannedNames() []string { return slices.Sorted(maps.Keys(canned)) }
