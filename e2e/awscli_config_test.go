package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// awsShell runs commands of the AWS CLI in one process; see testdata/aws_cli.py.
type awsShell struct {
	*tool
	commands *json.Encoder
	answers  *bufio.Scanner
}

// awsShell is the CLI's own code, without its start for each command.
func (s *server) awsShell() *awsShell {
	s.t.Helper()
	script, err := filepath.Abs("testdata/aws_cli.py")
	if err != nil {
		s.t.Fatal(err)
	}
	sh := &awsShell{tool: s.client(python(s.t, "awscli"))}
	process := exec.Command(sh.path, script)
	process.Env, process.Dir = sh.env, sh.dir
	in, inErr := process.StdinPipe()
	out, outErr := process.StdoutPipe()
	if err := process.Start(); err != nil || inErr != nil || outErr != nil {
		s.t.Fatal(err, inErr, outErr)
	}
	s.t.Cleanup(func() {
		_ = in.Close() // ends it
		_, _ = io.Copy(io.Discard, out)
		if err := process.Wait(); err != nil {
			s.t.Errorf("aws_cli.py: %v", err)
		}
	})
	sh.commands, sh.answers = json.NewEncoder(in), bufio.NewScanner(out)
	sh.answers.Buffer(nil, mib)
	return sh
}

// try runs "aws s3api" and returns what it prints on both streams.
func (sh *awsShell) try(args ...string) (string, error) {
	sh.t.Helper()
	if err := sh.commands.Encode(append([]string{"s3api"}, args...)); err != nil {
		sh.t.Fatal(err)
	}
	if !sh.answers.Scan() {
		sh.t.Fatalf("aws s3api %q: no answer: %v", args, sh.answers.Err())
	}
	var answer struct {
		Code int
		Out  string
	}
	if err := json.Unmarshal(sh.answers.Bytes(), &answer); err != nil {
		sh.t.Fatal(err)
	}
	if answer.Code != 0 {
		return answer.Out, fmt.Errorf("exit status %d", answer.Code)
	}
	return answer.Out, nil
}

// want runs what must succeed and print all of these, whatever the white space between them.
func (sh *awsShell) want(command []string, wants ...string) string {
	sh.t.Helper()
	out, err := sh.try(command...)
	if err != nil {
		sh.t.Fatalf("aws s3api %q: %v\n%s", command, err, out)
	}
	plain := strings.Join(strings.Fields(out), "")
	for _, want := range wants {
		if !strings.Contains(plain, want) {
			sh.t.Errorf("aws s3api %q lacks %s:\n%s", command, want, out)
		}
	}
	return out
}

// refused fails the test unless the command fails with the code of an error of S3.
func (sh *awsShell) refused(code string, command ...string) {
	sh.t.Helper()
	if out, err := sh.try(command...); err == nil || !strings.Contains(out, "("+code+")") {
		sh.t.Errorf("aws s3api %q: %v, want %s:\n%s", command, err, code, out)
	}
}

