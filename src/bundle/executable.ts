/**
 * The layout of an executable: our base (a Node single executable, never changed), then a payload, then a trailer.
 *
 *     base … | part | part | … | index (JSON) | trailer, 72 bytes | a signature, in Mach-O and PE files
 *
 *     trailer: magic 16 · version u32 · index length u32 · base length u64 · its own end u64 · SHA-256 of payload and index
 *
 * A program finds its payload from the file's end, or where its signature begins (content-end.ts), and reads only the parts that it needs: two reads at start, whatever
 * the file's size. Lengths are checked at every start, which tells a file that was cut short; the digest is for
 * `slipway version --verbose` and tests, as hashing at start would cost 4 ms in loading node:crypto alone.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { contentEnd } from "./content-end.ts";

const MAGIC = "slipway payload\n";
export const TRAILER_LENGTH = 72;
const VERSION = 1;
const PIECE = 4 << 20;

/** What a payload is: the command line, or somebody's program. */
export type PayloadKind = "cli" | "program";

/** A part's place in the file, relative to the base's end, and its content's digest. */
interface Part {
  readonly offset: number;
  readonly length: number;
  readonly digest?: string;
  readonly executable?: true;
}

interface Index {
  readonly kind: PayloadKind;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly parts: Readonly<Record<string, Part>>;
}

/** What a part is to hold when it is written. */
export interface PartInput {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly digest?: string;
  readonly executable?: boolean;
}

/**
 * Payload, index and trailer, to stand after a base of `baseLength` bytes; `sha256` is asked once. They end at a multiple
 * of `alignment` in the file, if the base did: what comes behind, a signature, may want that.
 */
export function encodePayload(
  baseLength: number,
  kind: PayloadKind,
  meta: Readonly<Record<string, unknown>>,
  inputs: readonly PartInput[],
  sha256: (bytes: Uint8Array) => Uint8Array,
  alignment = 1,
): Buffer {
  const parts: Record<string, Part> = {};
  let offset = 0;
  for (const { name, bytes, digest, executable } of inputs) {
    if (Object.hasOwn(parts, name)) throw new Error(`two parts of the payload are named ${name}`);
    parts[name] = { offset, length: bytes.byteLength, ...(digest && { digest }), ...(executable && { executable }) };
    offset += bytes.byteLength;
  }
  const index = Buffer.from(JSON.stringify({ kind, meta, parts } satisfies Index));
  const over = (baseLength + offset + index.length + TRAILER_LENGTH) % alignment;
  const padding = Buffer.alloc(over === 0 ? 0 : alignment - over);
  const body = Buffer.concat([...inputs.map(({ bytes }) => bytes), padding, index]);
  const trailer = Buffer.alloc(TRAILER_LENGTH);
  trailer.write(MAGIC, 0, "latin1");
  trailer.writeUInt32LE(VERSION, 16);
  trailer.writeUInt32LE(index.length, 20);
  trailer.writeBigUInt64LE(BigInt(baseLength), 24);
  trailer.writeBigUInt64LE(BigInt(baseLength + body.length + TRAILER_LENGTH), 32);
  trailer.set(sha256(body), 40);
  return Buffer.concat([body, trailer]);
}

/** A file's payload, open for reading. */
export class Payload {
  readonly kind: PayloadKind;
  readonly meta: Readonly<Record<string, unknown>>;
  /** Where the base ends and the payload begins: what `compile` copies. */
  readonly baseLength: number;
  readonly #fd: number;
  readonly #parts: Readonly<Record<string, Part>>;
  readonly #path: string;

  constructor(fd: number, path: string, baseLength: number, index: Index) {
    this.#fd = fd;
    this.#path = path;
    this.#parts = index.parts;
    this.baseLength = baseLength;
    this.kind = index.kind;
    this.meta = index.meta;
  }

