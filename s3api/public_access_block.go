package s3api

import (
	"encoding/json"
	"net/http"
)

// getPublicAccessBlock answers GetPublicAccessBlock.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html
func getPublicAccessBlock(rq *request) error {
	if rq.access.Configs[configPublicAccess] == nil {
		return s3err("NoSuchPublicAccessBlockConfiguration").with("BucketName", string(rq.bucket))
	}
	block := rq.access.block
	x := newXML(512)
	x.root("PublicAccessBlockConfiguration")
	x.boolean("BlockPublicAcls", block.BlockPublicACLs)
	x.boolean("IgnorePublicAcls", block.IgnorePublicACLs)
	x.boolean("BlockPublicPolicy", block.BlockPublicPolicy)
	x.boolean("RestrictPublicBuckets", block.RestrictPublicBuckets)
	x.close("PublicAccessBlockConfiguration")
	return rq.writeXML(x)
}

// putPublicAccessBlock answers PutPublicAccessBlock.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html
func putPublicAccessBlock(rq *request) error {
	var block publicAccessBlock
	if err := rq.readXML("PublicAccessBlockConfiguration", maxConfigBytes, &block); err != nil {
		return err
	}
	value, err := json.Marshal(block)
	if err != nil {
		return err
	}
	return rq.putConfig(configPublicAccess, value, http.StatusOK)
}

// deletePublicAccessBlock answers DeletePublicAccessBlock.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html
func deletePublicAccessBlock(rq *request) error {
	return rq.putConfig(configPublicAccess, nil, http.StatusNoContent)
}
