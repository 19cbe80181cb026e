package s3api

import (
	"net/http"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// What S3 can do for a bucket and this server does not: reads answer that it is not configured, and writes that leave it
// so are taken. What would configure it is answered 501: to take it would be a silent lie.

// configAcceleration holds "Suspended" where a client has said so; acceleration itself is not there.
const configAcceleration meta.ConfigKind = "accelerate"

// getBucketAcceleration answers GetBucketAccelerateConfiguration.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html
func getBucketAcceleration(rq *request) error {
	x := newXML(256)
	x.root("AccelerateConfiguration")
	x.optional("Status", string(rq.access.Configs[configAcceleration]))
	x.close("AccelerateConfiguration")
	return rq.writeXML(x)
}

// putBucketAcceleration answers PutBucketAccelerateConfiguration.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html
func putBucketAcceleration(rq *request) error {
	var in struct {
		Status string `xml:"Status"`
	}
	if err := rq.readXML("AccelerateConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	switch in.Status {
	case "Suspended":
		return rq.putConfig(configAcceleration, []byte(in.Status), http.StatusOK)
	case "Enabled":
		return s3err("NotImplemented", "Transfer acceleration is not implemented.")
	}
	return s3err("MalformedXML")
}

// getBucketLogging answers GetBucketLogging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html
func getBucketLogging(rq *request) error { return rq.writeEmpty("BucketLoggingStatus") }

// putBucketLogging answers PutBucketLogging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
func putBucketLogging(rq *request) error {
	return rq.putEmpty("BucketLoggingStatus", "Server access logging is not implemented.")
}

func (rq *request) writeEmpty(root string) error {
	x := newXML(256)
	x.root(root)
	x.close(root)
	return rq.writeXML(x)
}

// putEmpty takes a document that asks for nothing.
func (rq *request) putEmpty(root, message string) error {
	var in struct {
		Asked []unknown `xml:",any"`
	}
	if err := rq.readXML(root, maxConfigBytes, &in); err != nil {
		return err
	}
	if len(in.Asked) > 0 {
		return s3err("NotImplemented", message)
	}
	return rq.done(http.StatusOK)
}

// getBucketRequestPayment answers GetBucketRequestPayment.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html
func getBucketRequestPayment(rq *request) error {
	x := newXML(256)
	x.root("RequestPaymentConfiguration")
	x.text("Payer", "BucketOwner")
	x.close("RequestPaymentConfiguration")
	return rq.writeXML(x)
}

// putBucketRequestPayment answers PutBucketRequestPayment.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html
func putBucketRequestPayment(rq *request) error {
	var in struct {
		Payer string `xml:"Payer"`
	}
	if err := rq.readXML("RequestPaymentConfiguration", maxConfigBytes, &in); err != nil {
		return err
	}
	switch in.Payer {
	case "BucketOwner":
		return rq.done(http.StatusOK)
	case "Requester":
		return s3err("NotImplemented", "Buckets whose requesters pay are not implemented.")
	}
	return s3err("MalformedXML")
}

// getBucketReplication answers GetBucketReplication.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html
func getBucketReplication(rq *request) error {
	return s3err("ReplicationConfigurationNotFoundError").with("BucketName", string(rq.bucket))
}

// deleteBucketReplication answers DeleteBucketReplication: there is none.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketReplication.html
func deleteBucketReplication(rq *request) error { return rq.done(http.StatusNoContent) }

// readNamedConfigurations returns what answers the operations that read the configurations of a kind which a bucket has
// by name: one of them, or where the request names none, all, in a document with this root.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketInventoryConfigurations.html
func readNamedConfigurations(root string) func(*request) error {
	return func(rq *request) error {
		if rq.query.Has("id") {
			return noNamedConfiguration(rq)
		}
		x := newXML(256)
		x.root(root)
		x.boolean("IsTruncated", false)
		x.close(root)
		return rq.writeXML(x)
	}
}

// noNamedConfiguration answers that the bucket has no such configuration.
func noNamedConfiguration(*request) error { return s3err("NoSuchConfiguration") }
