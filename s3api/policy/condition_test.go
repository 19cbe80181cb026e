package policy

import (
	"slices"
	"strings"
	"testing"
)

// context is the condition keys of a request, by their names in lower case.
type context map[string][]string

func (c context) values(key string) []string { return c[key] }

func TestCompileCondition(t *testing.T) {
	for _, test := range []struct {
		name, action, condition, message string
	}{
		{
			"an unknown operator", `"s3:GetObject"`, `{"NotARealOperator":{"aws:SourceIp":"1.2.3.4/32"}}`,
			"Invalid Condition type : NotARealOperator",
		},
		{
			"an operator in other case", `"s3:GetObject"`, `{"stringequals":{"aws:UserAgent":"x"}}`,
			"Invalid Condition type : stringequals",
		},
		{
			"Null takes no IfExists", `"s3:GetObject"`, `{"NullIfExists":{"aws:UserAgent":"true"}}`,
			"Invalid Condition type : NullIfExists",
		},
		{
			"Null takes no quantifier", `"s3:GetObject"`, `{"ForAnyValue:Null":{"aws:UserAgent":"true"}}`,
			"Invalid Condition type : ForAnyValue:Null",
		},
		{
			"an unknown quantifier", `"s3:GetObject"`, `{"ForSomeValues:StringEquals":{"aws:UserAgent":"x"}}`,
			"Invalid Condition type : ForSomeValues:StringEquals",
		},
		{"an unknown key of S3", `"s3:GetObject"`, `{"StringEquals":{"s3:FakeKeyDoesNotExist":"x"}}`, msgConditionKey},
		{"an unknown global key", `"s3:GetObject"`, `{"StringEquals":{"aws:NotARealGlobalKey":"x"}}`, msgConditionKey},
		{"a key of another service", `"s3:GetObject"`, `{"StringEquals":{"ec2:Vpc":"x"}}`, msgConditionKey},
		{"a tag without a name", `"s3:GetObject"`, `{"StringEquals":{"s3:ExistingObjectTag/":"x"}}`, msgConditionKey},
		{"a key that takes no tag", `"s3:GetObject"`, `{"StringEquals":{"aws:username/x":"x"}}`, msgConditionKey},
		{"a key of other actions", `"s3:GetObject"`, `{"StringEquals":{"s3:prefix":"x"}}`, msgConditionAction},
		{
			"a key that not all actions have", `["s3:GetObject","s3:PutObject"]`, `{"StringEquals":{"s3:x-amz-acl":"x"}}`,
			msgConditionAction,
		},
		{"a key that no covered action has", `"s3:Get*"`, `{"StringEquals":{"s3:x-amz-acl":"x"}}`, msgConditionAction},
		{"no address", `"s3:GetObject"`, `{"IpAddress":{"aws:SourceIp":"not-an-ip"}}`, msgConditionAddress},
		{"no range", `"s3:GetObject"`, `{"IpAddress":{"aws:SourceIp":"300.1.1.1/40"}}`, msgConditionAddress},
		{"no address, negated", `"s3:GetObject"`, `{"NotIpAddress":{"aws:SourceIp":"not-an-ip"}}`, msgConditionAddress},
		{"no address under another operator", `"s3:GetObject"`, `{"Null":{"aws:SourceIp":"true"}}`, msgConditionAddress},
		{"no address under another key", `"s3:GetObject"`, `{"IpAddress":{"aws:VpcSourceIp":"x"}}`, msgConditionAddress},
		{"no number", `"s3:ListBucket"`, `{"NumericLessThan":{"s3:max-keys":"many"}}`, "Invalid value in Conditions: many"},
		{
			"a hexadecimal number", `"s3:ListBucket"`, `{"NumericEquals":{"s3:max-keys":"0x10"}}`,
			"Invalid value in Conditions: 0x10",
		},
		{"no date", `"s3:GetObject"`, `{"DateLessThan":{"aws:CurrentTime":"soon"}}`, "Invalid value in Conditions: soon"},
		{"no boolean", `"s3:GetObject"`, `{"Bool":{"aws:SecureTransport":"yes"}}`, "Invalid value in Conditions: yes"},
		{"no base64", `"s3:GetObject"`, `{"BinaryEquals":{"aws:UserAgent":"%"}}`, "Invalid value in Conditions: %"},
		{"a default without quotes", `"s3:GetObject"`, `{"StringLike":{"aws:UserAgent":"${aws:username, x}"}}`, msgVariable},
		{"an unclosed variable", `"s3:GetObject"`, `{"StringLike":{"aws:UserAgent":"${aws:username"}}`, msgVariable},

		{"a key that a covered action has", `"s3:PutObject*"`, `{"StringEquals":{"s3:x-amz-acl":"x"}}`, ""},
		{"everything", `"s3:*"`, `{"StringEquals":{"s3:x-amz-acl":"x","s3:prefix":"y"}}`, ""},
		{"a key in other case", `"s3:ListBucket"`, `{"StringLike":{"S3:PREFIX":"x"}}`, ""},
		{
			"a number and a boolean", `"s3:ListBucket"`,
			`{"NumericEquals":{"s3:max-keys":10},"Bool":{"aws:SecureTransport":true}}`, "",
		},
		{"a version", `"s3:GetObjectVersion"`, `{"StringEquals":{"s3:VersionId":"x"}}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			document := when(test.action, `[`+photosBucket+`,`+photosObjects+`]`, test.condition)
			_, err := CompileBucket([]byte(document), "photos", nil)
			testRefusal(t, err, test.message)
		})
	}
}

// conditionHolds evaluates one condition, made of an operator and the JSON of the key's values.
func conditionHolds(t *testing.T, operator, values string, c context) bool {
	t.Helper()
	p, err := CompileIdentity([]byte(rule(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{"` + operator +
		`":{"x:Key":` + values + `}}`)))
	if err != nil {
		t.Fatal(err)
	}
	return Evaluate(&Request{Principal: alice, Values: c.values}, nil, p).Allowed
}

