package s3api

import (
	"net/http"
	"slices"
)

var ownerships = []string{ownerEnforced, ownerPreferred, objectWriter}

type ownershipControls struct {
	Rules []struct {
		ObjectOwnership string `xml:"ObjectOwnership"`
	} `xml:"Rule"`
}

// getOwnershipControls answers GetBucketOwnershipControls.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html
func getOwnershipControls(rq *request) error {
	if rq.access.Configs[configOwnership] == nil {
		return s3err("OwnershipControlsNotFoundError").with("BucketName", string(rq.bucket))
	}
	x := newXML(256)
	x.root("OwnershipControls")
	x.open("Rule")
	x.text("ObjectOwnership", rq.access.ownership)
	x.close("Rule")
	x.close("OwnershipControls")
	return rq.writeXML(x)
}

// putOwnershipControls answers PutBucketOwnershipControls. Lists cannot be switched off while they grant something to
// others: what they grant would be lost silently.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html
func putOwnershipControls(rq *request) error {
	var in ownershipControls
	if err := rq.readXML("OwnershipControls", maxConfigBytes, &in); err != nil {
		return err
	}
	if len(in.Rules) != 1 || !slices.Contains(ownerships, in.Rules[0].ObjectOwnership) {
		return s3err("MalformedXML")
	}
	ownership := in.Rules[0].ObjectOwnership
	if ownership == ownerEnforced && rq.access.acl.GrantsOthers() {
		return s3err("InvalidBucketAclWithObjectOwnership")
	}
	return rq.putConfig(configOwnership, []byte(ownership), http.StatusOK)
}

// deleteOwnershipControls answers DeleteBucketOwnershipControls.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html
func deleteOwnershipControls(rq *request) error {
	return rq.putConfig(configOwnership, nil, http.StatusNoContent)
}
