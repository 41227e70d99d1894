/**
 * One connection of a server of HTTP/2 that keeps every rule of RFC 9113, and otherwise does what it likes: in between it
 * says PING, SETTINGS, WINDOW_UPDATE, PRIORITY and frames that nobody knows, pads, cuts header blocks, sends interim
 * responses, trailers and DATA of nothing, answers before a request is whole, and its bytes leave in pieces of any size.
 *
 * Each response says in `x-size` how many bytes it has, which count up modulo 253, and in `x-got` how many of the request's
 * it has seen.
 */
import type { Duplex } from "node:stream";
import type { Random } from "../../../scripts/soak/random.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  STREAM_MAX,
  WINDOW_UPDATE,
} from "../../../src/http2/frames.ts";
import { HpackDecoder } from "../../../src/http2/hpack-decoder.ts";

interface Exchange {
  readonly id: number;
  readonly method: string;
  got: number;
  requestEnded: boolean;
  /** Answers before the request is whole. */
  readonly early: boolean;
  interim: number;
  headSent: boolean;
  readonly status: number;
  readonly size: number;
  sent: number;
  readonly trailers: boolean;
  /** What we may send. */
  window: number;
}

const INITIAL = 65_535;
const NO_ERROR = 0;
/** RFC 7541, 4.1: what an entry costs beyond its octets, and the table that a client has unless it says otherwise. */
const ENTRY = 32;
const TABLE = 4_096;

export class LegalServer {
  readonly #socket: Duplex;
  readonly #random: Random;
  #input: Buffer = Buffer.alloc(0);
  #preface = true;
  readonly #decoder = new HpackDecoder();
  #block: Buffer[] = [];
  #blockEnds = false;
  readonly #exchanges = new Map<number, Exchange>();
  #last = 0;
  /** What we may send, in all and on a new stream. */
  #window = INITIAL;
  #streamWindow = INITIAL;
  /** What the client may send and has not been given back, by stream; 0 is the connection. */
  readonly #owed = new Map<number, number>();
  #initial: number;
  /** Of the fields that we have put into the client's table, the newest first; and their size. */
  #table: (readonly [string, string])[] = [];
  readonly #pings = new Set<string>();
  #goaway = 0;
  readonly #mayGoAway: boolean;
  #timer: NodeJS.Immediate | undefined;
  #out: Buffer[] = [];

