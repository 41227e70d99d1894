/**
 * A client of HTTP/2 that says what it is told, byte by byte, and keeps the frames that come back. It is made of node:net;
 * its encoder knows literals only, so that no table of ours stands behind what it says.
 */
import type { Field } from "../../../src/http2/fields.ts";
import { HpackDecoder } from "../../../src/http2/hpack-decoder.ts";
import { type Client, connect } from "../../http/support/client.ts";

export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const [DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export const [END_STREAM, ACK, END_HEADERS, PADDED] = [1, 1, 4, 8];

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** A block of literals that nobody keeps, with new names (RFC 7541, 6.2.2). */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), text(name), text(value)])));
}

export function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7), Buffer.from(value, "latin1")]);
}

export function integer(value: number, prefix: number, bits = 0): Buffer {
  const mask = (1 << prefix) - 1;
  if (value < mask) return Buffer.from([bits | value]);
  const bytes = [bits | mask];
  let rest = value - mask;
  for (; rest >= 128; rest >>= 7) bytes.push(128 | (rest & 127));
  return Buffer.from([...bytes, rest]);
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

export function setting(name: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(name, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

export const GET: readonly (readonly [string, string])[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x"],
];
export const POST: typeof GET = [[":method", "POST"], ...GET.slice(1)];

export class Raw {
  readonly client: Client;
  readonly #decoder = new HpackDecoder();
  /** Responses whose head has come: fields, by stream, the last head of each. */
  readonly heads = new Map<number, Map<string, string>>();
  readonly #frames: Frame[] = [];
  #read = 0;

  constructor(client: Client) {
    this.client = client;
  }

  /** All that has come. */
  get frames(): readonly Frame[] {
    const { bytes } = this.client;
    while (bytes.length - this.#read >= 9) {
      const at = this.#read;
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      const payload = Buffer.from(bytes.subarray(at + 9, at + 9 + length));
      const one = { type: bytes[at + 3], flags: bytes[at + 4], stream: bytes.readUInt32BE(at + 5), payload };
      this.#frames.push(one);
      this.#read += 9 + length;
      if (one.type === HEADERS) this.#decode(one);
    }
    return this.#frames;
  }

  #decode({ stream, payload }: Frame): void {
    const fields = new Map<string, string>();
    const sink = { field: (field: Field) => void fields.set(field.name, field.value) };
    if (!this.#decoder.decode(payload, 0, payload.length, sink)) throw new Error("a header block that is none");
    this.heads.set(stream, fields);
  }

  write(...frames: readonly (Uint8Array | string)[]): void {
    for (const one of frames) this.client.write(one);
  }

  /** Opens a stream with these fields. */
  request(
    stream: number,
    fields: readonly (readonly [string, string])[] = GET,
    flags = END_STREAM | END_HEADERS,
  ): void {
    this.write(frame(HEADERS, flags, stream, block(fields)));
  }

  /** Waits for a frame that `wanted` describes; frames before it may be others. */
  async frame(wanted: (frame: Frame) => boolean, what: string): Promise<Frame> {
    await this.client.until(() => this.frames.some(wanted), what);
    return this.frames.find(wanted) as Frame;
  }

  /** The fields of a stream's response, and `body`, once it has ended. */
  async response(stream: number): Promise<{ status: string | undefined; fields: Map<string, string>; body: Buffer }> {
    const ends = (one: Frame) =>
      one.stream === stream && (one.type === DATA || one.type === HEADERS) && (one.flags & END_STREAM) !== 0;
    await this.frame(ends, `the end of stream ${stream}`);
    const fields = this.heads.get(stream) ?? new Map<string, string>();
    return { status: fields.get(":status"), fields, body: this.body(stream) };
  }

  /** What has come of a response's body. */
  body(stream: number): Buffer {
    return Buffer.concat(
      this.frames.filter((one) => one.type === DATA && one.stream === stream).map((one) => one.payload),
    );
  }

  /** The code of the RST_STREAM that a stream is ended with. */
  async reset(stream: number): Promise<number> {
    const one = await this.frame(
      ({ type, stream: id }) => type === RST_STREAM && id === stream,
      `a reset of ${stream}`,
    );
    return one.payload.readUInt32BE(0);
  }

  /** The code of the GOAWAY that the connection ends with, after which it is closed. */
  async goaway(): Promise<number> {
    const one = await this.frame(({ type }) => type === GOAWAY, "GOAWAY");
    await this.client.until(() => this.client.over, "the end of the connection");
    return one.payload.readUInt32BE(4);
  }

  /** A PING there and back: whatever was said before it has been heard. */
  async settled(mark = 7): Promise<void> {
    const count = (): number => this.frames.filter(({ type, flags }) => type === PING && flags === ACK).length;
    const before = count();
    this.write(frame(PING, 0, 0, uint32(0, mark)));
    await this.client.until(() => count() > before, "an answer to PING");
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

/** A connection on which nothing was said yet, but what TLS asks for. */
export function connectRaw(port: number): Promise<Client> {
  return connect(port, "127.0.0.1", "h2");
}

/** Connects and says the preface, SETTINGS, and that it has read the server's. */
export async function open(port: number, settings: Uint8Array = Buffer.alloc(0)): Promise<Raw> {
  const raw = new Raw(await connectRaw(port));
  raw.write(PREFACE, frame(SETTINGS, 0, 0, settings), frame(SETTINGS, ACK, 0));
  return raw;
}
