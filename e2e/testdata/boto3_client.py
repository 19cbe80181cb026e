"""boto3 in its default configuration against a running Plimsoll: boto3_client.py ENDPOINT [CERTIFICATE].

Checksums, retries, multipart thresholds and signing are as boto3 has them: only the endpoint, and for https the
certificate to trust, are given. The bucket "tiny" has a limit of 1,000 bytes.
"""

import io
import os
import sys
import urllib.request
import ssl

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, certificate = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)
s3 = boto3.client("s3", endpoint_url=endpoint, verify=certificate)

s3.create_bucket(Bucket="boto")
small, large = os.urandom(70_000), os.urandom(17 * 1024 * 1024)

# PutObject has a CRC32 by default, over https in a trailer of an unsigned payload; GetObject verifies it.
put = s3.put_object(Bucket="boto", Key="dir/small", Body=small, Metadata={"ship": "Preußen".encode().hex()})
# Debian's boto3 is older than that.
modern = tuple(int(n) for n in botocore.__version__.split(".")[:2]) >= (1, 36)
got = s3.get_object(Bucket="boto", Key="dir/small")
if modern:
    assert put["ChecksumCRC32"] and got["ChecksumCRC32"] == put["ChecksumCRC32"], (put, got)
assert got["Body"].read() == small
# boto3 waits for 100 Continue, also where it has no body. Without one, versions before 1.43.77 cannot read the next answer
# on that connection; they wait for it, and after a minute they try again.
impatient = boto3.client("s3", endpoint_url=endpoint, verify=certificate,
                         config=Config(read_timeout=20, retries={"total_max_attempts": 1}))
impatient.put_object(Bucket="boto", Key="empty", Body=b"")
impatient.put_object(Bucket="boto", Key="stream", Body=io.BytesIO(small))
assert s3.get_object(Bucket="boto", Key="empty")["Body"].read() == b""
assert s3.get_object(Bucket="boto", Key="dir/small", Range="bytes=10-19")["Body"].read() == small[10:20]

# The transfer manager goes to parts above 8 MiB, with a full-object checksum.
s3.upload_fileobj(io.BytesIO(large), "boto", "large")
head = s3.head_object(Bucket="boto", Key="large", ChecksumMode="ENABLED")
assert head["ContentLength"] == len(large) and head["ETag"].endswith('-3"'), head
back = io.BytesIO()
s3.download_fileobj("boto", "large", back)
assert back.getvalue() == large

s3.copy_object(Bucket="boto", Key="copy", CopySource={"Bucket": "boto", "Key": "dir/small"})
s3.copy({"Bucket": "boto", "Key": "large"}, "boto", "large copy")  # in parts, by ranges
assert s3.get_object(Bucket="boto", Key="large copy")["Body"].read() == large
keys = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="boto", PaginationConfig={"PageSize": 2})
        for o in page["Contents"]]
assert keys == ["copy", "dir/small", "empty", "large", "large copy", "stream"], keys
odd = "odd/../key //\x01\t+%ü "
s3.put_object(Bucket="boto", Key=odd, Body=b"odd")
assert odd in [o["Key"] for o in s3.list_objects_v2(Bucket="boto")["Contents"]]
assert odd in [o["Key"] for o in s3.list_objects(Bucket="boto")["Contents"]]
assert s3.get_object(Bucket="boto", Key=odd)["Body"].read() == b"odd"

# Presigned URLs, by a client that knows nothing of S3. In us-east-1 boto3 presigns with the signature version of 2008
# unless it is told otherwise; that one is not served.
presigner = boto3.client("s3", endpoint_url=endpoint, verify=certificate, config=Config(signature_version="s3v4"))
context = ssl.create_default_context(cafile=certificate) if certificate else None
url = presigner.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "dir/small"})
assert urllib.request.urlopen(url, context=context).read() == small
url = presigner.generate_presigned_url("put_object", Params={"Bucket": "boto", "Key": "presigned"})
urllib.request.urlopen(urllib.request.Request(url, data=small, method="PUT", headers={"Content-Type": ""}), context=context)
assert s3.get_object(Bucket="boto", Key="presigned")["Body"].read() == small


def refused(call, status, code, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        answer = e.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status and answer["Error"]["Code"] == code, answer
        assert answer["ResponseMetadata"]["RetryAttempts"] == 0, answer
        return answer["Error"]
    raise AssertionError(f"{code} did not come")


error = refused(s3.put_object, 507, "QuotaExceeded", Bucket="tiny", Key="k", Body=b"x" * 1001)
assert error["QuotaTotal"] == "1000" and error["QuotaRequested"] == "1001", error
refused(s3.put_object, 507, "QuotaExceeded", Bucket="tiny", Key="k", Body=large)
s3.put_object(Bucket="tiny", Key="k", Body=b"x" * 1000)
refused(s3.get_object, 404, "NoSuchKey", Bucket="boto", Key="absent")
refused(s3.put_object, 412, "PreconditionFailed", Bucket="boto", Key="copy", Body=b"", IfNoneMatch="*")

objects = [{"Key": o["Key"]} for o in s3.list_objects_v2(Bucket="boto")["Contents"] if o["Key"] != odd]
deleted = s3.delete_objects(Bucket="boto", Delete={"Objects": objects})
assert len(deleted["Deleted"]) == len(objects) and "Errors" not in deleted, deleted
s3.delete_object(Bucket="boto", Key=odd)
s3.delete_bucket(Bucket="boto")

# S3 answers metadata in lower case, and boto3 hands its users the names as they came.
assert got["Metadata"] == {"ship": "Preußen".encode().hex()}, got["Metadata"]
