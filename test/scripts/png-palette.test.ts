// Photographs with a palette: the same picture in fewer bytes, whichever way its rows were predicted.
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withPalette } from "../../scripts/png-palette.ts";

const test = suite("PNG with a palette");
type Row = readonly [filter: number, ...bytes: number[]];

function chunk(type: string, body: Uint8Array): Buffer {
  const whole = Buffer.alloc(12 + body.length);
  whole.writeUInt32BE(body.length);
  whole.write(type, 4, "latin1");
  whole.set(body, 8);
  whole.writeUInt32BE(crc32(whole.subarray(4, 8 + body.length)), 8 + body.length);
  return whole;
}

function png(width: number, channels: 3 | 4, rows: readonly Row[]): Buffer {
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, rows.length, 8, channels === 3 ? 2 : 6, 0, 0, 0]);
  const data = deflateSync(Buffer.from(rows.flat()));
  const parts = [data.subarray(0, 5), data.subarray(5)].map((part) => chunk("IDAT", part));
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, chunk("IHDR", header), ...parts, chunk("IEND", new Uint8Array())]);
}

/** The colours of a PNG of ours, whose rows are not predicted; checks the sums of its chunks. */
function colors(bytes: Buffer): string[][] {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    assert.is(bytes.readUInt32BE(at + 8 + length), crc32(bytes.subarray(at + 4, at + 8 + length)), type);
    chunks.set(type, bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const [header, palette, data] = ["IHDR", "PLTE", "IDAT"].map((type) => chunks.get(type) ?? Buffer.alloc(0));
  const width = header.readUInt32BE(0);
  const rows = inflateSync(data);
  return Array.from({ length: header.readUInt32BE(4) }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const index = rows[y * (width + 1) + 1 + x] * 3;
      return palette.toString("hex", index, index + 3);
    }),
  );
}

test("every way to predict a row", () => {
  const made = withPalette(
    png(2, 3, [
      [0, 10, 20, 30, 40, 50, 60],
      [1, 10, 20, 30, 30, 30, 30],
      [2, 1, 1, 1, 1, 1, 1],
      [3, 5, 10, 15, 20, 20, 20],
      [4, 0, 0, 0, 7, 7, 7],
    ]),
  );
  assert.equal(colors(made), [
    ["0a141e", "28323c"],
    ["0a141e", "28323c"],
    ["0b151f", "29333d"],
    // The mean of what is left and above, and 20 more.
    ["0a141e", "2d3741"],
    // Whichever of left, above and corner is nearest to left + above - corner: above, and 7 more.
    ["0a141e", "343e48"],
  ]);
});

test("alpha goes, and many colours become few that are near", () => {
  const gradient = png(200, 4, [[0, ...Array.from({ length: 200 }, (_, x) => [x, x, 255, 255]).flat()]]);
  const [row] = colors(withPalette(gradient));
  assert.ok(new Set(row).size <= 96);
  for (const [x, color] of row.entries()) {
    assert.ok(Math.abs(Number.parseInt(color.slice(0, 2), 16) - x) <= 3, `${x}: ${color}`);
    assert.is(color.slice(4), "ff");
  }
});

test("what is no PNG of the kind is refused", () => {
  assert.throws(() => withPalette(Buffer.from("GIF89a")), /no PNG/);
  const gray = png(1, 3, [[0, 1, 2, 3]]);
  gray[25] = 0;
  assert.throws(() => withPalette(gray), /not RGB/);
});

test.run();