// cliConfigurations are the settings of a bucket as the AWS CLI has them: put-NAME, get-NAME, delete-NAME.
var cliConfigurations = []struct {
	name       string
	absent     string // the error's code, or what is printed, where nothing is set
	flag       string
	value      string
	want       []string
	remove     string // the command; some cannot be removed
	afterwards string // like absent, where that differs
}{
	{
		name: "bucket-tagging", absent: "NoSuchTagSet", flag: "tagging",
		value: `{"TagSet":[{"Key":"team","Value":"deck"},{"Key":"empty","Value":""}]}`,
		want:  []string{`{"Key":"team","Value":"deck"}`, `{"Key":"empty","Value":""}`}, remove: "delete-bucket-tagging",
	},
	{
		name: "bucket-policy", absent: "NoSuchBucketPolicy", flag: "policy",
		value: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",` +
			`"Resource":"arn:aws:s3:::settings/*"}]}`,
		want: []string{`\"Action\":\"s3:GetObject\"`}, remove: "delete-bucket-policy",
	},
	{
		name: "bucket-cors", absent: "NoSuchCORSConfiguration", flag: "cors-configuration",
		value: `{"CORSRules":[{"ID":"one","AllowedOrigins":["https://app.example.com"],"AllowedMethods":["GET","PUT"],` +
			`"AllowedHeaders":["*"],"ExposeHeaders":["ETag"],"MaxAgeSeconds":60}]}`,
		want: []string{`"ID":"one"`, `["GET","PUT"]`, `"MaxAgeSeconds":60`}, remove: "delete-bucket-cors",
	},
	{
		name: "bucket-lifecycle-configuration", absent: "NoSuchLifecycleConfiguration", flag: "lifecycle-configuration",
		value: `{"Rules":[{"ID":"tmp","Status":"Enabled","Filter":{"And":{"Prefix":"tmp/","ObjectSizeGreaterThan":10}},` +
			`"Expiration":{"Days":3}},{"ID":"parts","Status":"Enabled","Filter":{"Prefix":""},` +
			`"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":7}}]}`,
		want:   []string{`"ObjectSizeGreaterThan":10`, `"Expiration":{"Days":3}`, `{"DaysAfterInitiation":7}`},
		remove: "delete-bucket-lifecycle",
	},
	{
		name: "bucket-encryption", absent: "ServerSideEncryptionConfigurationNotFoundError",
		flag:  "server-side-encryption-configuration",
		value: `{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}`,
		want:  []string{`"SSEAlgorithm":"AES256"`}, remove: "delete-bucket-encryption",
	},
	{
		name: "public-access-block", absent: "NoSuchPublicAccessBlockConfiguration", flag: "public-access-block-configuration",
		value:  `{"BlockPublicAcls":true,"IgnorePublicAcls":false,"BlockPublicPolicy":true,"RestrictPublicBuckets":false}`,
		want:   []string{`"BlockPublicAcls":true,"IgnorePublicAcls":false,"BlockPublicPolicy":true`},
		remove: "delete-public-access-block",
	},
	{
		name: "bucket-ownership-controls", absent: "BucketOwnerEnforced", flag: "ownership-controls",
		value: `{"Rules":[{"ObjectOwnership":"BucketOwnerPreferred"}]}`, want: []string{`"BucketOwnerPreferred"`},
		remove: "delete-bucket-ownership-controls", afterwards: "OwnershipControlsNotFoundError",
	},
	{
		name: "bucket-website", absent: "NoSuchWebsiteConfiguration", flag: "website-configuration",
		value: `{"IndexDocument":{"Suffix":"index.html"},"ErrorDocument":{"Key":"error.html"}}`,
		want:  []string{`"Suffix":"index.html"`, `"Key":"error.html"`}, remove: "delete-bucket-website",
	},
	{
		name: "bucket-versioning", flag: "versioning-configuration", value: `{"Status":"Enabled"}`,
		want: []string{`"Status":"Enabled"`},
	},
	{
		name: "object-lock-configuration", absent: "ObjectLockConfigurationNotFoundError", flag: "object-lock-configuration",
		value: `{"ObjectLockEnabled":"Enabled","Rule":{"DefaultRetention":{"Mode":"GOVERNANCE","Days":1}}}`,
		want:  []string{`{"Mode":"GOVERNANCE","Days":1}`},
	},
	{name: "bucket-logging", flag: "bucket-logging-status", value: `{}`},
	{name: "bucket-notification-configuration", flag: "notification-configuration", value: `{}`},
	{name: "bucket-accelerate-configuration", flag: "accelerate-configuration", value: `{"Status":"Suspended"}`},
	{
		name: "bucket-request-payment", absent: `"BucketOwner"`, flag: "request-payment-configuration",
		value: `{"Payer":"BucketOwner"}`, want: []string{`"BucketOwner"`},
	},
}

func TestAWSCLIConfigurations(t *testing.T) {
	t.Parallel()
	s := start(t)
	bucket := s.bucket("settings")
	aws := s.awsShell()
	for _, c := range cliConfigurations {
		t.Run(c.name, func(t *testing.T) {
			sh := *aws
			sh.tool = &tool{t: t}
			get := []string{"get-" + c.name, "--bucket", bucket}
			absent := func(want string) {
				t.Helper()
				out, _ := sh.try(get...)
				if out = strings.TrimSpace(out); want == "" && out != "" || !strings.Contains(out, want) {
					t.Errorf("%s: want %q, got %q", get, want, out)
				}
			}
			absent(c.absent)
			for range 2 { // what is put again changes nothing
				sh.want([]string{"put-" + c.name, "--bucket", bucket, "--" + c.flag, c.value})
				sh.want(get, c.want...)
			}
			if c.name == "bucket-policy" {
				sh.want([]string{"get-bucket-policy-status", "--bucket", bucket}, `"IsPublic":true`)
			}
			if c.remove == "" {
				return
			}
			for range 2 { // deleting what is not there is fine
				sh.want([]string{c.remove, "--bucket", bucket})
			}
			if c.afterwards == "" {
				c.afterwards = c.absent
			}
			absent(c.afterwards)
		})
	}
	aws.want([]string{"get-bucket-acl", "--bucket", bucket}, `"Permission":"FULL_CONTROL"`)
	acl := []string{"put-bucket-acl", "--bucket", bucket, "--acl", "private"}
	aws.want([]string{
		"put-bucket-ownership-controls", "--bucket", bucket, "--ownership-controls",
		`{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}`,
	})
	aws.refused("AccessControlListNotSupported", acl...)
	aws.want([]string{
		"put-bucket-ownership-controls", "--bucket", bucket, "--ownership-controls",
		`{"Rules":[{"ObjectOwnership":"ObjectWriter"}]}`,
	})
	aws.want(acl)
	aws.refused("InvalidBucketState", "put-bucket-versioning", "--bucket", bucket,
		"--versioning-configuration", "Status=Suspended")
	aws.want([]string{"delete-bucket", "--bucket", bucket})
}

