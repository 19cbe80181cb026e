package s3api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/acl"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// grantHeader is a header that grants a permission.
type grantHeader struct {
	name       string
	permission acl.Permission
}

var grantHeaders = []grantHeader{
	{"X-Amz-Grant-Full-Control", acl.FullControl},
	{"X-Amz-Grant-Read", acl.Read},
	{"X-Amz-Grant-Write", acl.Write},
	{"X-Amz-Grant-Read-Acp", acl.ReadACP},
	{"X-Amz-Grant-Write-Acp", acl.WriteACP},
}

// accessControlPolicy is a list as it is sent.
type accessControlPolicy struct {
	Owner *struct {
		ID          string `xml:"ID"`
		DisplayName string `xml:"DisplayName"`
	} `xml:"Owner"`
	List *struct {
		Grants []struct {
			Grantee *struct {
				Type  string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
				ID    string `xml:"ID"`
				URI   string `xml:"URI"`
				Email string `xml:"EmailAddress"`
			} `xml:"Grantee"`
			Permission string `xml:"Permission"`
		} `xml:"Grant"`
	} `xml:"AccessControlList"`
}

const xmlSchemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

// headerACL returns the list that the headers ask for; given is false where they ask for none. owner is whose the bucket
// or object is.
func (rq *request) headerACL(owner, bucketOwner acl.Owner) (l acl.List, given bool, err error) {
	canned, grants := headerOf(rq.r.Header, "X-Amz-Acl"), rq.grantsInHeaders()
	switch {
	case canned != "" && grants:
		return acl.List{}, false, s3err("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed.")
	case canned != "":
		l, ok := acl.Canned(canned, owner, bucketOwner)
		if !ok {
			return acl.List{}, false, invalidArgument("x-amz-acl", canned, "There is no such canned ACL.")
		}
		return l, true, nil
	case !grants:
		return acl.List{}, false, nil
	}
	l.Owner = owner
	for _, h := range grantHeaders {
		value := headerOf(rq.r.Header, h.name)
		if value == "" {
			continue
		}
		names, err := acl.ParseHeader(value)
		if err != nil {
			return acl.List{}, false, invalidArgument(strings.ToLower(h.name), value, "Argument format not recognized")
		}
		for _, name := range names {
			grantee, err := rq.grantee(name)
			if err != nil {
				return acl.List{}, false, err
			}
			l.Grants = append(l.Grants, acl.Grant{Grantee: grantee, Permission: h.permission})
		}
	}
	if len(l.Grants) > acl.MaxGrants {
		return acl.List{}, false, s3err("InvalidRequest", "The number of grants is more than "+itoa(acl.MaxGrants))
	}
	return l, true, nil
}

func (rq *request) grantsInHeaders() bool {
	return slices.ContainsFunc(grantHeaders, func(h grantHeader) bool { return headerOf(rq.r.Header, h.name) != "" })
}

// grantee finds the user or the group that a grant names.
func (rq *request) grantee(name acl.Name) (acl.Grantee, error) {
	switch name.Kind {
	case acl.ByID:
		user, ok := rq.handler.config.Directory.UserOf(name.Value)
		if !ok {
			return acl.Grantee{}, invalidArgument("CanonicalUser/ID", name.Value, "Invalid id")
		}
		return acl.Grantee{ID: iam.CanonicalID(user), DisplayName: user}, nil
	case acl.ByURI:
		switch name.Value {
		case acl.AllUsers, acl.AuthenticatedUsers, acl.LogDelivery:
			return acl.Grantee{URI: name.Value}, nil
		}
		return acl.Grantee{}, invalidArgument("Group/URI", name.Value, "Invalid group uri")
	}
	return acl.Grantee{}, s3err("UnresolvableGrantByEmailAddress").with("EmailAddress", name.Value)
}

// bodyACL returns the list of the request's document.
func (rq *request) bodyACL(owner acl.Owner) (acl.List, error) {
	raw, err := rq.readDocument(maxConfigBytes)
	if err != nil {
		return acl.List{}, err
	}
	if len(raw) == 0 {
		return acl.List{}, s3err("MissingSecurityHeader", "Your request was missing a required header.").
			with("MissingHeaderName", "x-amz-acl")
	}
	var in accessControlPolicy
	if err := parseXML(raw, "AccessControlPolicy", &in); err != nil {
		return acl.List{}, s3err("MalformedACLError")
	}
	if in.Owner == nil || in.Owner.ID == "" || in.List == nil || len(in.List.Grants) > acl.MaxGrants {
		return acl.List{}, s3err("MalformedACLError")
	}
	names, permissions, err := in.grants()
	if err != nil {
		return acl.List{}, err
	}
	if user, ok := rq.handler.config.Directory.UserOf(in.Owner.ID); in.Owner.ID != owner.ID &&
		(!ok || iam.CanonicalID(user) != owner.ID) {
		return acl.List{}, s3err("AccessDenied")
	}
	l := acl.List{Owner: owner}
	for i, name := range names {
		grantee, err := rq.grantee(name)
		if err != nil {
			return acl.List{}, err
		}
		l.Grants = append(l.Grants, acl.Grant{Grantee: grantee, Permission: permissions[i]})
	}
	return l, nil
}

