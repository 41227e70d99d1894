/** The layout of an executable: what was written is read back, and a damaged file says so. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodePayload, openPayload, type PartInput, TRAILER_LENGTH } from "../../src/bundle/executable.ts";
import { temporaryFolder } from "../support/process.ts";

const test = suite("payload of an executable");
const folder = temporaryFolder();
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const parts: PartInput[] = [
  { name: "code", bytes: Buffer.from("the code") },
  { name: "empty", bytes: new Uint8Array(0) },
  { name: "file:a/é.txt", bytes: Buffer.from("text"), executable: true, digest: "abc" },
];
const payloadOf = (base: number) => encodePayload(base, "program", { entry: "server.ts", n: 1 }, parts, sha256);

/** The smallest thing that elf(5) calls an executable: a header and one loaded segment that covers the file. */
function elf(length: number): Buffer {
  const file = Buffer.alloc(length, 0x90);
  file.fill(0, 0, 120);
  file.writeUInt32BE(0x7f454c46, 0);
  file.set([2, 1, 1], 4);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeBigUInt64LE(BigInt(length), 64 + 32);
  return file;
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

test("parts, sizes, marks and the base are read back", () => {
  const base = elf(1000);
  const payload = openPayload(written("good", Buffer.concat([base, payloadOf(base.length)])));
  assert.ok(payload);
  assert.is(payload.kind, "program");
  assert.equal(payload.meta, { entry: "server.ts", n: 1 });
  assert.equal(payload.names(), ["code", "empty", "file:a/é.txt"]);
  assert.is(payload.read("code").toString(), "the code");
  assert.is(payload.read("empty").length, 0);
  assert.is(payload.size("file:a/é.txt"), 4);
  assert.is(payload.executable("file:a/é.txt"), true);
  assert.is(payload.executable("code"), false);
  assert.is(payload.digest("file:a/é.txt"), "abc");
  assert.is(payload.has("toString"), false);
  assert.equal(Buffer.concat([...payload.base()]), base);
  assert.throws(() => payload.read("nothing"), /it has no part "nothing"/);
  payload.close();
});

test("the digest in the trailer covers payload and index", () => {
  const bytes = payloadOf(0);
  const body = bytes.subarray(0, -TRAILER_LENGTH);
  assert.equal(bytes.subarray(-32), sha256(body));
});

test("the same parts make the same bytes", () => assert.equal(payloadOf(77), payloadOf(77)));

test("a bare base has no payload", () => {
  assert.is(openPayload(written("bare", elf(1000))), undefined);
});

test("a file cut short anywhere says that it is damaged, and never reads as a bare base", () => {
  const base = elf(1000);
  const whole = Buffer.concat([base, payloadOf(base.length)]);
  for (const length of [whole.length - 1, whole.length - 71, whole.length - 73, 1010, 1001]) {
    const path = written("cut", whole.subarray(0, length));
    assert.throws(
      () => openPayload(path),
      (error: Error) => error.message.startsWith(`${path}: this executable is damaged (`),
    );
  }
  assert.throws(() => openPayload(written("cut", whole.subarray(0, 40))), /damaged/);
});

test("a changed trailer or index says that it is damaged", () => {
  const base = elf(1000);
  const whole = Buffer.concat([base, payloadOf(base.length)]);
  const trailer = whole.length - TRAILER_LENGTH;
  const cases: Record<string, (file: Buffer) => void> = {
    magic: (file) => file.writeUInt8(0, trailer),
    "its layout is version 9, this runtime reads 1": (file) => file.writeUInt32LE(9, trailer + 16),
    "index length": (file) => file.writeUInt32LE(0xffffffff, trailer + 20),
    "base length": (file) => file.writeBigUInt64LE(2n ** 60n, trailer + 24),
    "file length": (file) => file.writeBigUInt64LE(5n, trailer + 32),
    "index is no JSON": (file) => file.writeUInt8(0, trailer - 1),
    "a part that leads out": (file) => {
      const at = file.indexOf('"offset":0,"length":8');
      file.write('"offset":8,"length":9', at, "latin1");
      file.write("999999", file.indexOf('"length":9', at) + 9, "latin1");
    },
  };
  for (const [name, change] of Object.entries(cases)) {
    const file = Buffer.from(whole);
    change(file);
    assert.throws(
      () => openPayload(written("changed", file)),
      /this executable is damaged \(.*copy or compile it again/,
      name,
    );
  }
});

test("bytes in front of the payload and behind its end are somebody's, not ours", () => {
  const base = elf(1000);
  const file = Buffer.concat([base, payloadOf(base.length), Buffer.from("more")]);
  assert.throws(() => openPayload(written("more", file)), /damaged/);
});

test("two parts of one name are refused when written", () => {
  assert.throws(
    () => encodePayload(0, "cli", {}, [parts[0], parts[0]], sha256),
    /two parts of the payload are named code/,
  );
});

test("no file", () => {
  assert.throws(() => openPayload(join(folder, "nothing")), /ENOENT/);
  assert.is(readFileSync(join(folder, "bare")).length, 1000);
});

test.run();