  constructor(socket: Duplex, random: Random) {
    this.#socket = socket;
    this.#random = random;
    this.#initial = random.pick([0, 1, 1_000, INITIAL, INITIAL, 1_000_000]);
    this.#mayGoAway = random.chance(0.2);
    socket.on("error", () => {});
    socket.on("close", () => clearImmediate(this.#timer));
    socket.on("data", (bytes: Buffer) => {
      this.#input = Buffer.concat([this.#input, bytes]);
      this.#read();
      this.#schedule();
    });
    this.#frame(SETTINGS, 0, 0, this.#settings());
    this.#schedule();
  }

  // ---- what the client says

  #read(): void {
    if (this.#preface) {
      if (this.#input.length < PREFACE.length) return;
      this.#input = this.#input.subarray(PREFACE.length);
      this.#preface = false;
    }
    while (this.#input.length >= 9) {
      const length = this.#input.readUIntBE(0, 3);
      if (this.#input.length < 9 + length) return;
      const payload = this.#input.subarray(9, 9 + length);
      const [type, flags, id] = [this.#input[3], this.#input[4], this.#input.readUInt32BE(5)];
      this.#input = this.#input.subarray(9 + length);
      this.#heard(type, flags, id, payload);
    }
  }

  #heard(type: number, flags: number, id: number, payload: Buffer): void {
    const exchange = this.#exchanges.get(id);
    switch (type) {
      case HEADERS:
      case CONTINUATION:
        if (type === HEADERS) this.#blockEnds = (flags & END_STREAM) !== 0;
        this.#block.push(payload);
        if ((flags & END_HEADERS) !== 0) this.#asked(id);
        return;
      case DATA:
        this.#owe(0, payload.length);
        if (exchange === undefined) return;
        exchange.got += payload.length;
        if ((flags & END_STREAM) !== 0) exchange.requestEnded = true;
        else this.#owe(id, payload.length);
        return;
      case SETTINGS:
        if ((flags & ACK) !== 0) return;
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) !== 4) continue;
          const change = payload.readUInt32BE(at + 2) - this.#streamWindow;
          this.#streamWindow += change;
          for (const each of this.#exchanges.values()) each.window += change;
        }
        return this.#frame(SETTINGS, ACK, 0, Buffer.alloc(0));
      case WINDOW_UPDATE:
        if (id === 0) this.#window += payload.readUInt32BE(0);
        else if (exchange !== undefined) exchange.window += payload.readUInt32BE(0);
        return;
      case PING:
        if ((flags & ACK) === 0) return this.#frame(PING, ACK, 0, payload);
        if (!this.#pings.delete(payload.toString("latin1"))) this.#socket.destroy();
        return;
      case RST_STREAM:
        this.#exchanges.delete(id);
        this.#owed.delete(id);
        return;
      default:
    }
  }

  #asked(id: number): void {
    const block = Buffer.concat(this.#block.splice(0));
    let method = "";
    this.#decoder.decode(block, 0, block.length, {
      field: ({ name, value }) => {
        if (name === ":method") method = value;
      },
    });
    const random = this.#random;
    if (this.#goaway === 2 && id > this.#last) return;
    this.#last = Math.max(this.#last, id);
    const status = random.pick([200, 200, 200, 204, 404]);
    const empty = status === 204;
    this.#exchanges.set(id, {
      id,
      method,
      got: 0,
      requestEnded: this.#blockEnds,
      early: random.chance(0.1),
      interim: random.pick([0, 0, 1, 5]),
      headSent: false,
      status,
      size: empty ? 0 : random.pick([0, 1, 300, 16_384, 100_000, 1_500_000]),
      sent: 0,
      trailers: random.chance(0.3) && !empty,
      window: this.#streamWindow,
    });
    // It begins with what SETTINGS say; what that lacks is given later.
    if (this.#initial < INITIAL) this.#owed.set(id, INITIAL - this.#initial);
  }

  // ---- what it says

