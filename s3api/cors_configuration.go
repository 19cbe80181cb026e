package s3api

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/cors"
)

// maxCORSIDBytes is the longest ID of a rule.
const maxCORSIDBytes = 255

// corsConfiguration is a bucket's rules as they are sent.
type corsConfiguration struct {
	Rules []struct {
		ID      string   `xml:"ID"`
		Headers []string `xml:"AllowedHeader"`
		Methods []string `xml:"AllowedMethod"`
		Origins []string `xml:"AllowedOrigin"`
		Expose  []string `xml:"ExposeHeader"`
		MaxAge  *int     `xml:"MaxAgeSeconds"`
	} `xml:"CORSRule"`
}

// getBucketCORS answers GetBucketCors.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html
func getBucketCORS(rq *request) error {
	c := rq.access.cors
	if c == nil {
		return s3err("NoSuchCORSConfiguration").with("BucketName", string(rq.bucket))
	}
	x := newXML(256 + 256*len(c.Rules))
	x.root("CORSConfiguration")
	for i := range c.Rules {
		r := &c.Rules[i]
		x.open("CORSRule")
		x.optional("ID", r.ID)
		for _, list := range []struct {
			element string
			values  []string
		}{
			{"AllowedHeader", r.Headers}, {"AllowedMethod", r.Methods}, {"AllowedOrigin", r.Origins}, {"ExposeHeader", r.Expose},
		} {
			for _, value := range list.values {
				x.text(list.element, value)
			}
		}
		if r.MaxAgeSeconds != nil {
			x.number("MaxAgeSeconds", int64(*r.MaxAgeSeconds))
		}
		x.close("CORSRule")
	}
	x.close("CORSConfiguration")
	return rq.writeXML(x)
}