func TestOperators(t *testing.T) {
	for _, test := range []struct {
		operator, values string
		holds            string // values of the request that satisfy it, separated by spaces; _ is the empty one
		fails            string
	}{
		{"StringEquals", `["a","B*"]`, "a B*", "A b Bc _ ab"},
		{"StringNotEquals", `["a","b"]`, "A c _", "a b"},
		{"StringEqualsIgnoreCase", `["a","Ünï"]`, "a A üNÏ", "b _"},
		{"StringNotEqualsIgnoreCase", `["a"]`, "b _", "a A"},
		{"StringLike", `["home/*","a?c"]`, "home/ home/x/y abc aéc", "home Home/x ac abbc"},
		{"StringNotLike", `["home/*","a?c"]`, "home ac", "home/ abc"},
		{"NumericEquals", `[10,"2.5"]`, "10 10.0 1e1 2.5", "11 ten _ 0xa"},
		{"NumericNotEquals", `"10"`, "11 ten", "10 10.0"},
		{"NumericLessThan", `"10"`, "9 -1 9.99", "10 11 x"},
		{"NumericLessThanEquals", `"10"`, "10 9", "10.01 x"},
		{"NumericGreaterThan", `"10"`, "11", "10 9 x"},
		{"NumericGreaterThanEquals", `"10"`, "10 11", "9.99 x"},
		{
			"DateEquals", `"2026-03-01T00:00:00Z"`,
			"2026-03-01T00:00:00Z 2026-03-01 2026-03-01T01:00:00+01:00 1772323200 2026-03",
			"2026-03-01T00:00:01Z 2026 then _",
		},
		{"DateNotEquals", `"1772323200"`, "2026-03-02 then", "2026-03-01T00:00:00.000Z"},
		{"DateLessThan", `"2026-03-01T00:00:00Z"`, "2026-02-28T23:59:59.999Z 1772323199", "2026-03-01 2026-03-02T00:00Z"},
		{"DateLessThanEquals", `"2026-03-01T00:00:00Z"`, "2026-03-01 2026-02", "2026-03-01T00:00:01"},
		{"DateGreaterThan", `1772323200`, "2026-03-01T00:00:01Z", "2026-03-01T00:00:00Z 2026-02-01"},
		{"DateGreaterThanEquals", `"2026-03-01T00:00:00Z"`, "2026-03-01 2027", "2026-02-28"},
		{"Bool", `true`, "true TRUE", "false 1 _"},
		{"Bool", `"False"`, "false", "true 0 _"},
		{"BinaryEquals", `"aGk="`, "hi", "Hi aGk= _"},
		{
			"IpAddress", `["203.0.113.0/24","2001:db8::/32","198.51.100.7"]`,
			"203.0.113.9 2001:db8:1::1 198.51.100.7 ::ffff:203.0.113.1", "203.0.114.1 2001:db9::1 198.51.100.8 x _",
		},
		{"IpAddress", `"203.0.113.77/24"`, "203.0.113.1", "203.0.112.1"},
		{"IpAddress", `"::ffff:203.0.113.1"`, "203.0.113.1 ::ffff:203.0.113.1", "203.0.113.2"},
		{"NotIpAddress", `"203.0.113.0/24"`, "203.0.114.1 ::1 x", "203.0.113.9"},
		{
			"ArnEquals", `"arn:aws:sns:*:1?3:top*"`, "arn:aws:sns:eu:123:topic arn:aws:sns::123:top:x",
			"arn:aws:sns:eu:west:123:topic arn:aws:sqs:eu:123:topic arn:aws:sns x",
		},
		{"ArnLike", `["arn:aws:s3:::b","*"]`, "arn:aws:s3:::b arn:x", ""},
		{"ArnNotEquals", `"arn:aws:s3:::b*"`, "arn:aws:s3:::c x", "arn:aws:s3:::bb"},
		{"ArnNotLike", `"arn:aws:s3:::b?"`, "arn:aws:s3:::b", "arn:aws:s3:::bb"},
		{"Null", `true`, "", "a _"},
		{"Null", `"false"`, "a _", ""},
	} {
		check := func(values string, want bool) {
			for _, value := range strings.Fields(values) {
				t.Run(test.operator+" "+test.values+" "+value, func(t *testing.T) {
					if value == "_" {
						value = ""
					}
					if conditionHolds(t, test.operator, test.values, context{"x:key": {value}}) != want {
						t.Errorf("want %v", want)
					}
				})
			}
		}
		check(test.holds, true)
		check(test.fails, false)
	}
}

