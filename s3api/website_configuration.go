package s3api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// configWebsite is a bucket's website configuration, as it was sent. There is no website endpoint that would obey it: it
// is kept for those that serve the bucket's objects as a website by other means.
const configWebsite meta.ConfigKind = "website"

// What a website configuration may be.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
const (
	maxWebsiteBytes = 128 << 10
	maxRoutingRules = 50

	malformedSuffix = "The IndexDocument Suffix is not well formed"
)

type websiteConfiguration struct {
	Index *struct {
		Suffix string `xml:"Suffix"`
	} `xml:"IndexDocument"`
	Error *struct {
		Key string `xml:"Key"`
	} `xml:"ErrorDocument"`
	RedirectAll *struct {
		HostName string `xml:"HostName"`
		Protocol string `xml:"Protocol"`
	} `xml:"RedirectAllRequestsTo"`
	Rules []routingRule `xml:"RoutingRules>RoutingRule"`
}

type routingRule struct {
	Condition *struct {
		Prefix    *string `xml:"KeyPrefixEquals"`
		ErrorCode *string `xml:"HttpErrorCodeReturnedEquals"`
	} `xml:"Condition"`
	Redirect *struct {
		HostName  *string `xml:"HostName"`
		Protocol  *string `xml:"Protocol"`
		Code      *string `xml:"HttpRedirectCode"`
		KeyPrefix *string `xml:"ReplaceKeyPrefixWith"`
		Key       *string `xml:"ReplaceKeyWith"`
	} `xml:"Redirect"`
}

// getBucketWebsite answers GetBucketWebsite with the document as it was put.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html
func getBucketWebsite(rq *request) error {
	document := rq.access.Configs[configWebsite]
	if document == nil {
		return s3err("NoSuchWebsiteConfiguration").with("BucketName", string(rq.bucket))
	}
	return rq.writeDocument(http.StatusOK, "application/xml", document)
}

// putBucketWebsite answers PutBucketWebsite.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
func putBucketWebsite(rq *request) error {
	document, err := rq.readDocument(maxWebsiteBytes)
	if err != nil {
		return err
	}
	if len(document) == 0 {
		return s3err("MissingRequestBodyError")
	}
	var in websiteConfiguration
	if err := parseXML(document, "WebsiteConfiguration", &in); err != nil {
		return err
	}
	if err := checkWellFormed(document); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	return rq.putConfig(configWebsite, document, http.StatusOK)
}

// deleteBucketWebsite answers DeleteBucketWebsite.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketWebsite.html
func deleteBucketWebsite(rq *request) error {
	return rq.putConfig(configWebsite, nil, http.StatusNoContent)
}

// checkWellFormed refuses a document that is not XML up to its end: it will be given back.
func checkWellFormed(document []byte) error {
	d := xml.NewDecoder(bytes.NewReader(document))
	for depth, roots := 0, 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && roots == 1 {
			return nil
		}
		if err != nil {
			return malformedXML(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return malformedXML(errors.New("text outside of the document"))
			}
		case xml.Directive:
			return malformedXML(errors.New("a document type"))
		}
	}
}

func (c *websiteConfiguration) check() error {
	if all := c.RedirectAll; all != nil {
		if c.Index != nil || c.Error != nil || len(c.Rules) > 0 || all.HostName == "" {
			return s3err("MalformedXML")
		}
		return checkRedirectProtocol(&all.Protocol)
	}
	switch {
	case c.Index == nil:
		return invalidArgument("IndexDocument", "null", "A value for IndexDocument Suffix must be provided if "+
			"RedirectAllRequestsTo is empty")
	case c.Index.Suffix == "":
		return s3err("InvalidArgument", malformedSuffix).with("ArgumentName", "IndexDocument")
	case strings.Contains(c.Index.Suffix, "/"):
		return invalidArgument("IndexDocument", c.Index.Suffix, malformedSuffix)
	case c.Error != nil && c.Error.Key == "":
		return s3err("InvalidArgument", "The ErrorDocument Key is not well formed").with("ArgumentName", "ErrorDocument")
	case len(c.Rules) > maxRoutingRules:
		return s3err("InvalidRequest", itoa(len(c.Rules))+" routing rules provided, the number of routing rules in a "+
			"website configuration is limited to "+itoa(maxRoutingRules)+".")
	}
	for i := range c.Rules {
		if err := c.Rules[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *routingRule) check() error {
	if c := r.Condition; c != nil {
		if c.Prefix == nil && c.ErrorCode == nil {
			return s3err("MalformedXML")
		}
		if c.ErrorCode != nil {
			if err := checkStatus(*c.ErrorCode, isErrorStatus, "The provided HTTP error code (%) is not valid. "+
				"Valid codes are 4XX or 5XX."); err != nil {
				return err
			}
		}
	}
	to := r.Redirect
	if to == nil || (to.HostName == nil && to.Protocol == nil && to.Code == nil && to.KeyPrefix == nil && to.Key == nil) {
		return s3err("MalformedXML")
	}
	if to.Key != nil && to.KeyPrefix != nil {
		return s3err("InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	}
	if to.Code != nil {
		if err := checkStatus(*to.Code, isRedirectStatus, "The provided HTTP redirect code (%) is not valid. "+
			"Valid codes are 3XX except 300."); err != nil {
			return err
		}
	}
	return checkRedirectProtocol(to.Protocol)
}

// isErrorStatus and isRedirectStatus are the statuses of HTTP/1.1 that S3 takes.
func isErrorStatus(n int) bool { return n >= 400 && n <= 417 || n >= 500 && n <= 505 }

func isRedirectStatus(n int) bool { return n > 300 && n <= 308 && n != 306 }

// checkStatus refuses what is no number, and with a message a number that is not a status as it should be.
func checkStatus(code string, valid func(int) bool, message string) error {
	if len(code) != 3 || strings.Trim(code, "0123456789") != "" {
		return s3err("MalformedXML")
	}
	if n := int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0'); !valid(n) {
		return s3err("InvalidRequest", strings.Replace(message, "%", code, 1))
	}
	return nil
}

func checkRedirectProtocol(protocol *string) error {
	if protocol == nil || *protocol == "" || *protocol == "http" || *protocol == "https" {
		return nil
	}
	return s3err("InvalidRequest", "Invalid protocol, protocol can be http or https. If not defined the protocol will be "+
		"selected automatically.")
}
