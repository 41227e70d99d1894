// Masks and UTF-8, against the plain way to do it.
import { isUtf8 } from "node:buffer";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { headSize, wholeFrame } from "../../src/websocket/frames.ts";
import { rotated, unmask } from "../../src/websocket/masking.ts";
import { Utf8Check } from "../../src/websocket/utf8.ts";
import { chooseSeed, Random } from "../http/support/random.ts";

const seed = chooseSeed();
const random = new Random(seed);

test(`masks come off at every place and length (SLIPWAY_SEED=${seed})`, () => {
  const memory = new Uint8Array(2000);
  for (let i = 0; i < 3000; i++) {
    const shift = random.below(9);
    const bytes = memory.subarray(shift, 1900 + shift);
    const start = random.below(600);
    const end = start + random.below(random.pick([8, 300, 1200]));
    const offset = random.below(8);
    const key = [random.below(256), random.below(256), random.below(256), random.below(256)];
    const number = key[0] | (key[1] << 8) | (key[2] << 16) | (key[3] << 24);
    const plain = Uint8Array.from({ length: bytes.length }, () => random.below(random.chance(0.5) ? 128 : 256));
    bytes.set(plain);
    for (let at = start; at < end; at++) bytes[at] ^= key[(at - start + offset) & 3];
    const or = unmask(bytes, start, end, rotated(number, offset));
    assert.is(Buffer.compare(bytes, plain), 0, `${start} to ${end}, ${offset} behind the frame's beginning`);
    assert.is(or & 0x80, plain.subarray(start, end).some((byte) => byte > 0x7f) ? 0x80 : 0);
  }
});

/** What the check says of bytes that come in these pieces. */
function checked(bytes: Uint8Array, cuts: readonly number[]): boolean {
  const check = new Utf8Check();
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (!check.add(bytes, at, cut)) return false;
    at = cut;
  }
  return check.complete;
}

test("UTF-8: all that two bytes can be, behind and before others", () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      for (const bytes of [
        [a, b],
        [a, b, 0x80],
        [a, b, 0x80, 0x80],
        [0x61, a, b, 0xbf, 0x61],
      ].map((one) => Uint8Array.from(one))) {
        const valid = isUtf8(bytes);
        if (
          checked(bytes, []) !== valid ||
          checked(bytes, [1]) !== valid ||
          checked(bytes, [1, 2, 3].slice(0, bytes.length - 1)) !== valid
        ) {
          assert.unreachable(`${bytes}: ${valid}`);
        }
      }
    }
  }
});

test(`UTF-8: random text, broken at random, cut at random (SLIPWAY_SEED=${seed})`, () => {
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: random.below(40) }, () => random.pick(["a", "ä", "€", "😀", "\u{10ffff}"])).join(
      "",
    );
    const bytes = new TextEncoder().encode(text);
    if (random.chance(0.5) && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    const cuts = Array.from({ length: random.below(6) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
    assert.is(checked(bytes, cuts), isUtf8(bytes), `${bytes} cut at ${cuts}`);
  }
});

test("UTF-8: what can't become valid is refused with the byte that shows it", () => {
  for (const broken of [[0xf4, 0x90], [0xe0, 0x9f], [0xed, 0xa0], [0xf0, 0x8f], [0xc1], [0xf5], [0xc3, 0x41]]) {
    assert.is(new Utf8Check().add(Uint8Array.from(broken), 0, broken.length), false, String(broken));
  }
});

test("heads say lengths in as few bytes as they need", () => {
  for (const [length, size] of [
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
    [70_000, 10],
  ]) {
    assert.is(headSize(length), size);
    const frame = Buffer.from(wholeFrame(0x82, new Uint8Array(length)));
    assert.is(frame.length, size + length);
    assert.is(size === 2 ? frame[1] : size === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2)), length);
  }
});

test.run();