  #schedule(): void {
    if (this.#timer !== undefined || this.#socket.destroyed) return;
    this.#timer = setImmediate(() => {
      this.#timer = undefined;
      const busy = this.#say();
      this.#leave();
      if (busy) this.#schedule();
    });
  }

  /** Some frames; whether more could be said. */
  #say(): boolean {
    const random = this.#random;
    for (let i = random.below(12); i >= 0; i--) {
      if (random.chance(0.3)) this.#anything();
      if (this.#owed.size > 0 && random.chance(0.5)) this.#giveBack();
      const ready = [...this.#exchanges.values()].filter((each) => this.#mayAnswer(each));
      if (ready.length > 0) this.#step(random.pick(ready));
    }
    if (this.#mayGoAway && this.#goaway < 2 && this.#last > 0 && random.chance(0.02)) {
      // RFC 9113, 6.8: first that it will end, and then where.
      this.#goaway++;
      this.#frame(GOAWAY, 0, 0, numbers(this.#goaway === 1 ? STREAM_MAX : this.#last, NO_ERROR));
    }
    return this.#owed.size > 0 || [...this.#exchanges.values()].some((each) => this.#mayAnswer(each));
  }

  #mayAnswer(exchange: Exchange): boolean {
    if (!exchange.requestEnded && !exchange.early) return false;
    return !exchange.headSent || exchange.sent === exchange.size || (exchange.window > 0 && this.#window > 0);
  }

  #step(exchange: Exchange): void {
    const random = this.#random;
    const { id, method, status, trailers } = exchange;
    const bodiless = method === "HEAD" || status === 204;
    if (!exchange.headSent) {
      if (exchange.interim-- > 0) {
        const hint = [[":status", random.pick(["100", "103", "102"])] as const, ["link", "</a.css>"] as const];
        return this.#fields(id, hint, 0);
      }
      exchange.headSent = true;
      const ends = bodiless || (exchange.size === 0 && !trailers && random.chance(0.5));
      const fields: (readonly [string, string])[] = [
        [":status", `${status}`],
        ["x-size", `${exchange.size}`],
        ["x-got", exchange.requestEnded ? `${exchange.got}` : "early"],
      ];
      if (random.chance(0.3) && status !== 204) fields.push(["content-length", `${exchange.size}`]);
      for (let i = random.below(6); i > 0; i--) fields.push([`x-${random.below(20)}`, "v".repeat(random.below(2_000))]);
      this.#fields(id, fields, ends ? END_STREAM : 0);
      if (ends) this.#done(exchange);
      return;
    }
    const left = exchange.size - exchange.sent;
    if (left === 0) {
      if (trailers) this.#fields(id, [["x-trailer", "t"]], END_STREAM);
      else this.#frame(DATA, END_STREAM, id, Buffer.alloc(0));
      return this.#done(exchange);
    }
    if (random.chance(0.1)) return this.#frame(DATA, 0, id, Buffer.alloc(0));
    const most = Math.min(exchange.window, this.#window, 16_384);
    const pad = most > 300 && random.chance(0.3) ? random.below(256) : -1;
    const size = Math.min(left, pad < 0 ? most : most - pad - 1, random.pick([1, 100, 16_384, 16_384, 16_384]));
    const bytes = Buffer.alloc(size, COUNTING.subarray(exchange.sent % 253, (exchange.sent % 253) + 253));
    exchange.sent += size;
    const ends = exchange.sent === exchange.size && !trailers && random.chance(0.5);
    const payload = padded(bytes, pad);
    exchange.window -= payload.length;
    this.#window -= payload.length;
    this.#frame(DATA, (ends ? END_STREAM : 0) | (pad < 0 ? 0 : PADDED), id, payload);
    if (ends) this.#done(exchange);
  }

  #done(exchange: Exchange): void {
    this.#exchanges.delete(exchange.id);
    this.#owed.delete(exchange.id);
    // RFC 9113, 8.1: no more of the request is wanted.
    if (!exchange.requestEnded) this.#frame(RST_STREAM, 0, exchange.id, numbers(NO_ERROR));
  }

  #owe(id: number, bytes: number): void {
    if (bytes > 0) this.#owed.set(id, (this.#owed.get(id) ?? 0) + bytes);
  }

  #giveBack(): void {
    const [id, owed] = this.#random.pick([...this.#owed]);
    const some = this.#random.chance(0.5) ? owed : 1 + this.#random.below(owed);
    if (owed === some) this.#owed.delete(id);
    else this.#owed.set(id, owed - some);
    this.#frame(WINDOW_UPDATE, 0, id, numbers(some));
  }

  /** What has nothing to do with anything. */
  #anything(): void {
    const random = this.#random;
    const noise = (size: number): Buffer => Buffer.from(Array.from({ length: size }, () => random.below(256)));
    switch (random.below(5)) {
      case 0: {
        const what = noise(8);
        this.#pings.add(what.toString("latin1"));
        return this.#frame(PING, 0, 0, what);
      }
      case 1:
        return this.#frame(SETTINGS, 0, 0, this.#settings(true));
      case 2:
        return this.#frame(PRIORITY, random.below(256), 2 * random.below(20) + 1, numbers(0, 16).subarray(0, 5));
      case 3:
        return this.#frame(
          random.pick([0x0a, 0x0c, 0x10, 0x42, 0xff]),
          random.below(256),
          random.below(9),
          noise(random.pick([0, 1, 40, 3_000])),
        );
      default:
        return this.#frame(WINDOW_UPDATE, 0, 0, numbers(1 + random.below(1_000)));
    }
  }

  #settings(later = false): Buffer {
    const random = this.#random;
    const entries: [number, number][] = [];
    if (!later) entries.push([4, this.#initial]);
    if (random.chance(0.5)) entries.push([1, random.pick([0, 100, 4_096, 65_536])]);
    if (random.chance(0.3)) entries.push([3, random.pick([1, 3, 100, 2 ** 32 - 1])]);
    if (random.chance(0.3)) entries.push([5, random.pick([16_384, 2 ** 24 - 1])]);
    if (random.chance(0.3)) entries.push([6, random.pick([65_536, 2 ** 32 - 1])]);
    if (random.chance(0.3)) entries.push([2, 0]);
    // RFC 9218, 2.1, and RFC 8441, 3: they never change, or never back.
    if (random.chance(0.3)) entries.push([random.pick(later ? [0xf0f0] : [8, 9, 0xf0f0]), 1]);
    return Buffer.concat(
      entries.map(([name, value]) => {
        const entry = Buffer.alloc(6);
        entry.writeUInt16BE(name, 0);
        entry.writeUInt32BE(value, 2);
        return entry;
      }),
    );
  }

  /** A header block, cut and padded anyhow. */
  #fields(id: number, fields: readonly (readonly [string, string])[], flags: number): void {
    const random = this.#random;
    const block = Buffer.concat([
      ...(random.chance(0.1) ? [this.#newSize()] : []),
      ...fields.map((field) => this.#field(field)),
    ]);
    const cuts = random.chance(0.4) ? random.below(8) : 0;
    const at = [0, ...Array.from({ length: cuts }, () => random.below(block.length + 1)).sort((a, b) => a - b)];
    at.forEach((from, i) => {
      const last = i === at.length - 1;
      let piece = block.subarray(from, at[i + 1] ?? block.length);
      if (i > 0) {
        this.#frame(CONTINUATION, last ? END_HEADERS : 0, id, piece);
        return;
      }
      let own = flags | (last ? END_HEADERS : 0);
      if (random.chance(0.2)) {
        own |= HAS_PRIORITY;
        piece = Buffer.concat([numbers(0, 0).subarray(0, 5), piece]);
      }
      const pad = random.chance(0.3) ? random.below(256) : -1;
      if (pad >= 0) own |= PADDED;
      this.#frame(HEADERS, own, id, padded(piece, pad));
    });
  }

  /** RFC 7541, 6.3: the table is emptied, and may be filled anew. */
  #newSize(): Buffer {
    this.#table = [];
    return Buffer.from([0x20, 0x3f, ...integer(TABLE - 31)]);
  }

  #field(field: readonly [string, string]): Buffer {
    const [name, value] = field;
    const known = this.#table.findIndex(([n, v]) => n === name && v === value);
    if (known >= 0) {
      const index = 62 + known;
      return Buffer.from(index < 127 ? [0x80 | index] : [0xff, ...integer(index - 127)]);
    }
    const kept = this.#random.chance(0.5);
    if (kept) {
      this.#table.unshift(field);
      let size = 0;
      const fit = this.#table.findIndex(([n, v]) => (size += n.length + v.length + ENTRY) > TABLE);
      if (fit >= 0) this.#table.length = fit;
    }
    const first = kept ? 0x40 : this.#random.pick([0, 0x10]);
    return Buffer.concat([Buffer.from([first]), text(name), text(value)]);
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    // RFC 9113, 4.1: a bit that is to be ignored.
    head.writeUInt32BE((id | (this.#random.chance(0.1) ? 0x8000_0000 : 0)) >>> 0, 5);
    this.#out.push(head, payload);
  }

  #leave(): void {
    const all = Buffer.concat(this.#out.splice(0));
    if (all.length === 0) return;
    const cut = this.#random.chance(0.3) ? this.#random.below(all.length) : 0;
    if (cut > 0) this.#socket.write(all.subarray(0, cut));
    this.#socket.write(all.subarray(cut));
  }
}

const COUNTING = Buffer.from(Array.from({ length: 506 }, (_, i) => i % 253));

function padded(bytes: Buffer, pad: number): Buffer {
  return pad < 0 ? bytes : Buffer.concat([Buffer.from([pad]), bytes, Buffer.alloc(pad)]);
}

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, i * 4);
  });
  return bytes;
}

/** RFC 7541, 5.1: what is beyond a prefix. */
function integer(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
  return bytes;
}

function text(value: string): Buffer {
  const head = value.length < 127 ? [value.length] : [127, ...integer(value.length - 127)];
  return Buffer.concat([Buffer.from(head), Buffer.from(value, "latin1")]);
}
