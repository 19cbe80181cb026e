package policy

import "testing"

func TestIsPublic(t *testing.T) {
	everyone := func(condition string) string {
		return `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*","Condition":` +
			condition + `}`
	}
	for _, test := range []struct {
		name, statements string
		want             bool
	}{
		{"everyone", on("Allow", `"*"`), true},
		{"everyone, the long way", on("Allow", `{"AWS":"*"}`), true},
		{"everyone but one", `{"Effect":"Allow","NotPrincipal":{"AWS":"` + aliceARN +
			`"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}`, true},
		{"a user", on("Allow", `{"AWS":"`+aliceARN+`"}`), false},
		{"an account", on("Allow", `{"AWS":"111122223333"}`), false},
		{"a service", on("Allow", `{"Service":"logging.s3.amazonaws.com"}`), false},
		{"everyone is denied", on("Deny", `"*"`), false},
		{"a denial does not make it less public", on("Allow", `"*"`) + "," + on("Deny", `"*"`), true},
		{"one public statement of two", on("Allow", `{"AWS":"111122223333"}`) + "," + on("Allow", `"*"`), true},

		{"one address", everyone(`{"IpAddress":{"aws:SourceIp":"203.0.113.7"}}`), false},
		{"a range", everyone(`{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","10.0.0.0/8","2001:db8::/32"]}}`), false},
		{"a broad range", everyone(`{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`), true},
		{"one broad range of two", everyone(`{"IpAddress":{"aws:SourceIp":["203.0.113.7","64.0.0.0/7"]}}`), true},
		{"a broad range of IPv6", everyone(`{"IpAddress":{"aws:SourceIp":"2001::/31"}}`), true},
		{"all but a range", everyone(`{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`), true},
		{"an address, if there is one", everyone(`{"IpAddressIfExists":{"aws:SourceIp":"203.0.113.7"}}`), true},

		{"a network", everyone(`{"StringEquals":{"aws:SourceVpc":"vpc-91237329"}}`), false},
		{"networks with a wildcard", everyone(`{"StringLike":{"aws:SourceVpc":"vpc-*"}}`), true},
		{"a network under StringLike", everyone(`{"StringLike":{"aws:SourceVpc":"vpc-91237329"}}`), false},
		{"all but a network", everyone(`{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}`), true},
		{"all values of a network", everyone(`{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-1"}}`), true},
		{"an endpoint", everyone(`{"StringEquals":{"aws:SourceVpce":["vpce-1","vpce-2"]}}`), false},
		{"a variable", everyone(`{"StringEquals":{"aws:SourceVpc":"${aws:username}"}}`), true},
		{"an organization", everyone(`{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`), false},
		{"an ARN", everyone(`{"ArnLike":{"aws:SourceArn":"arn:aws:sns:eu-west-1:111122223333:t"}}`), false},
		{"an ARN with a wildcard", everyone(`{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:111122223333:t"}}`), true},
		{"a user id", everyone(`{"StringEquals":{"aws:userid":"AIDAALICE"}}`), false},
		{"the sessions of a role", everyone(`{"StringLike":{"aws:userid":"AROAREADER:*"}}`), true},
		{
			"the access points of an account",
			everyone(`{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:123456789012:accesspoint/*"}}`), false,
		},
		{
			"the access points of all accounts",
			everyone(`{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:accesspoint/x"}}`), true,
		},
		{"the account of an access point", everyone(`{"StringEquals":{"s3:DataAccessPointAccount":"123456789012"}}`), false},
		{"a key that confines nothing", everyone(`{"StringEquals":{"aws:Referer":"https://example.org"}}`), true},
		{"only over TLS", everyone(`{"Bool":{"aws:SecureTransport":true}}`), true},
		{"a network without a value", everyone(`{"Null":{"aws:SourceVpc":true}}`), true},
		{
			"one of two conditions confines",
			everyone(`{"Bool":{"aws:SecureTransport":true},"StringEquals":{"aws:SourceAccount":"111122223333"}}`), false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := bucketPolicy(t, test.statements).IsPublic(); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
	if (*Policy)(nil).IsPublic() {
		t.Error("no policy is public")
	}
}

func TestCanned(t *testing.T) {
	for _, test := range []struct {
		name string
		may  map[string]bool
	}{
		{"readonly", map[string]bool{"s3:GetObject": true, "s3:ListBucket": false, "s3:PutObject": false}},
		{"readwrite", map[string]bool{"s3:GetObject": true, "s3:DeleteBucket": true, "admin:ServerInfo": false}},
		{"writeonly", map[string]bool{"s3:PutObject": true, "s3:GetObject": false}},
		{"diagnostics", map[string]bool{"admin:ServerInfo": true, "s3:GetObject": false}},
		{"consoleAdmin", map[string]bool{"s3:PutObject": true, "admin:CreateUser": true}},
		{"AmazonS3FullAccess", map[string]bool{"s3:DeleteBucket": true, "admin:ServerInfo": false}},
		{"AmazonS3ReadOnlyAccess", map[string]bool{
			"s3:GetObjectVersion": true, "s3:ListAllMyBuckets": true, "s3:PutObject": false,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			document, ok := Canned(test.name)
			p, err := CompileIdentity([]byte(document))
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			for action, want := range test.may {
				r := Request{Principal: alice, Action: action, Bucket: "photos"}
				if resource, _ := ActionResource(action); resource == ObjectResource {
					r.Key = "k"
				}
				if got := Evaluate(&r, nil, p).Allowed; got != want {
					t.Errorf("%s: %v", action, got)
				}
			}
		})
	}
	if len(CannedNames()) != 7 || CannedNames()[0] != "AmazonS3FullAccess" {
		t.Errorf("%v", CannedNames())
	}
	if _, ok := Canned("nothing"); ok {
		t.Error("an unknown name is known")
	}
}
