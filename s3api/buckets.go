package s3api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// defaultRegion is that of S3's which has no LocationConstraint.
const defaultRegion = "us-east-1"

// maxListBuckets is the largest page of ListBuckets.
const maxListBuckets = 10_000

// listBuckets answers ListBuckets: gofakes3 has one owner for all servers and no pages.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
func listBuckets(rq *request) error {
	limit := maxListBuckets
	if rq.query.Has("max-buckets") {
		value := rq.query.Get("max-buckets")
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxListBuckets {
			return invalidArgument("max-buckets", value, "Argument max-buckets must be an integer between 1 and 10000.")
		}
		limit = n
	}
	after, err := base64.RawURLEncoding.DecodeString(rq.query.Get("continuation-token"))
	if err != nil {
		return invalidArgument("continuation-token", rq.query.Get("continuation-token"),
			"The continuation token provided is incorrect")
	}
	region, prefix := rq.query.Get("bucket-region"), rq.query.Get("prefix")
	all, err := rq.visibleBuckets()
	if err != nil {
		return err
	}
	page := make([]meta.Bucket, 0, min(len(all), limit))
	truncated := false
	for _, b := range all {
		if string(b.Name) <= string(after) || !strings.HasPrefix(string(b.Name), prefix) ||
			(region != "" && region != rq.handler.config.Region) {
			continue
		}
		if truncated = len(page) == limit; truncated {
			break
		}
		page = append(page, b)
	}
	x := newXML(512 + 128*len(page))
	x.root("ListAllMyBucketsResult")
	rq.writeOwner(x, "Owner", rq.who.Name)
	x.open("Buckets")
	for _, b := range page {
		x.open("Bucket")
		x.text("Name", string(b.Name))
		x.timestamp("CreationDate", b.Created)
		x.text("BucketRegion", rq.handler.config.Region)
		x.close("Bucket")
	}
	x.close("Buckets")
	x.optional("Prefix", prefix)
	if truncated {
		x.text("ContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(page[len(page)-1].Name)))
	}
	x.close("ListAllMyBucketsResult")
	return rq.writeXML(x)
}

// visibleBuckets are all buckets for who may list them, and their own for who has some.
func (rq *request) visibleBuckets() ([]meta.Bucket, error) {
	denied := rq.allow(permission{action: "s3:ListAllMyBuckets"}, nil, "")
	if denied != nil && (rq.who.Name == "" || errors.As(denied, new(*deniedError))) {
		return nil, denied
	}
	all, err := rq.store().ListBuckets(rq.r.Context())
	if err != nil || denied == nil {
		return all, err
	}
	own := slices.DeleteFunc(all, func(b meta.Bucket) bool { return b.Owner != rq.who.Name })
	if len(own) == 0 {
		return nil, denied
	}
	return own, nil
}

// writeOwner writes a user as an owner.
func (rq *request) writeOwner(x *xmlWriter, element, user string) {
	x.open(element)
	if user == iam.RootName && rq.who.Name != "" {
		x.raw(rq.handler.rootXML)
	} else {
		x.raw(rq.handler.ownerOf(user).xml)
	}
	x.close(element)
}

// shownID is a canonical id as users are told it: root's is its access key, which is the name that users know it by. Who
// is anonymous is not told that key. What is stored and compared is the canonical id.
func (rq *request) shownID(id string) string {
	if directory := rq.handler.config.Directory; rq.who.Name != "" && id == directory.Root().CanonicalID {
		return directory.RootKey()
	}
	return id
}

type createBucketConfiguration struct {
	LocationConstraint string    `xml:"LocationConstraint"`
	Location           *struct{} `xml:"Location"`
	Bucket             *struct{} `xml:"Bucket"`
	Tags               *tagSet   `xml:"Tags"`
}

// createBucket answers CreateBucket: gofakes3 refuses names that S3 takes, and does not read the body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func createBucket(rq *request) error {
	name := string(rq.bucket)
	if !ValidBucketName(name) {
		return s3err("InvalidBucketName").with("BucketName", name)
	}
	var asked createBucketConfiguration
	if rq.r.ContentLength != 0 {
		if err := rq.readXML("CreateBucketConfiguration", maxConfigBytes, &asked); err != nil {
			return err
		}
		if asked.Location != nil || asked.Bucket != nil {
			return s3err("NotImplemented", "Directory buckets are not implemented.")
		}
		if err := rq.checkLocation(asked.LocationConstraint); err != nil {
			return err
		}
	}
	created, err := rq.newBucket()
	if err == nil && asked.Tags != nil {
		err = rq.addTags(&created, asked.Tags)
	}
	if err != nil {
		return err
	}
	err = rq.store().CreateBucket(rq.r.Context(), created)
	if errors.Is(err, meta.ErrBucketExists) {
		if existing, stateErr := rq.store().BucketState(rq.bucket); stateErr == nil && existing.Owner != rq.who.Name {
			return s3err("BucketAlreadyExists").with("BucketName", name)
		}
	}
	if err != nil {
		return err
	}
	rq.w.set("Location", "/"+name)
	rq.w.set("X-Amz-Bucket-Arn", "arn:aws:s3:::"+name)
	return rq.done(http.StatusOK)
}

