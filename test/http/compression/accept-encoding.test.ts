// Accept-Encoding by RFC 9110, 12.5.3, and which media types are worth it.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { choose } from "../../../src/http/compression/accept-encoding.ts";
import { describe, encodedFields, shrinks, variedFields } from "../../../src/http/compression/worth.ts";

const choices: readonly (readonly [header: string | null, coding: string | undefined, must?: boolean])[] = [
  [null, undefined],
  ["", undefined],
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["GZIP", "gzip"],
  ["deflate", undefined],
  ["compress, sdch", undefined],
  ["gzip, deflate, br, zstd", "zstd"],
  ["gzip, deflate, br", "br"],
  ["gzip;q=1.0, br;q=0.9, zstd;q=0.8", "gzip"],
  ["br;q=0.5,gzip;q=0.501", "gzip"],
  ["gzip;q=0", undefined],
  ["gzip;q=0.000, br", "br"],
  ["gzip;q=0, identity", undefined],
  ["gzip ; q=0.2 , br ;\tq=0.1", "gzip"],
  ["gzip;Q=0.5", "gzip"],
  ["identity", undefined],
  ["identity;q=1, gzip;q=0.5", undefined],
  ["identity;q=0.5, gzip;q=0.5", "gzip"],
  ["gzip, identity;q=0", "gzip", true],
  ["gzip, *;q=0", "gzip", true],
  ["gzip, *;q=0, identity;q=0.1", "gzip"],
  ["identity;q=0", undefined],
  ["*;q=0", undefined],
  ["*", "gzip"],
  ["*, gzip;q=0", "br"],
  ["*;q=0.1, zstd;q=0.2", "zstd"],
  ["*;q=0.5, zstd;q=0.2, gzip;q=0", "br"],
  ["gzip;q=2", undefined],
  ["gzip;q=-1", undefined],
  ["gzip;q=0.1234, br", "br"],
  ["gzip;level=9, br;q=0.1", "br"],
  ["gzip br", undefined],
  ["gzip;q=0, gzip;q=1", undefined],
  [",,gzip,,", "gzip"],
  [`gzip,${"x,".repeat(2000)}br`, "br"],
];
for (const [header, coding, must = false] of choices) {
  test(`Accept-Encoding ${JSON.stringify(header)?.slice(0, 60)}: ${coding ?? "as it is"}`, () => {
    assert.equal(choose(header), { coding, must });
    assert.equal(choose(header), { coding, must });
  });
}

test("media types that shrink, and those that do not", () => {
  for (const type of [
    "text/html; charset=utf-8",
    "text/event-stream",
    "TEXT/CSS",
    "application/json",
    "application/problem+json",
    "image/svg+xml",
    "application/wasm",
    "application/javascript;charset=x",
    "application/atom+xml",
  ]) {
    assert.ok(shrinks(type), type);
  }
  for (const type of [
    "image/png",
    "video/mp4",
    "font/woff2",
    "application/zip",
    "application/octet-stream",
    "",
    "json",
  ]) {
    assert.not(shrinks(type), type);
  }
});

test("what is to stay as it is: encoded, ranged, no-transform, signed", () => {
  const stays = (...fields: string[]): boolean => describe("text/plain", fields) === undefined;
  assert.ok(stays("content-encoding", "br"));
  assert.ok(stays("content-encoding", "identity"));
  assert.ok(stays("content-range", "bytes 0-1/2"));
  assert.ok(stays("cache-control", "public, No-Transform"));
  assert.ok(stays("repr-digest", "sha-256=:x:"));
  assert.not(stays("cache-control", "public, x-no-transform"));
  assert.equal(describe("text/plain", ["content-length", "12", "content-type", "a/b"]), { type: "a/b", length: 12 });
});

test("Vary is added once, and to what it says already", () => {
  assert.equal(variedFields(null), ["vary", "Accept-Encoding"]);
  assert.equal(variedFields(["vary", "origin"]), ["vary", "origin, Accept-Encoding"]);
  assert.equal(variedFields(["vary", "*"]), ["vary", "*"]);
  assert.equal(variedFields(["vary", "Accept-Encoding, Origin"]), ["vary", "Accept-Encoding, Origin"]);
  assert.equal(variedFields(["vary", "a", "vary", "Accept-Encoding"]), ["vary", "a", "vary", "Accept-Encoding"]);
  assert.equal(variedFields(["vary", ""]), ["vary", "Accept-Encoding"]);
});

test("a strong ETag becomes weak, and what tells of the bytes as they were goes", () => {
  assert.equal(encodedFields(["etag", '"a"', "content-length", "9", "accept-ranges", "bytes"], "br"), [
    ...["etag", 'W/"a"', "vary", "Accept-Encoding", "content-encoding", "br"],
  ]);
  assert.equal(encodedFields(["etag", 'W/"a"', "vary", "*"], "br").slice(0, 2), ["etag", 'W/"a"']);
});

test.run();
