// Versions, tags, locks and forms with the AWS SDK for JavaScript: features.mjs ENDPOINT.

import assert from "node:assert/strict";
import {
  S3Client, CreateBucketCommand, PutBucketVersioningCommand, GetBucketVersioningCommand, PutObjectCommand, GetObjectCommand,
  DeleteObjectCommand, DeleteBucketCommand, ListObjectVersionsCommand, PutObjectTaggingCommand, GetObjectTaggingCommand,
  DeleteObjectTaggingCommand, GetBucketTaggingCommand, PutBucketTaggingCommand, PutObjectLockConfigurationCommand,
  GetObjectLockConfigurationCommand, PutObjectRetentionCommand, GetObjectRetentionCommand, PutObjectLegalHoldCommand,
  GetObjectLegalHoldCommand, HeadObjectCommand,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const s3 = new S3Client({ endpoint: process.argv[2], forcePathStyle: true });
const send = (Command, input) => s3.send(new Command(input));
async function refused(name, promise) {
  const error = await promise.then(() => assert.fail(`${name} did not come`), (e) => e);
  assert.equal(error.name, name, String(error));
}

// Versions.
await send(CreateBucketCommand, { Bucket: "log" });
assert.equal((await send(GetBucketVersioningCommand, { Bucket: "log" })).Status, undefined);
await send(PutBucketVersioningCommand, { Bucket: "log", VersioningConfiguration: { Status: "Enabled" } });
const page = { Bucket: "log", Key: "page" };
const first = (await send(PutObjectCommand, { ...page, Body: "one", Tagging: "ship=Passat&year=1911" })).VersionId;
const second = (await send(PutObjectCommand, { ...page, Body: "two" })).VersionId;
const marker = (await send(DeleteObjectCommand, page)).VersionId;
await refused("NoSuchKey", send(GetObjectCommand, page));
const old = await send(GetObjectCommand, { ...page, VersionId: first });
assert.deepEqual([await old.Body.transformToString(), old.VersionId, old.TagCount], ["one", first, 2]);
const url = await getSignedUrl(s3, new GetObjectCommand({ ...page, VersionId: second }));
assert.equal(await (await fetch(url)).text(), "two");
const listed = await send(ListObjectVersionsCommand, { Bucket: "log" });
assert.deepEqual(listed.Versions.map((v) => v.VersionId), [second, first]);
assert.deepEqual(listed.DeleteMarkers.map((m) => [m.VersionId, m.IsLatest]), [[marker, true]]);

// Tags.
const tags = [{ Key: "home port", Value: "Lübeck" }, { Key: "rig", Value: "" }];
await send(PutObjectTaggingCommand, { ...page, VersionId: first, Tagging: { TagSet: tags } });
assert.deepEqual((await send(GetObjectTaggingCommand, { ...page, VersionId: first })).TagSet, tags);
await send(DeleteObjectTaggingCommand, { ...page, VersionId: first });
assert.deepEqual((await send(GetObjectTaggingCommand, { ...page, VersionId: first })).TagSet, []);
await refused("MethodNotAllowed", send(PutObjectTaggingCommand, { ...page, VersionId: marker, Tagging: { TagSet: tags } }));
await refused("NoSuchTagSet", send(GetBucketTaggingCommand, { Bucket: "log" }));
await send(PutBucketTaggingCommand, { Bucket: "log", Tagging: { TagSet: tags } });
assert.deepEqual((await send(GetBucketTaggingCommand, { Bucket: "log" })).TagSet, tags);

for (const VersionId of [first, second, marker]) await send(DeleteObjectCommand, { ...page, VersionId });
await send(DeleteBucketCommand, { Bucket: "log" });

// Locks.
await send(CreateBucketCommand, { Bucket: "vault", ObjectLockEnabledForBucket: true });
const configuration = { ObjectLockEnabled: "Enabled", Rule: { DefaultRetention: { Mode: "GOVERNANCE", Years: 1 } } };
await send(PutObjectLockConfigurationCommand, { Bucket: "vault", ObjectLockConfiguration: configuration });
assert.deepEqual((await send(GetObjectLockConfigurationCommand, { Bucket: "vault" })).ObjectLockConfiguration, configuration);
const deed = { Bucket: "vault", Key: "deed" };
const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000);
const { VersionId } = await send(PutObjectCommand, {
  ...deed, Body: "signed", ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: until, ObjectLockLegalHoldStatus: "ON",
});
const retention = { Mode: "GOVERNANCE", RetainUntilDate: until };
assert.deepEqual((await send(GetObjectRetentionCommand, deed)).Retention, retention);
const head = await send(HeadObjectCommand, deed);
assert.deepEqual([head.ObjectLockMode, head.ObjectLockRetainUntilDate, head.ObjectLockLegalHoldStatus], ["GOVERNANCE", until, "ON"]);
await refused("AccessDenied", send(DeleteObjectCommand, { ...deed, VersionId, BypassGovernanceRetention: true }));
await send(PutObjectLegalHoldCommand, { ...deed, LegalHold: { Status: "OFF" } });
assert.equal((await send(GetObjectLegalHoldCommand, deed)).LegalHold.Status, "OFF");
const shorter = { Mode: "GOVERNANCE", RetainUntilDate: new Date(until.getTime() - 3_600_000) };
await refused("AccessDenied", send(PutObjectRetentionCommand, { ...deed, Retention: shorter }));
await send(PutObjectRetentionCommand, { ...deed, Retention: shorter, BypassGovernanceRetention: true });
await refused("AccessDenied", send(DeleteObjectCommand, { ...deed, VersionId }));
await send(DeleteObjectCommand, { ...deed, VersionId, BypassGovernanceRetention: true });
await send(DeleteBucketCommand, { Bucket: "vault" });
