"""What other servers have of quotas, by boto3 and botocore: boto3_quota.py ENDPOINT.

The bucket "tiny" has a limit of 1,000 bytes.
"""

import json
import sys
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest

endpoint = sys.argv[1]
session = boto3.session.Session()
s3 = session.client("s3", endpoint_url=endpoint)


def headers(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"]


def room(answer):
    return [headers(answer).get(f"x-plimsoll-quota-{name}-bytes") for name in ("used", "available", "total")]


put = s3.put_object(Bucket="tiny", Key="k", Body=b"x" * 300)
assert room(put) == ["300", "700", "1000"], put
assert room(s3.head_bucket(Bucket="tiny")) == ["300", "700", "1000"]
assert room(s3.delete_object(Bucket="tiny", Key="absent")) == ["300", "700", "1000"]
assert room(s3.get_object(Bucket="tiny", Key="k")) == [None] * 3

# Ceph RGW: scripts add the parameter to what boto3 sends.
plain = headers(s3.head_bucket(Bucket="tiny"))
assert not [name for name in plain if name.startswith("x-rgw-")], plain
s3.meta.events.register("before-sign.s3.HeadBucket", lambda request, **_: request.params.update({"read-stats": "true"}))
stats = headers(s3.head_bucket(Bucket="tiny"))
assert stats["x-rgw-object-count"] == "1" and stats["x-rgw-bytes-used"] == "300", stats
assert stats["x-rgw-quota-bucket-size"] == "1000" and stats["x-rgw-quota-user-size"] == "-1", stats


def send(method, path, body=None, **extra):
    """Signs and sends what boto3 has no operation for."""
    request = AWSRequest(method=method, url=endpoint + path, data=body, headers=extra)
    S3SigV4Auth(session.get_credentials(), "s3", "us-east-1").add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(prepared.url, data=body, headers=dict(prepared.headers), method=method)
    try:
        with urllib.request.urlopen(sent) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


status, body = send("GET", "/?usage")
usage = ElementTree.fromstring(body)
assert status == 200 and usage.tag == "Usage" and usage.findtext("Summary/TotalBytes") == "300", body
assert [e.findtext("Bucket") for e in usage.iterfind("CapacityUsed/User/Buckets/Entry")] == ["tiny"], body

# Scality.
quota = "/tiny?quota=true"
assert send("DELETE", quota)[0] == 204
status, body = send("GET", quota)
assert status == 404 and ElementTree.fromstring(body).findtext("Code") == "NoSuchQuota", body
status, body = send("PUT", quota, json.dumps({"quota": 500}).encode(), **{"Content-Type": "application/json"})
assert status == 200, body
status, body = send("GET", quota, Accept="application/json")
assert status == 200 and json.loads(body) == {"name": "tiny", "quota": 500}, body
status, body = send("GET", quota)
assert ElementTree.fromstring(body).findtext("Quota") == "500", body
try:
    s3.put_object(Bucket="tiny", Key="l", Body=b"x" * 201)
    raise AssertionError("more than the limit was stored")
except s3.exceptions.ClientError as e:
    assert e.response["Error"]["Code"] == "QuotaExceeded", e.response
status, body = send("PUT", quota, b'{"quota": -1}', **{"Content-Type": "application/json"})
assert status == 400 and ElementTree.fromstring(body).findtext("Code") == "InvalidArgument", body

# Veeam.
folder = ".system-d26a9498-cb7c-4a87-a44a-8ae204f5ba6c/"
capacity = ElementTree.fromstring(s3.get_object(Bucket="tiny", Key=folder + "capacity.xml")["Body"].read())
assert [e.text for e in capacity] == ["500", "200", "300"], ElementTree.tostring(capacity)
assert s3.head_object(Bucket="tiny", Key=folder + "system.xml")["ContentType"] == "application/xml"
assert [o["Key"] for o in s3.list_objects_v2(Bucket="tiny")["Contents"]] == ["k"]
