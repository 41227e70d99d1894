/**
 * What a client of HTTP/1.1 says, said over HTTP/2: a socket that reads the requests written to it, gives each a stream of
 * node:http2, and gives the responses back, in order, as HTTP/1.1 would have framed them. So lists of tests that speak
 * bytes hold for both (SLIPWAY_TEST_H2=1), where it is not the bytes that they are about.
 *
 * What has no likeness there: a client's FIN, behind which HTTP/2 is lost, waits here until all is answered, or resets the
 * stream whose body it cuts; a stream that the server resets breaks the connection, as HTTP/1.1 says it.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { overTls } from "../../support/tls.ts";

/** Clients that speak bytes speak HTTP/2. */
export const overHttp2: boolean = process.env["SLIPWAY_TEST_H2"] === "1";

/** For tests of what only HTTP/1.1 has: its connections, its framing, its older version. */
export function onlyHttp1(test: (name: string, run: () => Promise<void> | void) => void): typeof test {
  return (name, run) => {
    if (!overHttp2) test(name, run);
  };
}

const EMPTY = Buffer.alloc(0);
/** Fields that concern a connection of HTTP/1.1 (RFC 9113, 8.2.2). */
const NOT_THERE = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host"]);
const BODILESS = new Set([204, 304]);
/** What ends a request of which the rest is not wanted: HTTP/1.1 has to end its connection with it. */
const CUTS = new Set([408, 413]);

type Body =
  | { kind: "none" }
  | { kind: "length"; left: number }
  | { kind: "chunked"; left: number; last: boolean; trailers: Record<string, string[]> };

export class Http2Socket extends Duplex {
  /** What the session stands on. */
  readonly bare: Socket;
  readonly #session: ClientHttp2Session;
  #input: Buffer = EMPTY;
  #body: Body = { kind: "none" };
  #stream: ClientHttp2Stream | undefined;
  /** Streams whose responses are not given back yet. */
  readonly #answers: ClientHttp2Stream[] = [];
  /** The answer behind which the next one is given back. */
  #last: Promise<void> = Promise.resolve();
  /** Nothing follows what is being answered. */
  #away = false;
  /** Nor does the rest of a request. */
  #cut = false;
  #wanted: (() => void) | undefined;

