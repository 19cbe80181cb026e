package s3api

import (
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/backend/checksum"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// copyObject answers CopyObject: gofakes3 mixes headers into metadata and has no conditions and no directives.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func copyObject(rq *request) error {
	source, err := rq.copySource()
	if err != nil {
		return err
	}
	in, err := rq.copyInput(source)
	if err != nil {
		return err
	}
	object, err := rq.store().CopyObject(rq.r.Context(), in)
	if err != nil {
		return source.explain(err)
	}
	rq.setVersion(rq.madeVersion(object.Version))
	rq.setExpiration(&object.Object)
	rq.setSourceVersion(source, object.SourceVersion)
	rq.setEncryption(object.Encryption)
	rq.setRoom()
	x := newXML(512)
	x.root("CopyObjectResult")
	x.timestamp("LastModified", object.Modified)
	x.text("ETag", quoteETag(object.ETag))
	writeChecksum(x, object.Checksum)
	x.close("CopyObjectResult")
	return rq.writeXML(x)
}

// copyInput reads what the copy is to be.
func (rq *request) copyInput(source *copySource) (backend.CopyObjectInput, error) {
	in := backend.CopyObjectInput{Source: source.Source, Bucket: rq.bucket, Key: rq.key, Owner: rq.newOwner()}
	err := rq.refuseSOSAPI()
	if err != nil {
		return in, err
	}
	if in.Precondition, err = writePrecondition(rq.r.Header); err != nil {
		return in, err
	}
	attributes, err := attributesOf(rq.r.Header)
	if err != nil {
		return in, err
	}
	replace, err := rq.directive("metadata")
	if err != nil {
		return in, err
	}
	if replace {
		in.Attributes = &attributes
	}
	in.StorageClass, in.WebsiteRedirect = attributes.StorageClass, attributes.WebsiteRedirect
	if in.Algorithm, err = rq.checksumAlgorithm(); err != nil {
		return in, err
	}
	if in.ReplaceTags, err = rq.directive("tagging"); err != nil {
		return in, err
	}
	if !in.ReplaceTags {
		in.Source.Check = rq.mayCopyTags(source, in.Source.Check)
	}
	// A source under a customer's key is not copied onto itself under that key, unless the request says so.
	decrypts := headerOf(rq.r.Header, sourceCustomerKey.algorithm) != ""
	changes := replace || decrypts || rq.asksForEncryption() || in.WebsiteRedirect != "" ||
		headerOf(rq.r.Header, "X-Amz-Storage-Class") != "" || source.Version != ""
	if !changes && source.Bucket == rq.bucket && source.Key == rq.key {
		return in, s3err("InvalidRequest", "This copy request is illegal because it is trying to copy an object to "+
			"itself without changing the object's metadata, storage class, website redirect location or encryption "+
			"attributes.")
	}
	if in.Wrap, err = rq.copyWrap(); err != nil {
		return in, err
	}
	in.Settings, err = rq.newSettings()
	return in, err
}

// mayCopyTags adds to the check of a source that its tags, where it has any, may be read there and written here.
func (rq *request) mayCopyTags(source *copySource, check func(meta.Object) error) func(meta.Object) error {
	return func(o meta.Object) error {
		if check != nil {
			if err := check(o); err != nil {
				return err
			}
		}
		if len(o.Tags) == 0 {
			return nil
		}
		read := permission{action: "s3:GetObjectTagging"}
		if err := source.of.allow(read.on(string(source.Version)), source.of.access, source.of.key); err != nil {
			return err
		}
		return rq.allow(permission{action: "s3:PutObjectTagging"}, rq.access, rq.key)
	}
}

// directive reads whether the copy keeps the source's metadata or tags, or has those of the request instead.
func (rq *request) directive(of string) (replace bool, err error) {
	name := "x-amz-" + of + "-directive"
	switch value := rq.r.Header.Get(name); value {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, invalidArgument(name, value, "Unknown "+of+" directive.")
	}
}

// checksumAlgorithm reads x-amz-checksum-algorithm.
func (rq *request) checksumAlgorithm() (checksum.Algorithm, error) {
	name := headerOf(rq.r.Header, "X-Amz-Checksum-Algorithm")
	if name == "" {
		return checksum.None, nil
	}
	a, ok := checksum.ParseAlgorithm(name)
	if !ok {
		return checksum.None, s3err("InvalidRequest", "Checksum algorithm provided is unsupported. "+
			"Please try again with any of the valid types: ["+strings.Join(algorithmNames(), ", ")+"]")
	}
	return a, nil
}

// algorithmNames are the names of the checksum algorithms, sorted.
func algorithmNames() []string {
	var names []string
	for _, a := range checksum.Algorithms() {
		names = append(names, a.String())
	}
	slices.Sort(names)
	return names
}

// writeChecksum writes the elements that tell of a checksum.
func writeChecksum(x *xmlWriter, c checksum.Checksum) {
	if c.Algorithm == checksum.None {
		return
	}
	x.text("Checksum"+c.Algorithm.String(), c.String())
	x.text("ChecksumType", c.Type.String())
}