// grants returns the grants of a document, not yet resolved.
func (p *accessControlPolicy) grants() ([]acl.Name, []acl.Permission, error) {
	var names []acl.Name
	var permissions []acl.Permission
	for _, g := range p.List.Grants {
		permission, ok := acl.ParsePermission(g.Permission)
		if !ok || g.Grantee == nil {
			return nil, nil, s3err("MalformedACLError")
		}
		name := acl.Name{}
		switch g.Grantee.Type {
		case "CanonicalUser":
			name = acl.Name{Kind: acl.ByID, Value: g.Grantee.ID}
		case "Group":
			name = acl.Name{Kind: acl.ByURI, Value: g.Grantee.URI}
		case "AmazonCustomerByEmail":
			name = acl.Name{Kind: acl.ByEmail, Value: g.Grantee.Email}
		}
		if name.Value == "" {
			return nil, nil, s3err("MalformedACLError")
		}
		names, permissions = append(names, name), append(permissions, permission)
	}
	return names, permissions, nil
}

// askedACL returns the list that a PutBucketAcl or PutObjectAcl asks for, in its headers or its document.
func (rq *request) askedACL(owner acl.Owner) (acl.List, error) {
	if !rq.access.aclsEnabled() {
		return acl.List{}, s3err("AccessControlListNotSupported")
	}
	if rq.r.ContentLength > 0 && (rq.grantsInHeaders() || headerOf(rq.r.Header, "X-Amz-Acl") != "") {
		return acl.List{}, s3err("UnexpectedContent")
	}
	l, given, err := rq.headerACL(owner, rq.access.owner.asGrantee())
	if err == nil && !given {
		l, err = rq.bodyACL(owner)
	}
	if err != nil {
		return acl.List{}, err
	}
	return l, rq.checkPublic(rq.access, &l)
}

// checkPublic refuses a public list where the bucket's public access block does.
func (rq *request) checkPublic(access *bucketAccess, l *acl.List) error {
	if access.block.BlockPublicACLs && l.IsPublic() {
		return s3err("AccessDenied")
	}
	return nil
}

// newObjectACL returns the list of an object that the request writes, as it is stored: nothing for a private one. Where
// lists are off, only one that gives the bucket's owner everything may be asked for, which means nothing there.
func (rq *request) newObjectACL() ([]byte, error) {
	owner := rq.handler.ownerOf(rq.newOwner()).asGrantee()
	l, given, err := rq.headerACL(owner, rq.access.owner.asGrantee())
	if err != nil || !given {
		return nil, err
	}
	if !rq.access.aclsEnabled() {
		if canned := headerOf(rq.r.Header, "X-Amz-Acl"); canned == "bucket-owner-full-control" {
			return nil, nil
		}
		return nil, s3err("AccessControlListNotSupported")
	}
	if err := rq.allow(permission{action: "s3:PutObjectAcl", grant: acl.Write}, rq.access, rq.key); err != nil {
		return nil, err
	}
	if err := rq.checkPublic(rq.access, &l); err != nil {
		return nil, err
	}
	if rq.access.ownership == ownerPreferred && headerOf(rq.r.Header, "X-Amz-Acl") == "bucket-owner-full-control" {
		return nil, nil // the object becomes the bucket owner's: see newOwner
	}
	return l.Marshal(), nil
}

// getBucketACL answers GetBucketAcl.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html
func getBucketACL(rq *request) error { return rq.writeACL(&rq.access.acl) }

// putBucketACL answers PutBucketAcl.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
func putBucketACL(rq *request) error {
	l, err := rq.askedACL(rq.access.owner.asGrantee())
	if err != nil {
		return err
	}
	return rq.putConfig(configACL, l.Marshal(), http.StatusOK)
}

// getObjectACL answers GetObjectAcl.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html
func getObjectACL(rq *request) error {
	object, err := rq.statNamed()
	if err != nil {
		return err
	}
	l, err := rq.objectACL(&object)
	if err != nil {
		return err
	}
	rq.setVersion(object.Version)
	return rq.writeACL(&l)
}

// putObjectACL answers PutObjectAcl.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
func putObjectACL(rq *request) error {
	object, err := rq.statNamed()
	if err != nil {
		return err
	}
	l, err := rq.askedACL(rq.handler.ownerOf(object.Owner).asGrantee())
	if err != nil {
		return err
	}
	raw := l.Marshal()
	return rq.updateObject(meta.UpdateObject{ACL: &raw}, http.StatusOK)
}

func (rq *request) writeACL(l *acl.List) error {
	x := newXML(512 + 256*len(l.Grants))
	x.root("AccessControlPolicy")
	x.open("Owner")
	x.text("ID", rq.shownID(l.Owner.ID))
	x.optional("DisplayName", l.Owner.DisplayName)
	x.close("Owner")
	x.open("AccessControlList")
	for _, g := range l.Grants {
		x.open("Grant")
		kind := "CanonicalUser"
		if g.Grantee.URI != "" {
			kind = "Group"
		}
		x.raw(`<Grantee xmlns:xsi="` + xmlSchemaInstance + `" xsi:type="` + kind + `">`)
		x.optional("ID", rq.shownID(g.Grantee.ID))
		x.optional("DisplayName", g.Grantee.DisplayName)
		x.optional("URI", g.Grantee.URI)
		x.close("Grantee")
		x.text("Permission", g.Permission.String())
		x.close("Grant")
	}
	x.close("AccessControlList")
	x.close("AccessControlPolicy")
	return rq.writeXML(x)
}
