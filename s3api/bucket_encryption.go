package s3api

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/plimsoll/plimsoll/backend/encryption"
	"github.com/plimsoll/plimsoll/backend/meta"
)

// configEncryption is a bucket's default encryption, as JSON. A bucket without one stores what comes without headers of
// encryption as it is: unlike in S3, encryption is for the user to ask for.
const configEncryption meta.ConfigKind = "encryption"

// defaultEncryption is how a bucket encrypts what it is not told to encrypt otherwise.
type defaultEncryption struct {
	Algorithm string `json:"algorithm"`
	Key       string `json:"key,omitempty"` // of KMS; empty for the default one
	BucketKey bool   `json:"bucket_key,omitempty"`
}

// encryptionDocument is what clients send.
type encryptionDocument struct {
	Rules []struct {
		Default *struct {
			Algorithm string `xml:"SSEAlgorithm"`
			Key       string `xml:"KMSMasterKeyID"`
		} `xml:"ApplyServerSideEncryptionByDefault"`
		BucketKey bool     `xml:"BucketKeyEnabled"`
		Blocked   []string `xml:"BlockedEncryptionTypes>EncryptionType"`
	} `xml:"Rule"`
}

// getBucketEncryption answers GetBucketEncryption.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html
func getBucketEncryption(rq *request) error {
	d := rq.access.encryption
	if d == nil {
		return s3err("ServerSideEncryptionConfigurationNotFoundError").with("BucketName", string(rq.bucket))
	}
	x := newXML(512)
	x.root("ServerSideEncryptionConfiguration")
	x.open("Rule")
	x.open("ApplyServerSideEncryptionByDefault")
	x.text("SSEAlgorithm", d.Algorithm)
	x.optional("KMSMasterKeyID", d.Key)
	x.close("ApplyServerSideEncryptionByDefault")
	x.boolean("BucketKeyEnabled", d.BucketKey)
	x.close("Rule")
	x.close("ServerSideEncryptionConfiguration")
	return rq.writeXML(x)
}

// putBucketEncryption answers PutBucketEncryption. A key that the keyring does not have is refused here, and not only
// with every object that comes later.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
func putBucketEncryption(rq *request) error {
	var in encryptionDocument
	if err := rq.readXML("ServerSideEncryptionConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	if len(in.Rules) != 1 || in.Rules[0].Default == nil {
		return s3err("MalformedXML")
	}
	rule := in.Rules[0]
	for _, blocked := range rule.Blocked {
		if blocked != "NONE" {
			return s3err("NotImplemented", "Blocking a type of encryption is not implemented.")
		}
	}
	d := defaultEncryption{Algorithm: rule.Default.Algorithm, Key: rule.Default.Key, BucketKey: rule.BucketKey}
	switch d.Algorithm {
	case encryptionAES256:
		if d.Key != "" {
			return invalidArgument("KMSMasterKeyID", d.Key,
				"a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms")
		}
	case encryptionKMS:
		if !rq.handler.config.Keyring.HasName(cmp.Or(d.Key, encryption.DefaultKeyName)) {
			return noSuchEncryptionKey(d.Key)
		}
	case encryptionDSSE:
		return s3err("NotImplemented", "The encryption aws:kms:dsse is not implemented.")
	default:
		return s3err("MalformedXML")
	}
	value, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return rq.putConfig(configEncryption, value, http.StatusOK)
}

// deleteBucketEncryption answers DeleteBucketEncryption.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html
func deleteBucketEncryption(rq *request) error {
	return rq.putConfig(configEncryption, nil, http.StatusNoContent)
}