// The rules for a key that the request does not have depend on the operator alone.
func TestMissingKey(t *testing.T) {
	value := func(name string, o operator) string {
		switch o.comparison {
		case numeric, date:
			return "1"
		case boolean:
			return "true"
		case address:
			return `"10.0.0.1"`
		default:
			return `"aGk="`
		}
	}
	for name, o := range operators {
		if name == "Null" {
			continue
		}
		for prefix, want := range map[string]bool{"": o.negated, "ForAllValues:": true, "ForAnyValue:": false} {
			t.Run(prefix+name, func(t *testing.T) {
				if got := conditionHolds(t, prefix+name, value(name, o), nil); got != want {
					t.Errorf("a missing key gives %v", got)
				}
				if !conditionHolds(t, prefix+name+"IfExists", value(name, o), nil) {
					t.Error("IfExists is not satisfied by a missing key")
				}
			})
		}
	}
	t.Run("Null", func(t *testing.T) {
		if !conditionHolds(t, "Null", "true", nil) || conditionHolds(t, "Null", "false", nil) {
			t.Error("Null does not tell a missing key")
		}
	})
	t.Run("a request without keys", func(t *testing.T) {
		p := identityPolicy(t, `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"x:Key":true}}}`)
		if !Evaluate(&Request{Principal: alice}, nil, p).Allowed {
			t.Error("a key is there")
		}
	})
}

