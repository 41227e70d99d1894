/** PE files: their checksum, their signature cut off and put on again, and a payload before it; made by hand. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { alignmentOf, assembled, stripped } from "../../src/bundle/assemble.ts";
import { contentEnd } from "../../src/bundle/content-end.ts";
import { encodePayload, hasPayload, openPayload } from "../../src/bundle/executable.ts";
import { sha256 } from "../../src/bundle/pack.ts";
import { certificate } from "../support/certificates.ts";
import { temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const test = suite("PE");
const folder = temporaryFolder();
const OPTIONAL = 64 + 24;
const CHECKSUM = OPTIONAL + 64;
const CERTIFICATES = OPTIONAL + 112 + 4 * 8;

/** One section of 512 bytes; a signature of `certificate` bytes behind it. */
function pe(certificate = 0): Buffer {
  const file = Buffer.alloc(1024 + certificate, 0x2a);
  file.fill(0, 0, 512);
  file.write("MZ", 0, "latin1");
  file.writeUInt32LE(64, 60);
  file.write("PE\0\0", 64, "latin1");
  file.writeUInt16LE(0x8664, 68);
  file.writeUInt16LE(1, 70); // sections
  file.writeUInt16LE(240, 84); // the optional header's length
  file.writeUInt16LE(0x22, 86);
  file.writeUInt16LE(0x20b, OPTIONAL);
  file.writeUInt32LE(0x1000, OPTIONAL + 32);
  file.writeUInt32LE(0x200, OPTIONAL + 36);
  file.writeUInt32LE(0x2000, OPTIONAL + 56);
  file.writeUInt32LE(0x200, OPTIONAL + 60);
  file.writeUInt16LE(3, OPTIONAL + 68);
  file.writeUInt32LE(16, OPTIONAL + 108); // data directories
  const section = OPTIONAL + 240;
  file.write(".text", section, "latin1");
  file.writeUInt32LE(512, section + 8);
  file.writeUInt32LE(0x1000, section + 12);
  file.writeUInt32LE(512, section + 16);
  file.writeUInt32LE(512, section + 20);
  file.writeUInt32LE(0x60000020, section + 36);
  if (certificate > 0) {
    file.writeUInt32LE(1024, CERTIFICATES);
    file.writeUInt32LE(certificate, CERTIFICATES + 4);
  }
  return file;
}

const parts = [{ name: "code", bytes: Buffer.from("odd length!") }];

function compiled(base: Buffer): Buffer {
  const payload = encodePayload(base.length, "program", { entry: "s.ts" }, parts, sha256, alignmentOf("pe"));
  return Buffer.concat(assembled("pe", Buffer.from(base), payload, "shop"));
}

/** By the book: 16 bits at a time, carries added, the field itself left out, and the length. */
function checksum(file: Buffer): number {
  let sum = 0;
  for (let at = 0; at < file.length; at += 2) {
    if (at === CHECKSUM || at === CHECKSUM + 2) continue;
    sum += file[at] + ((file[at + 1] ?? 0) << 8);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum + file.length;
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function codeIn(path: string): string | undefined {
  assert.is(hasPayload(path), true);
  const payload = openPayload(path);
  payload?.close();
  return payload === undefined ? undefined : Buffer.from(openPayload(path)?.read("code") ?? []).toString();
}

test("a payload at the end, to a multiple of 8, and the checksum of all", () => {
  const file = compiled(stripped(pe(), "pe"));
  assert.is(file.length % 8, 0);
  assert.is(file.readUInt32LE(CHECKSUM), checksum(file));
  assert.is(codeIn(written("plain.exe", file)), "odd length!");
});

test("the signature of whoever built the base is cut off, and named no more", () => {
  const base = stripped(pe(72), "pe");
  assert.equal(base, stripped(pe(), "pe"));
  assert.is(base.readBigUInt64LE(CERTIFICATES), 0n);
});

test("a payload before a signature that was put on later", () => {
  const file = compiled(stripped(pe(), "pe"));
  const signed = Buffer.concat([file, Buffer.alloc(64, 1)]);
  signed.writeUInt32LE(file.length, CERTIFICATES);
  signed.writeUInt32LE(64, CERTIFICATES + 4);
  assert.is(codeIn(written("later.exe", signed)), "odd length!");
  for (const length of [signed.length - 1, file.length, file.length - 1, 600, 73]) {
    const path = written("cut.exe", signed.subarray(0, length));
    if (length !== file.length) assert.is(hasPayload(path), false, String(length));
    if (length !== file.length) assert.throws(() => openPayload(path), /this executable is damaged/, String(length));
  }
});

test("hostile headers end nothing but the reading", () => {
  const whole = compiled(stripped(pe(), "pe"));
  const read = (file: Buffer) => (position: number, length: number) => file.subarray(position, position + length);
  for (const [at, value] of [
    [60, 0xffffffff],
    [60, 4000],
    [84, 0xffff],
    [70, 0xffff],
    [OPTIONAL, 0x10b],
    [OPTIONAL + 108, 1],
  ]) {
    const file = Buffer.from(whole);
    if (value > 0xffff) file.writeUInt32LE(value, at);
    else file.writeUInt16LE(value, at);
    assert.equal(contentEnd(read(file), file.length), { end: 0, signed: 0 }, `${value} at ${at}`);
  }
  for (let at = 0; at < 512; at++) {
    const file = Buffer.from(whole);
    file[at] ^= 0xff;
    assert.ok(contentEnd(read(file), file.length).end >= 0);
  }
});

const signs = "osslsigncode signs it, verifies that, and the payload is found still";
if (spawnSync("osslsigncode", ["--version"]).error !== undefined)
  skip(test, signs, "osslsigncode is not installed (Debian's package of that name)");
else {
  test(signs, () => {
    const input = written("unsigned.exe", compiled(stripped(pe(72), "pe")));
    const { cert, key } = certificate(["shop"], { type: "rsa" });
    const [certs, keys] = [written("cert.pem", Buffer.from(cert)), written("key.pem", Buffer.from(key))];
    const output = join(folder, "signed.exe");
    const sign = ["sign", "-certs", certs, "-key", keys, "-in", input, "-out", output];
    const signed = spawnSync("osslsigncode", sign, { encoding: "utf8" });
    assert.is(signed.status, 0, signed.stdout + signed.stderr);
    // That nobody vouches for the signer it says too; what counts is that it hashes what it signed.
    const verified = spawnSync("osslsigncode", ["verify", "-CAfile", certs, "-in", output], { encoding: "utf8" });
    assert.match(
      verified.stdout,
      /Current message digest *: (\w+) *\n *Calculated message digest *: \1\b/,
      verified.stdout,
    );
    const bytes = readFileSync(output);
    assert.is(bytes.readUInt32LE(CHECKSUM), checksum(bytes));
    assert.is(codeIn(output), "odd length!");
  });
}

test.run();