  constructor(bare: Socket, session: ClientHttp2Session) {
    super({ allowHalfOpen: true, readableHighWaterMark: 16_384 });
    this.bare = bare;
    this.#session = session;
    session.on("error", (error) => this.destroy(error));
    session.on("goaway", () => this.#partWhenDone());
    session.on("close", () => this.push(null));
    bare.on("error", (error) => this.destroy(error));
    bare.on("end", () => this.#partWhenDone());
  }

  /** Waits until all that the server had to say for itself, as its ack of our SETTINGS, has come. */
  settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#session.ping((error) => (error ? reject(error) : resolve()));
    });
  }

  get localPort(): number | undefined {
    return this.bare.localPort;
  }

  override _write(chunk: Buffer, _: string, done: (error?: Error | null) => void): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    try {
      while (this.#take());
      // A body that its reader does not take holds up who writes it.
      const stream = this.#stream;
      if (stream === undefined || !stream.writableNeedDrain || stream.destroyed) return done();
      const go = (): void => {
        stream.off("drain", go).off("close", go);
        done();
      };
      stream.on("drain", go).on("close", go);
    } catch (error) {
      done(error as Error);
    }
  }

  /** True when there may be more to be taken. */
  #take(): boolean {
    const input = this.#input;
    const body = this.#body;
    if (body.kind === "none") return this.#head(input);
    if (body.kind === "chunked" && body.left === 0) {
      const line = input.indexOf("\r\n");
      if (line < 0) return false;
      if (line === 0) {
        this.#input = input.subarray(2);
        if (body.last) this.#bodyEnds();
        return true;
      }
      if (body.last) {
        const [, name, value] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(input.toString("latin1", 0, line)) ?? [];
        if (name === undefined) throw new Error("over HTTP/2 there are no trailers like these");
        (body.trailers[name.toLowerCase()] ??= []).push(value);
        this.#input = input.subarray(line + 2);
        return true;
      }
      body.left = Number.parseInt(input.toString("latin1", 0, line), 16);
      if (Number.isNaN(body.left)) throw new Error("over HTTP/2 there are no chunks to be wrong");
      if (body.left === 0) body.last = true;
      this.#input = input.subarray(line + 2);
      return true;
    }
    const some = input.subarray(0, body.left);
    if (some.length === 0) return false;
    this.#stream?.write(some);
    this.#input = input.subarray(some.length);
    body.left -= some.length;
    if (body.left === 0 && body.kind === "length") this.#bodyEnds();
    return true;
  }

  #bodyEnds(): void {
    this.#body = { kind: "none" };
    this.#stream?.end();
    this.#stream = undefined;
  }

  #head(input: Buffer): boolean {
    const end = input.indexOf("\r\n\r\n");
    if (end < 0) return false;
    this.#input = input.subarray(end + 4);
    const [start, ...lines] = input
      .toString("latin1", 0, end)
      .replace(/^(\r\n)+/, "")
      .split("\r\n");
    const [method, path, version] = start.split(" ");
    if (version !== "HTTP/1.1") throw new Error(`over HTTP/2 there is no ${version}`);
    const headers: Record<string, string | string[]> = { ":method": method, ":path": path };
    let chunked = false;
    let length = 0;
    for (const line of lines) {
      const [, name, value] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`over HTTP/2 there is no field like ${JSON.stringify(line)}`);
      const lower = name.toLowerCase();
      if (lower === "host") headers[":authority"] = value;
      if (lower === "transfer-encoding") chunked = true;
      if (lower === "connection" && /close/i.test(value)) this.#away = true;
      if (lower === "content-length") length = Number(value);
      if (NOT_THERE.has(lower)) continue;
      const before = headers[lower];
      headers[lower] = before === undefined ? value : [before, value].flat();
    }
    const endStream = !chunked && length === 0;
    const stream = this.#session.request(headers, { endStream, waitForTrailers: chunked });
    const trailers: Record<string, string[]> = {};
    stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    this.#body = chunked ? { kind: "chunked", left: 0, last: false, trailers } : length > 0 ? { kind: "length", left: length } : { kind: "none" }; // biome-ignore format: one line
    this.#stream = endStream ? undefined : stream;
    this.#answer(stream, method);
    return true;
  }

  // ---- answers

  #answer(stream: ClientHttp2Stream, method: string): void {
    const pieces = new Pieces(stream);
    const { promise, resolve } = Promise.withResolvers<IncomingHttpHeaders>();
    let cut: Error | undefined;
    stream.on("headers", (headers) => this.#mine(stream, () => this.push(head(headers, false, "Continue"))));
    stream.once("response", resolve);
    stream.on("error", (error) => {
      cut = error;
    });
    const over = new Promise<void>((done) => {
      stream.once("close", () => {
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) cut ??= new Error(`reset with ${stream.rstCode}`);
        done();
        // Nobody reads what has come before it, and nobody waits for that.
        if (cut !== undefined && this.#wanted !== undefined) this.destroy(cut);
      });
    });
    this.#answers.push(stream);
    const turn = this.#last;
    const give = async (): Promise<void> => {
      await turn;
      const headers = await Promise.race([promise, over]);
      if (headers === undefined) {
        // A request behind the last one that is answered, of which HTTP/1.1 says nothing either.
        if (this.#away && stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return;
        return void this.destroy(cut ?? new Error("a stream without a response"));
      }
      const status = Number(headers[":status"]);
      const bodiless = method === "HEAD" || BODILESS.has(status);
      const chunked = !bodiless && headers["content-length"] === undefined;
      if (CUTS.has(status)) this.#away = this.#cut = true;
      const closes = this.#away && this.#answers.length === 1;
      this.push(head(closes ? { ...headers, connection: "close" } : headers, chunked));
      for (let chunk = await pieces.next(); chunk !== undefined; chunk = await pieces.next()) {
        const room = chunked ? this.push(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")])) : this.push(chunk); // biome-ignore format: one line
        if (!room) {
          await new Promise<void>((resolve) => {
            this.#wanted = resolve;
          });
        }
      }
      if (cut !== undefined) return void this.destroy(cut);
      if (chunked) this.push("0\r\n\r\n");
    };
    this.#last = give().then(
      () => {
        this.#answers.splice(this.#answers.indexOf(stream), 1);
        if (this.#away) this.#partWhenDone();
      },
      (error: Error) => void this.destroy(cut ?? error),
    );
  }
  /** Once it is the one whose turn it is. */
  #mine(stream: ClientHttp2Stream, then: () => void): void {
    if (this.#answers[0] === stream) then();
  }

  override _read(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.();
  }

  // ---- the end

  #partWhenDone(): void {
    this.#away = true;
    if (this.#answers.length > 0 || this.#session.destroyed) return;
    // It is not wanted any more, and HTTP/1.1's connection would end with it.
    if (this.#cut) this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.#session.close(() => this.push(null));
  }

  override _final(done: () => void): void {
    // Its own close() ends the body first, as if it were whole.
    if (this.#body.kind !== "none") this.#stream?.destroy(new DOMException("half a body", "AbortError") as Error);
    this.#partWhenDone();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#wanted?.();
    this.#session.destroy();
    done(error);
  }
}

/** What comes on a stream, whose own iterator knows no stream that closes before it is looked at. */
class Pieces {
  readonly #stream: ClientHttp2Stream;
  readonly #pieces: Buffer[] = [];
  #over = false;
  #wake: (() => void) | undefined;

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream;
    stream.on("data", (piece: Buffer) => {
      this.#pieces.push(piece);
      stream.pause();
      this.#wake?.();
    });
    // A piece is taken before its turn: one that waits would hold the connection's window, which those before it need.
    const over = (): void => {
      this.#over = true;
      this.#wake?.();
    };
    // What is half closed may stay so: an answer's end is its own.
    stream.on("end", () => {
      if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) over();
    });
    stream.on("close", over);
  }

  async next(): Promise<Buffer | undefined> {
    while (this.#pieces.length === 0 && !this.#over) {
      this.#stream.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#pieces.shift();
  }
}

function head(headers: IncomingHttpHeaders, chunked: boolean, reason = ""): Buffer {
  let text = `HTTP/1.1 ${headers[":status"]} ${reason}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const one of [value].flat()) text += `${name}: ${one}\r\n`;
  }
  if (chunked) text += "transfer-encoding: chunked\r\n";
  return Buffer.from(`${text}\r\n`, "latin1");
}

/** Connects, and speaks HTTP/2 from the first byte on. */
export function connectHttp2(to: number | string, hostname: string): Promise<Http2Socket> {
  return new Promise((resolve, reject) => {
    const bare =
      typeof to === "number" ? connectSocket({ port: to, host: hostname, noDelay: true }) : connectSocket(to);
    const socket = overTls ? connectTls({ socket: bare, rejectUnauthorized: false, ALPNProtocols: ["h2"] }) : bare;
    const session = connect(`${overTls ? "https" : "http"}://x`, {
      createConnection: () => socket,
      // A Unix socket's buffers are small, and so are the windows on it: node's own lets any number of answers come.
      ...(typeof to === "string" && { settings: { initialWindowSize: 1000 } }),
    });
    const gateway = new Http2Socket(bare, session);
    gateway.once("error", reject);
    session.once("close", () => reject(new Error("the connection ended before SETTINGS came")));
    session.once("remoteSettings", () => {
      gateway.off("error", reject);
      resolve(gateway);
    });
  });
}
