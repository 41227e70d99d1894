/**
 * The targets pack: bases of all systems in one file, beside the `slipway` that compiles with them.
 *
 *     magic 16 · index length u32 · index (JSON) · frames
 *
 * A frame is zstd's. The first target's stands alone; the others' are differences to that (`zstd --patch-from`), which
 * saves half: what Node's builds have in common is ICU's data, and the JavaScript that Node is made of.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { constants, zstdDecompressSync } from "node:zlib";
import { sha256 } from "./pack.ts";

const MAGIC = "slipway targets\n";
const HEADER = 20;

/** What is wrong with a pack, in one sentence. */
export class PackError extends Error {}

interface Frame {
  readonly offset: number;
  readonly length: number;
  /** Of the base: its length, and its digest in hex. */
  readonly size: number;
  readonly sha256: string;
  /** The target whose base has to be there to unpack this one. */
  readonly from?: string;
}

interface Index {
  readonly slipway: string;
  /** Digest of the first target's base: the pack is of one build, and differences are to that very base. */
  readonly build: string;
  readonly frames: Readonly<Record<string, Frame>>;
}

/** One base for a pack. */
export interface PackInput {
  readonly name: string;
  readonly frame: Uint8Array;
  readonly size: number;
  readonly sha256: string;
  readonly from?: string;
}

export function encodePack(slipway: string, build: string, inputs: readonly PackInput[]): Buffer {
  const frames: Record<string, Frame> = {};
  let offset = 0;
  for (const { name, frame, ...rest } of inputs) {
    frames[name] = { offset, length: frame.byteLength, ...rest };
    offset += frame.byteLength;
  }
  const index = Buffer.from(JSON.stringify({ slipway, build, frames } satisfies Index));
  const header = Buffer.alloc(HEADER);
  header.write(MAGIC, 0, "latin1");
  header.writeUInt32LE(index.length, MAGIC.length);
  return Buffer.concat([header, index, ...inputs.map(({ frame }) => frame)]);
}

/** A pack, open for reading. */
export class TargetsPack {
  readonly path: string;
  readonly slipway: string;
  readonly build: string;
  readonly #fd: number;
  readonly #begin: number;
  readonly #frames: Readonly<Record<string, Frame>>;

  /** Opens the file; throws a PackError when that is no pack, or not whole. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, "r");
    try {
      const { size } = fstatSync(this.#fd);
      const header = this.#read(0, Math.min(size, HEADER));
      if (header.length < HEADER || header.toString("latin1", 0, MAGIC.length) !== MAGIC)
        throw new PackError(`${path} is no targets pack of slipway`);
      this.#begin = HEADER + header.readUInt32LE(MAGIC.length);
      const index = this.#begin <= size ? parsed(this.#read(HEADER, this.#begin - HEADER)) : undefined;
      const whole = ({ offset, length }: Frame) => offset >= 0 && length >= 0 && this.#begin + offset + length <= size;
      if (index === undefined || !Object.values(index.frames).every(whole)) throw this.#damaged("bytes are missing");
      this.slipway = index.slipway;
      this.build = index.build;
      this.#frames = index.frames;
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#frames, name);
  }

  /** Bytes that the target takes up here, and those of its base. */
  sizes(name: string): { readonly packed: number; readonly base: number } {
    const { length, size } = this.#frames[name];
    return { packed: length, base: size };
  }

  /** The target's base, the caller's own; `reference` gives another target's, if that is at hand already. */
  base(name: string, reference: (name: string) => Buffer | undefined): Buffer {
    const { offset, length, size, sha256: digest, from } = this.#frames[name];
    const dictionary = from === undefined ? undefined : (reference(from) ?? this.base(from, reference));
    let base: Buffer;
    try {
      const params = { [constants.ZSTD_d_windowLogMax]: 31 };
      const frame = this.#read(this.#begin + offset, length);
      base = zstdDecompressSync(frame, { params, maxOutputLength: size, ...(dictionary && { dictionary }) });
    } catch (error) {
      throw this.#damaged(`${name} cannot be unpacked: ${(error as Error).message}`);
    }
    if (Buffer.from(sha256(base)).toString("hex") !== digest) throw this.#damaged(`${name} has another digest`);
    return base;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(position: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.#fd, buffer, done, length - done, position + done);
      if (count === 0) throw this.#damaged("bytes are missing");
      done += count;
    }
    return buffer;
  }

  #damaged(what: string): PackError {
    return new PackError(`${this.path} is damaged (${what}): copy it again`);
  }
}

function parsed(bytes: Buffer): Index | undefined {
  try {
    const index = JSON.parse(bytes.toString()) as Index;
    return typeof index.frames === "object" && index.frames !== null ? index : undefined;
  } catch {
    return undefined;
  }
}
