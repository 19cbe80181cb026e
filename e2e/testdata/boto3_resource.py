"""boto3's resources against a running Plimsoll: boto3_resource.py ENDPOINT.

What users of the resource API call: versions, configurations of a bucket, tags, locks, and forms signed for a browser.
"""

import json
import sys
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.resource("s3", endpoint_url=sys.argv[1], config=Config(signature_version="s3v4"))
client = s3.meta.client


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
    else:
        raise AssertionError(f"{code} did not come")


bucket = s3.create_bucket(Bucket="resources")
assert [b.name for b in s3.buckets.all()] == ["resources"]

# Versions.
versioning = bucket.Versioning()
assert versioning.status is None
versioning.enable()
versioning.reload()
assert versioning.status == "Enabled"
page = bucket.Object("page")
first = page.put(Body=b"one", Tagging="ship=Passat")["VersionId"]
second = page.put(Body=b"two")["VersionId"]
assert page.version_id == second
assert page.Version(first).get()["Body"].read() == b"one"
marker = page.delete()
assert marker["DeleteMarker"]
refused("NoSuchKey", page.get)
listed = [(v.id, v.is_latest, v.size) for v in bucket.object_versions.filter(Prefix="page")]
assert listed == [(second, False, 3), (first, False, 3), (marker["VersionId"], True, None)] or \
    sorted(v[0] for v in listed) == sorted([first, second, marker["VersionId"]]), listed
s3.ObjectVersion("resources", "page", marker["VersionId"]).delete()
assert page.get()["Body"].read() == b"two"
bucket.copy({"Bucket": "resources", "Key": "page", "VersionId": first}, "page")  # brings the first version back
assert page.get()["Body"].read() == b"one"
url = client.generate_presigned_url("get_object", Params={"Bucket": "resources", "Key": "page", "VersionId": second})
assert urllib.request.urlopen(url).read() == b"two"
versioning.suspend()
assert "VersionId" not in page.put(Body=b"null")  # as on AWS, only reads tell of the null version
assert page.get()["VersionId"] == "null"

# Configurations.
policy = bucket.Policy()
refused("NoSuchBucketPolicy", policy.load)
document = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::resources/open/*"}]}
policy.put(Policy=json.dumps(document))
policy.reload()
assert json.loads(policy.policy) == document
bucket.put_object(Key="open/notice", Body=b"for everyone")
assert urllib.request.urlopen(f"{sys.argv[1]}/resources/open/notice").read() == b"for everyone"
policy.delete()
refused("NoSuchBucketPolicy", policy.reload)

cors = bucket.Cors()
refused("NoSuchCORSConfiguration", cors.load)
cors.put(CORSConfiguration={"CORSRules": [{"AllowedMethods": ["POST"], "AllowedOrigins": ["https://app.example.com"]}]})
cors.reload()
assert cors.cors_rules == [{"AllowedMethods": ["POST"], "AllowedOrigins": ["https://app.example.com"]}], cors.cors_rules
cors.delete()

lifecycle = bucket.LifecycleConfiguration()
refused("NoSuchLifecycleConfiguration", lifecycle.load)
rule = {"ID": "tmp", "Status": "Enabled", "Filter": {"And": {"Prefix": "tmp/", "Tags": [{"Key": "keep", "Value": "no"}]}},
        "Expiration": {"Days": 1}}
lifecycle.put(LifecycleConfiguration={"Rules": [rule]})
lifecycle.reload()
assert lifecycle.rules == [rule], lifecycle.rules
expires = bucket.put_object(Key="tmp/a", Body=b"", Tagging="keep=no").expiration
assert expires is None or 'rule-id="tmp"' in expires, expires
assert 'rule-id="tmp"' in client.head_object(Bucket="resources", Key="tmp/a")["Expiration"]
lifecycle.delete()

tagging = bucket.Tagging()
refused("NoSuchTagSet", tagging.load)
tags = [{"Key": "home port", "Value": "Lübeck"}, {"Key": "team", "Value": "deck"}]
tagging.put(Tagging={"TagSet": tags})
tagging.reload()
assert sorted(tagging.tag_set, key=lambda t: t["Key"]) == tags, tagging.tag_set
tagging.delete()


# A form, as a page would send it.
def post_form(signed, body):
    boundary = uuid.uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in signed["fields"].items()]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="up.txt"\r\n'
                 f"Content-Type: text/plain\r\n\r\n".encode() + body + f"\r\n--{boundary}--\r\n".encode())
    request = urllib.request.Request(signed["url"], data=b"".join(parts), method="POST",
                                     headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as e:
        return e.code, e.read()


form = client.generate_presigned_post(
    "resources", "forms/${filename}", Fields={"x-amz-meta-ship": "Passat", "Content-Type": "text/plain"},
    Conditions=[{"x-amz-meta-ship": "Passat"}, {"Content-Type": "text/plain"}, ["content-length-range", 1, 100]])
assert post_form(form, b"x" * 100) == 204
posted = bucket.Object("forms/up.txt")
assert (posted.content_length, posted.content_type, posted.metadata) == (100, "text/plain", {"ship": "Passat"})
status, body = post_form(form, b"x" * 101)
assert status == 400 and b"<Code>EntityTooLarge</Code>" in body, body
form["fields"]["x-amz-meta-ship"] = "Pamir"
assert post_form(form, b"x")[0] == 403

bucket.object_versions.delete()
assert list(bucket.object_versions.all()) == []
bucket.delete()

# A lock.
vault = s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
client.put_object_lock_configuration(Bucket="vault", ObjectLockConfiguration={
    "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
locked = vault.put_object(Key="deed", Body=b"signed")
assert locked.object_lock_mode == "GOVERNANCE" and locked.object_lock_retain_until_date > locked.last_modified
refused("AccessDenied", locked.Version(locked.version_id).delete)
locked.Version(locked.version_id).delete(BypassGovernanceRetention=True)
vault.delete()