func TestSeveralValues(t *testing.T) {
	for _, test := range []struct {
		operator string
		request  string // the request's values, _ for the empty one; the policy's are a and b
		want     bool
	}{
		{"StringEquals", "a", true},
		{"StringEquals", "c a", true},
		{"StringEquals", "c d", false},
		{"StringEqualsIfExists", "c", false},
		{"StringNotEquals", "c", true},
		{"StringNotEquals", "c a", false},
		{"ForAllValues:StringEquals", "a b", true},
		{"ForAllValues:StringEquals", "a c", false},
		{"ForAllValues:StringNotEquals", "c d", true},
		{"ForAllValues:StringNotEquals", "c a", false},
		{"ForAnyValue:StringEquals", "c a", true},
		{"ForAnyValue:StringEquals", "c d", false},
		{"ForAnyValue:StringNotEquals", "a c", true},
		{"ForAnyValue:StringNotEquals", "a b", false},
		{"ForAnyValue:StringEqualsIfExists", "c", false},
		{"ForAllValues:StringEqualsIfExists", "a c", false},
		{"ForAllValues:StringEquals", "_", true},
		{"ForAnyValue:StringEquals", "_", false},
	} {
		t.Run(test.operator+" "+test.request, func(t *testing.T) {
			values := strings.Fields(test.request)
			if test.request == "_" {
				values = []string{""}
			}
			got := conditionHolds(t, test.operator, `["a","b"]`, context{"x:key": values})
			if got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
	t.Run("no values in the policy", func(t *testing.T) {
		c := context{"x:key": {"a"}}
		if conditionHolds(t, "StringEquals", `[]`, c) || !conditionHolds(t, "StringNotEquals", `[]`, c) {
			t.Error("an empty list has a value in it")
		}
	})
}

func TestAllConditionsMustHold(t *testing.T) {
	p, err := CompileIdentity([]byte(rule(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{` +
		`"StringEquals":{"x:A":"1","x:B":["2","3"]},"Bool":{"x:C":true}}`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		a, b, c string
		want    bool
	}{
		{"1", "2", "true", true},
		{"1", "3", "true", true},
		{"2", "2", "true", false},
		{"1", "1", "true", false},
		{"1", "2", "false", false},
	} {
		c := context{"x:a": {test.a}, "x:b": {test.b}, "x:c": {test.c}}
		if got := Evaluate(&Request{Principal: alice, Values: c.values}, nil, p).Allowed; got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestVariables(t *testing.T) {
	tags := context{
		"aws:principaltag/team": {"red"}, "x:key": {"home/Alice/f"}, "x:star": {"*"}, "x:bad": {"\xfe"},
		"x:two": {"a", "b"},
	}
	for _, test := range []struct {
		name, version, pattern, value string
		want                          bool
	}{
		{"the user's name", "2012-10-17", "home/${aws:username}/*", "home/Alice/f", true},
		{"another user's name", "2012-10-17", "home/${aws:username}/*", "home/Bob/f", false},
		{"a name in other case", "2012-10-17", "${AWS:UserName}", "Alice", true},
		{"a tag", "2012-10-17", "${aws:PrincipalTag/team}", "red", true},
		{"several variables", "2012-10-17", "${aws:username}-${aws:PrincipalTag/team}-?", "Alice-red-1", true},
		{"the old version has none", "2008-10-17", "home/${aws:username}", "home/Alice", false},
		{"the old version takes them literally", "2008-10-17", "home/${aws:username}", "home/${aws:username}", true},
		{"no value", "2012-10-17", "home/${x:none}", "home/", false},
		{"a default", "2012-10-17", "${x:none, 'all'}", "all", true},
		{"a default without a space", "2012-10-17", "${x:none,'a}b'}", "a}b", true},
		{"a default that is not needed", "2012-10-17", "${aws:username, 'all'}", "Alice", true},
		{"several values are none", "2012-10-17", "${x:two}", "a", false},
		{"several values take the default", "2012-10-17", "${x:two, 'c'}", "c", true},
		{"a literal star", "2012-10-17", "a${*}", "a*", true},
		{"a literal star is no wildcard", "2012-10-17", "a${*}", "ab", false},
		{"a literal question mark", "2012-10-17", "a${?}", "ab", false},
		{"a literal dollar", "2012-10-17", "a${$}{b}", "a${b}", true},
		{"a dollar alone", "2012-10-17", "a$b", "a$b", true},
		{"a value is no wildcard", "2012-10-17", "a${x:star}", "ab", false},
		{"a value is literal", "2012-10-17", "a${x:star}", "a*", true},
		{"a value that is not UTF-8", "2012-10-17", "${x:bad}", "anything", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := CompileIdentity([]byte(`{"Version":"` + test.version + `","Statement":{"Effect":"Allow","Action":"*",` +
				`"Resource":"*","Condition":{"StringLike":{"x:Key":"` + test.pattern + `"}}}}`))
			if err != nil {
				t.Fatal(err)
			}
			values := func(key string) []string {
				if key == "x:key" {
					return []string{test.value}
				}
				return tags[key]
			}
			if got := Evaluate(&Request{Principal: alice, Values: values}, nil, p).Allowed; got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}

// A variable without value equals nothing: a negated operator is satisfied.
func TestVariableWithoutValueInCondition(t *testing.T) {
	c := context{"x:key": {"a"}}
	if conditionHolds(t, "StringEquals", `"${x:none}"`, c) || !conditionHolds(t, "StringNotEquals", `"${x:none}"`, c) {
		t.Error("a variable without value equals something")
	}
	if !conditionHolds(t, "StringEquals", `["${x:none}","a"]`, c) {
		t.Error("a variable without value spoils the other values")
	}
}

func TestResources(t *testing.T) {
	for _, test := range []struct {
		resource, matches, fails string // resources as bucket or bucket/key
	}{
		{"*", "b b/k b/a/b", ""},
		{"arn:aws:s3:::*", "b b/k", ""},
		{"arn:*:s3:::b", "b", "b/k c"},
		{"arn:aws:s3:*:*:b/*", "b/k", "b"},
		{"arn:aws:s3:::b", "b", "b/k bb a"},
		{"arn:aws:s3:::b/*", "b/k b/a/b b/*", "b bb/k c/k"},
		{"arn:aws:s3:::b/a/?", "b/a/b b/a/é", "b/a/ b/a/bc b/A/b"},
		{"arn:aws:s3:::b/*/x", "b/a/x b/a/b/x", "b/x b/a/y"},
		{"arn:aws:s3:::b*", "b bb b/k bb/k", "a a/b"},
		{"arn:aws:s3:::b?", "bb", "b b/ bb/k"},
		{"arn:aws:s3:::b*/k", "b/k bb/k b/a/k", "b b/l"},
		{"arn:aws:s3:::*/k", "b/k c/a/k", "b b/kk"},
		{"arn:aws:s3:::${aws:username}/*", "Alice/k", "Bob/k Alice"},
		{"arn:aws:s3:::b/${aws:username}/*", "b/Alice/k", "b/Bob/k b/Alice"},
		{"arn:aws:s3:::${x:none}/*", "", "b/k /k"},
		{"arn:aws:s3:::b/${x:none, 'd'}", "b/d", "b/k"},
		{"arn:aws:sqs:::b", "", "b b/k"},
		{"arn:aws:s3:eu-west-1::b", "", "b"},
	} {
		for _, not := range []bool{false, true} {
			element := `"Resource"`
			if not {
				element = `"NotResource"`
			}
			p, err := CompileIdentity([]byte(rule(`"Effect":"Allow","Action":"*",` + element + `:"` + test.resource + `"`)))
			if err != nil {
				t.Fatal(err)
			}
			for _, resource := range strings.Fields(test.matches + " " + test.fails) {
				bucket, key, _ := strings.Cut(resource, "/")
				want := slices.Contains(strings.Fields(test.matches), resource) != not
				if strings.Contains(test.resource, "${x:none}") {
					want = false
				}
				if got := Evaluate(&Request{Principal: alice, Bucket: bucket, Key: key}, nil, p).Allowed; got != want {
					t.Errorf("%s %s: %s: %v", element, test.resource, resource, got)
				}
			}
		}
	}
}