// addTags gives a new bucket its tags.
func (rq *request) addTags(in *backend.CreateBucketInput, set *tagSet) error {
	tags, err := set.tags(maxBucketTags)
	if err != nil {
		return err
	}
	if err := rq.allow(permission{action: "s3:TagResource"}, nil, ""); err != nil {
		return err
	}
	raw, err := json.Marshal(tags)
	in.Configs = append(in.Configs, meta.Config{Kind: configTagging, Value: raw})
	return err
}

// newBucket is the bucket that a CreateBucket's headers ask for.
func (rq *request) newBucket() (backend.CreateBucketInput, error) {
	in := backend.CreateBucketInput{Name: rq.bucket, Owner: rq.who.Name}
	ownership := ownerEnforced
	if asked := headerOf(rq.r.Header, "X-Amz-Object-Ownership"); asked != "" {
		if !slices.Contains(ownerships, asked) {
			return in, invalidArgument("x-amz-object-ownership", asked, "Invalid x-amz-object-ownership header: "+asked)
		}
		ownership = asked
	}
	if headerOf(rq.r.Header, "X-Amz-Object-Ownership") != "" && rq.denied("s3:PutBucketOwnershipControls") {
		return in, s3err("AccessDenied")
	}
	in.Configs = append(in.Configs, meta.Config{Kind: configOwnership, Value: []byte(ownership)})
	owner := rq.handler.ownerOf(rq.who.Name).asGrantee()
	l, given, err := rq.headerACL(owner, owner)
	if err != nil {
		return in, err
	}
	if given && rq.denied("s3:PutBucketAcl") {
		return in, s3err("AccessDenied")
	}
	if given && l.GrantsOthers() {
		if ownership == ownerEnforced {
			return in, s3err("InvalidBucketAclWithObjectOwnership")
		}
		in.Configs = append(in.Configs, meta.Config{Kind: configACL, Value: l.Marshal()})
	}
	switch locked := headerOf(rq.r.Header, "X-Amz-Bucket-Object-Lock-Enabled"); strings.ToLower(locked) {
	case "", "false":
	case "true":
		if rq.denied("s3:PutBucketObjectLockConfiguration") || rq.denied("s3:PutBucketVersioning") {
			return in, s3err("AccessDenied")
		}
		in.ObjectLock = true
	default:
		return in, invalidArgument("x-amz-bucket-object-lock-enabled", locked, "The value must be true or false.")
	}
	return in, nil
}

// checkLocation accepts this server's region. That of us-east-1 is to name none: it is no LocationConstraint of S3's.
func (rq *request) checkLocation(location string) error {
	region := rq.handler.config.Region
	switch {
	case location == "", location == "EU" && region == "eu-west-1", location == region && region != defaultRegion:
		return nil
	}
	return s3err("InvalidLocationConstraint").with("LocationConstraint", location)
}

// regionHeader tells the region of a bucket.
const regionHeader = "X-Amz-Bucket-Region"

// headBucket answers HeadBucket, with the headers that gofakes3 does not have.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func headBucket(rq *request) error {
	if err := rq.store().HeadBucket(rq.r.Context(), rq.bucket); err != nil {
		return err
	}
	if err := rq.checkQuota(); err != nil {
		return err
	}
	header := rq.w.Header()
	header.Set("X-Amz-Access-Point-Alias", "false")
	header.Set("Content-Type", "application/xml")
	rq.setRoom()
	rq.setStats()
	rq.w.WriteHeader(http.StatusOK)
	return nil
}

// deleteBucket lets gofakes3 answer DeleteBucket, without the header that would delete what is in it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
func deleteBucket(rq *request) error {
	return rq.newFront().serve(nil)
}

// getBucketLocation answers GetBucketLocation with this server's region; us-east-1 is the empty one.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
func getBucketLocation(rq *request) error {
	if err := rq.store().HeadBucket(rq.r.Context(), rq.bucket); err != nil {
		return err
	}
	region := rq.handler.config.Region
	if region == defaultRegion {
		region = ""
	}
	x := newXML(256)
	x.root("LocationConstraint")
	x.data(region)
	x.close("LocationConstraint")
	return rq.writeXML(x)
}
