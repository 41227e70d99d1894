/**
 * A PNG of few colours, made of one of many (PNG, third edition): pictures of pages are flat areas and grey edges of letters,
 * and with a palette they take a third. Reads what Chromium writes: 8 bits a channel, not interlaced.
 */
import { constants, crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const COLORS = 96;

export function withPalette(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  const counts = new Map<number, number>();
  for (const color of pixels) counts.set(color, (counts.get(color) ?? 0) + 1);
  const palette = reduce(counts);
  const nearest = new Map<number, number>();
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const color = pixels[y * width + x];
      let index = nearest.get(color);
      if (index === undefined) nearest.set(color, (index = closest(palette, color)));
      rows[y * (width + 1) + 1 + x] = index;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits, by palette.
  header.set([8, 3, 0, 0, 0], 8);
  const colors = Buffer.from(palette.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]));
  const data = deflateSync(rows, { level: 9, memLevel: 9, strategy: constants.Z_DEFAULT_STRATEGY });
  return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("PLTE", colors), chunk("IDAT", data), chunk("IEND")]);
}

interface Picture {
  readonly width: number;
  readonly height: number;
  /** 0xRRGGBB, row by row. */
  readonly pixels: Uint32Array;
}

function decode(png: Buffer): Picture {
  if (!png.subarray(0, 8).equals(SIGNATURE)) throw new Error("this is no PNG");
  const parts: Buffer[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    at += length + 12;
    if (type === "IDAT") parts.push(body);
    if (type !== "IHDR") continue;
    [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)];
    channels = body[9] === 2 ? 3 : body[9] === 6 ? 4 : 0;
    if (channels === 0 || body[8] !== 8 || body[12] !== 0)
      throw new Error("this PNG is not RGB of 8 bits in plain rows");
  }
  const bytes = unfilter(inflateSync(Buffer.concat(parts)), height, width * channels, channels);
  const pixels = new Uint32Array(width * height);
  for (let i = 0, at = 0; i < pixels.length; i++, at += channels) {
    pixels[i] = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
  }
  return { width, height, pixels };
}

/** Section 9 of the specification: each row says how it was predicted. */
function unfilter(rows: Buffer, height: number, stride: number, step: number): Uint8Array {
  const bytes = new Uint8Array(height * stride);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= step ? bytes[at - step] : 0;
      const above = y > 0 ? bytes[at - stride] : 0;
      const corner = x >= step && y > 0 ? bytes[at - stride - step] : 0;
      const guess = [0, left, above, (left + above) >> 1, filter === 4 ? paeth(left, above, corner) : 0][filter];
      bytes[at] = rows[y * (stride + 1) + 1 + x] + guess;
    }
  }
  return bytes;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

interface Box {
  colors: number[];
  /** The channel, as a shift, in which they lie farthest apart, and how far, by how many pixels. */
  shift: number;
  weight: number;
}

/** Median cut: the box that matters most is halved until there are enough. */
function reduce(counts: ReadonlyMap<number, number>): number[] {
  const box = (colors: number[]): Box => {
    let [shift, spread] = [0, -1];
    for (const one of [16, 8, 0]) {
      const values = colors.map((color) => (color >> one) & 255);
      const wide = values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));
      if (wide > spread) [shift, spread] = [one, wide];
    }
    const pixels = colors.reduce((sum, color) => sum + (counts.get(color) ?? 0), 0);
    return { colors, shift, weight: colors.length < 2 ? 0 : spread * spread * Math.sqrt(pixels) };
  };
  const boxes = [box([...counts.keys()])];
  while (boxes.length < COLORS) {
    const heaviest = boxes.reduce((a, b) => (b.weight > a.weight ? b : a));
    if (heaviest.weight === 0) break;
    const { colors, shift } = heaviest;
    colors.sort((a, b) => ((a >> shift) & 255) - ((b >> shift) & 255));
    boxes[boxes.indexOf(heaviest)] = box(colors.slice(0, colors.length >> 1));
    boxes.push(box(colors.slice(colors.length >> 1)));
  }
  // The most frequent of each stays as it is: grounds are large.
  return boxes.map(({ colors }) => colors.reduce((a, b) => ((counts.get(b) ?? 0) > (counts.get(a) ?? 0) ? b : a)));
}

function closest(palette: readonly number[], color: number): number {
  let [best, distance] = [0, Number.POSITIVE_INFINITY];
  for (const [i, one] of palette.entries()) {
    const [r, g, b] = [16, 8, 0].map((shift) => ((one >> shift) & 255) - ((color >> shift) & 255));
    const far = r * r + g * g + b * b;
    if (far < distance) [best, distance] = [i, far];
  }
  return best;
}

function chunk(type: string, body: Uint8Array = new Uint8Array()): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const typed = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}