// putBucketCORS answers PutBucketCors.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html
func putBucketCORS(rq *request) error {
	if err := rq.needIntegrity(); err != nil {
		return err
	}
	var in corsConfiguration
	if err := rq.readXML("CORSConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	c := cors.Configuration{Rules: make([]cors.Rule, len(in.Rules))}
	for i, r := range in.Rules {
		if len(r.ID) > maxCORSIDBytes {
			return invalidArgument("ID", r.ID, "ID length should not exceed allowed limit of "+itoa(maxCORSIDBytes))
		}
		c.Rules[i] = cors.Rule{
			ID: r.ID, Origins: r.Origins, Methods: r.Methods, Headers: r.Headers, Expose: r.Expose, MaxAgeSeconds: r.MaxAge,
		}
	}
	if err := c.Validate(); err != nil {
		return corsError(&c, err)
	}
	return rq.putConfig(configCORS, c.Marshal(), http.StatusOK)
}

// corsError is S3's refusal of a configuration. What the schema already rules out is MalformedXML.
func corsError(c *cors.Configuration, err error) error {
	var value *cors.ValueError
	if !errors.As(err, &value) {
		return err
	}
	switch {
	case errors.Is(err, cors.ErrRules) && len(c.Rules) > cors.MaxRules:
		return s3err("InvalidRequest", "The number of CORS rules should not exceed allowed limit of "+itoa(cors.MaxRules)+" rules.")
	case errors.Is(err, cors.ErrMethod):
		return s3err("InvalidRequest", "Found unsupported HTTP method in CORS config. Unsupported method is "+value.Value)
	case errors.Is(err, cors.ErrOrigin) && value.Value != "":
		return s3err("InvalidRequest", `AllowedOrigin "`+value.Value+`" can not have more than one wildcard.`)
	case errors.Is(err, cors.ErrHeader):
		return s3err("InvalidRequest", `AllowedHeader "`+value.Value+`" can not have more than one wildcard.`)
	case errors.Is(err, cors.ErrCharacter):
		return s3err("InvalidRequest", `AllowedHeader "`+value.Value+`" contains invalid character.`)
	case errors.Is(err, cors.ErrExpose):
		return s3err("InvalidRequest", `ExposeHeader "`+value.Value+`" contains wildcard. We currently do not support `+
			"wildcard for ExposeHeader.")
	}
	return malformedXML(err)
}

// deleteBucketCORS answers DeleteBucketCors.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html
func deleteBucketCORS(rq *request) error { return rq.putConfig(configCORS, nil, http.StatusNoContent) }

// preflightOperation is what a browser asks before a request of a page from elsewhere. It carries no credentials.
var preflightOperation = operation{name: "PreflightRequest"}

// preflight answers OPTIONS on a bucket or an object. It says nothing of whether the object is there.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
func (rq *request) preflight() error {
	rq.op = &preflightOperation
	header := rq.r.Header
	origin, method := headerOf(header, "Origin"), headerOf(header, "Access-Control-Request-Method")
	switch {
	case origin == "":
		return s3err("BadRequest", "Insufficient information. Origin request header needed.")
	case method == "":
		return s3err("BadRequest", "Invalid Access-Control-Request-Method: null")
	case !slices.Contains(cors.Methods, method):
		return s3err("BadRequest", "Invalid Access-Control-Request-Method: "+method)
	}
	asked := listed(header.Values("Access-Control-Request-Headers"))
	for i, name := range asked {
		if asked[i] = strings.TrimSpace(name); !cors.IsHeaderName(asked[i]) {
			return s3err("BadRequest", `Access-Control-Request-Headers "`+name+`" contains invalid character.`)
		}
	}
	refused := s3err("AccessForbidden").with("Method", method).with("ResourceType", rq.resourceType())
	if rq.bucket == "" {
		return refused
	}
	access, err := rq.handler.bucketAccess(rq.bucket)
	if err != nil {
		return err
	}
	if access.cors == nil {
		return refused
	}
	rule, ok := access.cors.Match(origin, method, asked)
	if !ok {
		refused.Message = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, " +
			"request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the " +
			"resource's CORS spec."
		return refused
	}
	rq.setCORS(origin, rule, asked)
	return rq.done(http.StatusOK)
}

// allowOrigin sets the headers by which a browser shows the answer, whatever it will be, to a page from elsewhere, where
// the bucket's rules allow that. What a preflight would ask for counts here, too, where it stands in the request: no
// browser sends that, but S3 reads it.
func (rq *request) allowOrigin() {
	origin := headerOf(rq.r.Header, "Origin")
	if origin == "" || rq.bucket == "" {
		return
	}
	access, err := rq.handler.bucketAccess(rq.bucket)
	if err != nil || access.cors == nil {
		return
	}
	method := cmp.Or(headerOf(rq.r.Header, "Access-Control-Request-Method"), rq.r.Method)
	asked := listed(rq.r.Header.Values("Access-Control-Request-Headers"))
	if rule, ok := access.cors.Match(origin, method, asked); ok {
		rq.setCORS(origin, rule, asked)
	}
}

// setCORS sets the headers that a rule gives to an answer. asked are the headers that were asked for.
func (rq *request) setCORS(origin string, rule *cors.Rule, asked []string) {
	if rule.AnyOrigin() {
		rq.w.set("Access-Control-Allow-Origin", "*")
	} else {
		rq.w.set("Access-Control-Allow-Origin", origin)
		rq.w.set("Access-Control-Allow-Credentials", "true")
	}
	rq.w.set("Access-Control-Allow-Methods", strings.Join(rule.Methods, ", "))
	if len(asked) > 0 {
		rq.w.set("Access-Control-Allow-Headers", strings.ToLower(strings.Join(asked, ", ")))
	}
	if len(rule.Expose) > 0 {
		rq.w.set("Access-Control-Expose-Headers", strings.Join(rule.Expose, ", "))
	}
	if rule.MaxAgeSeconds != nil {
		rq.w.set("Access-Control-Max-Age", itoa(*rule.MaxAgeSeconds))
	}
	rq.w.set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
}

// listed are the items of a header that holds a list, with what blanks are around them, and without empty ones.
func listed(values []string) []string {
	var items []string
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if strings.TrimSpace(item) != "" {
				items = append(items, item)
			}
		}
	}
	return items
}
