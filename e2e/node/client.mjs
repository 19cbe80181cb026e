// The AWS SDK for JavaScript in its default configuration against a running Plimsoll: client.mjs ENDPOINT.
// The bucket "tiny" has a limit of 1,000 bytes.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, HeadObjectCommand, CopyObjectCommand,
  DeleteObjectCommand, DeleteObjectsCommand, DeleteBucketCommand, ListBucketsCommand, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const s3 = new S3Client({ endpoint: process.argv[2], forcePathStyle: true });
const send = (Command, input) => s3.send(new Command(input));
const read = async (Key, more) =>
  Buffer.from(await (await send(GetObjectCommand, { Bucket: "node", Key, ...more })).Body.transformToByteArray());

await send(CreateBucketCommand, { Bucket: "node" });
assert.deepEqual((await send(ListBucketsCommand, {})).Buckets.map((b) => b.Name), ["node", "tiny"]);

const small = randomBytes(70_000);
const large = randomBytes(12 * 1024 * 1024);
const put = await send(PutObjectCommand, { Bucket: "node", Key: "dir/small", Body: small, Metadata: { ship: "Passat" } });
assert.ok(put.ChecksumCRC32, "a checksum by default");
assert.deepEqual(await read("dir/small"), small);
assert.deepEqual(await read("dir/small", { Range: "bytes=10-19" }), small.subarray(10, 20));
const head = await send(HeadObjectCommand, { Bucket: "node", Key: "dir/small", ChecksumMode: "ENABLED" });
assert.deepEqual([head.ContentLength, head.Metadata, head.ChecksumCRC32], [70_000, { ship: "Passat" }, put.ChecksumCRC32]);

// A stream has its checksum in a trailer, behind aws-chunked.
await send(PutObjectCommand, { Bucket: "node", Key: "stream", Body: Readable.from([small]), ContentLength: small.length });
assert.deepEqual(await read("stream"), small);
await send(PutObjectCommand, { Bucket: "node", Key: "empty", Body: "" });
assert.equal((await read("empty")).length, 0);

// A stream of unknown length goes up in parts.
function* pieces() {
  for (let at = 0; at < large.length; at += 100_000) yield large.subarray(at, at + 100_000);
}
await new Upload({ client: s3, params: { Bucket: "node", Key: "large", Body: Readable.from(pieces()) } }).done();
assert.ok((await read("large")).equals(large), "the bytes of a multipart upload");

await send(CopyObjectCommand, { Bucket: "node", Key: "copy", CopySource: "node/dir/small" });
assert.deepEqual(await read("copy"), small);
const odd = "odd/../key //+%ü&=?# ";
await send(PutObjectCommand, { Bucket: "node", Key: odd, Body: "odd" });
assert.equal((await read(odd)).toString(), "odd");
const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket: "node" })) {
  keys.push(...page.Contents.map((o) => o.Key));
}
assert.deepEqual(keys, ["copy", "dir/small", "empty", "large", odd, "stream"]);

const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: "node", Key: "dir/small" }));
assert.deepEqual(Buffer.from(await (await fetch(url)).arrayBuffer()), small);
const target = await getSignedUrl(s3, new PutObjectCommand({ Bucket: "node", Key: "presigned" }));
assert.equal((await fetch(target, { method: "PUT", body: small })).status, 200);
assert.deepEqual(await read("presigned"), small);

// A form that the SDK signs, sent by fetch as a browser does.
async function postForm(body, conditions = []) {
  const { url, fields } = await createPresignedPost(s3, {
    Bucket: "node", Key: "form/${filename}", Conditions: [["content-length-range", 0, 80_000], ...conditions],
  });
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([body]), "ünicode.bin");
  return fetch(url, { method: "POST", body: form });
}
const posted = await postForm(small);
assert.deepEqual([posted.status, await posted.text()], [204, ""]);
assert.deepEqual(await read("form/ünicode.bin"), small);
const unfit = await postForm(large);
assert.equal(unfit.status, 400);
assert.match(await unfit.text(), /<Code>EntityTooLarge<\/Code>/);
assert.equal((await postForm(small, [["starts-with", "$key", "other/"]])).status, 403);
await send(DeleteObjectCommand, { Bucket: "node", Key: "form/ünicode.bin" });

async function refused(status, name, promise) {
  const error = await promise.then(() => assert.fail(`${name} did not come`), (e) => e);
  assert.deepEqual([error.name, error.$metadata?.httpStatusCode, error.$metadata?.attempts], [name, status, 1], String(error));
  return error;
}
await refused(507, "QuotaExceeded", send(PutObjectCommand, { Bucket: "tiny", Key: "k", Body: Buffer.alloc(1001) }));
const error = await refused(507, "QuotaExceeded", send(PutObjectCommand, { Bucket: "tiny", Key: "k", Body: large }));
assert.match(error.message, /Bucket "tiny" has a limit of 1000 B/);
await send(PutObjectCommand, { Bucket: "tiny", Key: "k", Body: Buffer.alloc(1000) });
await refused(404, "NoSuchKey", send(GetObjectCommand, { Bucket: "node", Key: "absent" }));

const Objects = [...keys, "presigned"].filter((Key) => Key !== odd).map((Key) => ({ Key }));
const deleted = await send(DeleteObjectsCommand, { Bucket: "node", Delete: { Objects } });
assert.deepEqual([deleted.Deleted.length, deleted.Errors], [Objects.length, undefined]);
await send(DeleteObjectCommand, { Bucket: "node", Key: odd });
await send(DeleteBucketCommand, { Bucket: "node" });