func TestAWSCLIVersions(t *testing.T) {
	t.Parallel()
	s := start(t)
	aws := s.awsShell()
	one, two := aws.file("one", []byte("one")), aws.file("two", []byte("second"))
	aws.want(words("create-bucket --bucket ledger --object-lock-enabled-for-bucket"))
	aws.want(words("get-bucket-versioning --bucket ledger"), `"Status":"Enabled"`)
	object := func(command string, more ...string) []string {
		return append([]string{command, "--bucket", "ledger", "--key", "a page"}, more...)
	}
	var first, second, marker struct {
		VersionID    string `json:"VersionId"`
		DeleteMarker bool
	}
	decode := func(out string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	decode(aws.want(object("put-object", "--body", one, "--tagging", "ship=Passat&year=1911")), &first)
	decode(aws.want(object("put-object", "--body", two)), &second)

	aws.want(object("get-object-tagging"), `"TagSet":[]`)
	aws.want(object("get-object-tagging", "--version-id", first.VersionID), `{"Key":"ship","Value":"Passat"}`)
	aws.want(object("put-object-tagging", "--tagging", "TagSet=[{Key=rig,Value=barque}]"), second.VersionID)
	aws.want(object("get-object-tagging"), `[{"Key":"rig","Value":"barque"}]`)
	aws.want(object("head-object"), `"TagCount":1`)
	aws.want(object("delete-object-tagging"))
	aws.want(object("get-object-acl"), `"Permission":"FULL_CONTROL"`)
	aws.want(object("get-object-attributes", "--object-attributes", "ETag", "ObjectSize", "StorageClass"),
		`"ObjectSize":6`, `"StorageClass":"STANDARD"`, second.VersionID)

	until := time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02T15:04:05Z")
	aws.refused("NoSuchObjectLockConfiguration", object("get-object-retention")...)
	aws.want(object("put-object-retention", "--retention", "Mode=GOVERNANCE,RetainUntilDate="+until))
	aws.want(object("get-object-retention"), `"Mode":"GOVERNANCE"`)
	aws.want(object("put-object-legal-hold", "--legal-hold", "Status=ON"))
	aws.want(object("get-object-legal-hold"), `"Status":"ON"`)
	aws.want(object("head-object"), `"ObjectLockMode":"GOVERNANCE"`, `"ObjectLockLegalHoldStatus":"ON"`)

	decode(aws.want(object("delete-object")), &marker)
	if !marker.DeleteMarker {
		t.Errorf("delete-object: %+v", marker)
	}
	aws.refused("NoSuchKey", object("get-object", "unread")...)
	aws.want(object("get-object", "--version-id", first.VersionID, "read"), `"ContentLength":3`)
	aws.same("read", []byte("one"))
	aws.want(words("list-object-versions --bucket ledger --query [length(Versions),length(DeleteMarkers)]"), "[2,1]")
	aws.want(words("list-object-versions --bucket ledger --max-items 1 --page-size 1"), "NextToken", marker.VersionID)

	locked := object("delete-object", "--version-id", second.VersionID)
	aws.refused("AccessDenied", append(locked, "--bypass-governance-retention")...)
	aws.want(object("put-object-legal-hold", "--legal-hold", "Status=OFF", "--version-id", second.VersionID))
	aws.refused("AccessDenied", locked...)
	// One version goes, the other is still protected: a batch says so key by key.
	batch := fmt.Sprintf(`{"Objects":[{"Key":"a page","VersionId":%q},{"Key":"a page","VersionId":%q},`+
		`{"Key":"a page","VersionId":%q}]}`,
		first.VersionID, second.VersionID, marker.VersionID)
	aws.want([]string{"delete-objects", "--bucket", "ledger", "--delete", batch},
		`"DeleteMarker":true`, `"Code":"AccessDenied"`)
	aws.want(object("get-object", "read"), second.VersionID) // the marker is gone
	s.wantUsage("ledger", 6, 1, 0)
	aws.want(append(locked, "--bypass-governance-retention"))
	aws.want(words("delete-bucket --bucket ledger"))
}