  names(): string[] {
    return Object.keys(this.#parts);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#parts, name);
  }

  /** The part's bytes, read now, the caller's own. */
  read(name: string): Buffer {
    const part = this.#part(name);
    return readAt(this.#fd, this.baseLength + part.offset, part.length, this.#path);
  }

  /** Where the part's bytes are in the file that this is, which must not be closed. */
  place(name: string): { fd: number; offset: number; size: number; digest: string } {
    const { offset, length, digest = "" } = this.#part(name);
    return { fd: this.#fd, offset: this.baseLength + offset, size: length, digest };
  }

  size(name: string): number {
    return this.#part(name).length;
  }

  digest(name: string): string {
    return this.#part(name).digest ?? "";
  }

  executable(name: string): boolean {
    return this.#part(name).executable === true;
  }

  /** Bytes of the base, for `compile`, in pieces: 119 MB at once would be too much for a small build machine. */
  *base(): Generator<Uint8Array> {
    for (let offset = 0; offset < this.baseLength; offset += PIECE) {
      yield readAt(this.#fd, offset, Math.min(PIECE, this.baseLength - offset), this.#path);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #part(name: string): Part {
    if (!this.has(name))
      throw new Error(`${this.#path}: it has no part "${name}"; it was made by another version of slipway`);
    return this.#parts[name];
  }
}

/** The payload of the file at `path`; undefined when the file is a bare base, an error when it was cut short or damaged. */
export function openPayload(path: string): Payload | undefined {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    if (size < TRAILER_LENGTH) throw damaged(path, "too short");
    let end = size;
    let trailer = readAt(fd, size - TRAILER_LENGTH, TRAILER_LENGTH, path);
    if (!isTrailer(trailer)) {
      const content = contentEnd((position, length) => readAt(fd, position, length, path), size);
      end = content.end;
      if (end + content.signed > size) throw damaged(path, "bytes are missing");
      if (content.signed > 0 && end >= TRAILER_LENGTH) trailer = readAt(fd, end - TRAILER_LENGTH, TRAILER_LENGTH, path);
      if (!isTrailer(trailer)) {
        // A base ends where its content does; what has more bytes and no trailer has lost its end.
        if (content.signed === 0 && end < size) throw damaged(path, "its end is missing");
        closeSync(fd);
        return undefined;
      }
    }
    const version = trailer.readUInt32LE(16);
    if (version !== VERSION) throw damaged(path, `its layout is version ${version}, this runtime reads ${VERSION}`);
    const indexLength = trailer.readUInt32LE(20);
    const baseLength = Number(trailer.readBigUInt64LE(24));
    const indexOffset = end - TRAILER_LENGTH - indexLength;
    if (Number(trailer.readBigUInt64LE(32)) !== end || indexOffset < baseLength)
      throw damaged(path, "bytes are missing");
    const index = parseIndex(readAt(fd, indexOffset, indexLength, path), indexOffset - baseLength);
    if (index === undefined) throw damaged(path, "its index is unreadable");
    return new Payload(fd, path, baseLength, index);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function isTrailer(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, MAGIC.length) === MAGIC;
}

/** True when the file ends as an executable of ours does: cheap enough to ask of every file in a folder. */
export function hasPayload(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    if (size < TRAILER_LENGTH) return false;
    const trailerBefore = (end: number) => isTrailer(readAt(fd, end - TRAILER_LENGTH, MAGIC.length, path));
    if (trailerBefore(size)) return true;
    const { end, signed } = contentEnd((position, length) => readAt(fd, position, length, path), size);
    return signed > 0 && end >= TRAILER_LENGTH && end + signed <= size && trailerBefore(end);
  } finally {
    closeSync(fd);
  }
}

let own: Payload | null | undefined;

/**
 * The running executable's payload; undefined when this is plain Node. The file stays open for as long as the process
 * lives, so that assets and source maps can be read after it was replaced or deleted.
 */
export function ownPayload(): Payload | undefined {
  if (own === undefined) {
    const inside = process.getBuiltinModule("node:sea")?.isSea() === true;
    own = inside ? (openPayload(ownPath()) ?? null) : null;
  }
  return own ?? undefined;
}

/** /proc/self/exe is the very file that runs even after a rename; without /proc, what we were started as. */
function ownPath(): string {
  if (process.platform === "linux") {
    try {
      closeSync(openSync("/proc/self/exe", "r"));
      return "/proc/self/exe";
    } catch {
      // No /proc here.
    }
  }
  return process.execPath;
}

function parseIndex(bytes: Buffer, payloadLength: number): Index | undefined {
  try {
    const index = JSON.parse(bytes.toString()) as Index;
    const inside = Object.values(index.parts).every(
      ({ offset, length }) => offset >= 0 && length >= 0 && offset + length <= payloadLength,
    );
    return inside && (index.kind === "cli" || index.kind === "program") ? index : undefined;
  } catch {
    return undefined;
  }
}

function readAt(fd: number, position: number, length: number, path: string): Buffer {
  const buffer = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const count = readSync(fd, buffer, done, length - done, position + done);
    if (count === 0) throw damaged(path, "bytes are missing");
    done += count;
  }
  return buffer;
}

function damaged(path: string, what: string): Error {
  const name = path === "/proc/self/exe" ? process.execPath : path;
  return new Error(`${name}: this executable is damaged (${what}); copy or compile it again`);
}
