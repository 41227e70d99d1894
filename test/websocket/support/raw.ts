/** A client that sends frames of any kind, right or wrong, and shows the frames that come back. */
import { randomBytes } from "node:crypto";
import { type Client, connect } from "../../http/support/client.ts";

export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: x",
  "Upgrade: websocket",
  "Connection: Upgrade",
  `Sec-WebSocket-Key: ${KEY}`,
  "Sec-WebSocket-Version: 13",
];

export function handshake(...more: string[]): string {
  return `${[...HANDSHAKE, ...more].join("\r\n")}\r\n\r\n`;
}

export interface FrameOptions {
  fin?: boolean;
  /** The three reserved bits, as a number. */
  rsv?: number;
  masked?: boolean;
  /** The announced length, where it is not the payload's. */
  length?: bigint;
  /** Bytes that the length stands in: 1, 2 or 8. */
  lengthBytes?: 1 | 2 | 8;
  key?: Uint8Array;
}

/** One frame, with whatever mistake is asked for. */
export function frame(opcode: number, payload: string | Uint8Array = "", options: FrameOptions = {}): Buffer {
  const data = Buffer.from(payload as string, "utf8");
  const { fin = true, rsv = 0, masked = true, length = BigInt(data.length), key = randomBytes(4) } = options;
  const bytes = options.lengthBytes ?? (length < 126n ? 1 : length < 65_536n ? 2 : 8);
  const head = Buffer.alloc(1 + (bytes === 1 ? 1 : bytes + 1));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (bytes === 1 ? Number(length) : bytes === 2 ? 126 : 127);
  if (bytes === 2) head.writeUInt16BE(Number(length), 2);
  if (bytes === 8) head.writeBigUInt64BE(length, 2);
  if (!masked) return Buffer.concat([head, data]);
  return Buffer.concat([head, key, data.map((byte, i) => byte ^ key[i & 3])]);
}

export function closeFrame(code?: number, reason: string | Uint8Array = ""): Buffer {
  if (code === undefined) return frame(8);
  return frame(8, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string, "utf8")]));
}

/** A frame from the server. */
export interface Seen {
  opcode: number;
  fin: boolean;
  rsv: number;
  payload: Buffer;
}

/** Reads the frames of a server by the letter: what must not be throws. */
export function parseFrames(bytes: Buffer): Seen[] {
  const frames: Seen[] = [];
  let at = 0;
  while (bytes.length - at >= 2) {
    const second = bytes[at + 1];
    if (second & 0x80) throw new Error("a server's frame is masked");
    let length = second;
    let start = at + 2;
    if (second === 126) {
      if (bytes.length < at + 4) break;
      length = bytes.readUInt16BE(at + 2);
      start = at + 4;
      if (length < 126) throw new Error("a length in too many bytes");
    } else if (second === 127) {
      if (bytes.length < at + 10) break;
      length = Number(bytes.readBigUInt64BE(at + 2));
      start = at + 10;
      if (length < 65_536) throw new Error("a length in too many bytes");
    }
    if (bytes.length < start + length) break;
    const payload = bytes.subarray(start, start + length);
    frames.push({ opcode: bytes[at] & 0x0f, fin: bytes[at] >= 0x80, rsv: (bytes[at] >> 4) & 7, payload });
    at = start + length;
  }
  return frames;
}

export class RawSocket {
  readonly client: Client;
  readonly head: string;
  readonly #start: number;

  constructor(client: Client) {
    this.client = client;
    this.#start = client.text.indexOf("\r\n\r\n") + 4;
    this.head = client.text.slice(0, this.#start);
  }

  get frames(): Seen[] {
    return parseFrames(this.client.bytes.subarray(this.#start));
  }
  write(...frames: Uint8Array[]): void {
    this.client.write(Buffer.concat(frames));
  }

  async next(count: number): Promise<Seen[]> {
    await this.client.until(() => this.frames.length >= count, `${count} frames`);
    return this.frames;
  }

  /** Waits for the server's FIN; gives all frames, the last of which is a close frame where it sent one. */
  async end(): Promise<Seen[]> {
    await this.client.gone();
    if (this.client.error !== undefined) throw this.client.error;
    return this.frames;
  }

  /** The code of the server's close frame; undefined for one without a code, -1 without a frame. */
  async closeCode(): Promise<number | undefined> {
    const last = (await this.end()).at(-1);
    if (last?.opcode !== 8) return -1;
    return last.payload.length >= 2 ? last.payload.readUInt16BE(0) : undefined;
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

/** Connects and shakes hands. */
export async function rawSocket(port: number, ...fields: string[]): Promise<RawSocket> {
  const client = await connect(port);
  client.write(handshake(...fields));
  await client.until(() => client.text.includes("\r\n\r\n"), "the server's handshake");
  if (!client.text.startsWith("HTTP/1.1 101 ")) throw new Error(`no WebSocket: ${client.text}`);
  return new RawSocket(client);
}
