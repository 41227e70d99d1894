/**
 * A client that shows what really crosses the wire: it sends the bytes it is given, whatever they are, keeps what comes
 * back, and reads responses by the letter of RFC 9112. It is made of node:net, not of ours. Each wait is bounded.
 */
import { connect as connectSocket, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { patience } from "../../support/patience.ts";
import { overTls } from "../../support/tls.ts";
import { connectHttp2, overHttp2 } from "./over-http2.ts";
import { parseResponses, type RawResponse } from "./responses.ts";

/** Nothing on loopback takes this long: what does has hung. */
const PATIENCE_MS = 20_000 * patience;

export class Client {
  readonly socket: Socket;
  /** What it stands on: under TLS another one. */
  readonly #bare: Socket;
  /** The server's FIN came. */
  ended = false;
  /** Why the connection broke, if it did. */
  error: Error | undefined;
  #received = Buffer.alloc(4096);
  #length = 0;
  #watchers = new Set<() => void>();

  constructor(socket: Socket, bare = socket) {
    this.socket = socket;
    this.#bare = bare;
    socket.on("data", (chunk: Buffer) => {
      if (this.#length + chunk.length > this.#received.length) {
        const larger = Buffer.alloc(Math.max(this.#length + chunk.length, this.#received.length * 2));
        this.#received.copy(larger, 0, 0, this.#length);
        this.#received = larger;
      }
      chunk.copy(this.#received, this.#length);
      this.#length += chunk.length;
      this.#changed();
    });
    socket.on("end", () => {
      this.ended = true;
      this.#changed();
    });
    socket.on("error", (error) => {
      this.error = error;
      this.#changed();
    });
    socket.on("close", () => this.#changed());
  }

  get over(): boolean {
    return this.ended || this.error !== undefined || this.socket.destroyed;
  }
  /** Everything received so far. */
  get bytes(): Buffer {
    return this.#received.subarray(0, this.#length);
  }
  get text(): string {
    return this.bytes.toString("latin1");
  }

  /** Strings are latin1: one character, one byte. */
  write(data: string | Uint8Array): void {
    this.socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  /** Writes and waits until the kernel has taken it. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Waits until `seen` holds, asked again whenever something happens on this connection. */
  until(seen: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (seen()) done(resolve);
        else if (this.over) done(() => reject(new Error(`the connection ended before ${what}: ${this.#summary()}`)));
      };
      const limit = setTimeout(() => {
        done(() => reject(new Error(`waited in vain for ${what}: ${this.#summary()}`)));
      }, PATIENCE_MS);
      const done = (settle: () => void): void => {
        clearTimeout(limit);
        this.#watchers.delete(look);
        settle();
      };
      this.#watchers.add(look);
      look();
    });
  }

  saw(text: string): Promise<void> {
    return this.until(() => this.text.includes(text), JSON.stringify(text));
  }

  /** The first `count` responses; `methods` are those of the requests, GET when left out. */
  async responses(count: number, methods: readonly string[] = []): Promise<RawResponse[]> {
    const parse = () => parseResponses(this.bytes, methods, this.ended).responses;
    await this.until(() => parse().length >= count, `${count} responses`);
    return parse();
  }

  async response(method = "GET"): Promise<RawResponse> {
    return (await this.responses(1, [method]))[0];
  }

  /** Waits for the server's FIN (a reset is an error), and returns every response that came before it. */
  async untilEnd(methods: readonly string[] = []): Promise<RawResponse[]> {
    await this.until(() => this.over, "the end of the connection");
    if (this.error !== undefined) throw this.error;
    const { responses, rest } = parseResponses(this.bytes, methods, true);
    if (rest.length > 0) throw new Error(`bytes behind the last response: ${JSON.stringify(rest.toString("latin1"))}`);
    return responses;
  }

  /** Waits for the end, whatever it is. */
  gone(): Promise<void> {
    return this.until(() => this.over, "the end of the connection");
  }

  /** Our FIN. */
  end(): void {
    this.socket.end();
  }
  /** Our RST. */
  reset(): void {
    this.#bare.resetAndDestroy();
  }
  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
  #summary(): string {
    const { bytes, error } = this;
    return `${error ?? (this.ended ? "FIN" : "open")}, ${bytes.length} bytes: ${JSON.stringify(bytes.toString("latin1", 0, 300))}`;
  }
}

/** Connects to a port of this machine, or to a Unix socket. `protocol`: what is asked for by ALPN, under TLS. */
export async function connect(to: number | string, hostname = "127.0.0.1", protocol?: string): Promise<Client> {
  if (overHttp2 && protocol === undefined) {
    const socket = await connectHttp2(to, hostname);
    // Of a socket it has what tests use.
    return new Client(socket as unknown as Socket, socket.bare);
  }
  return await new Promise((resolve, reject) => {
    const bare =
      typeof to === "number"
        ? connectSocket({ port: to, host: hostname, allowHalfOpen: true, noDelay: true })
        : connectSocket({ path: to, allowHalfOpen: true });
    // It takes net's own option along, which its types do not say.
    const options: ConnectionOptions & { allowHalfOpen: true } = { socket: bare, allowHalfOpen: true, rejectUnauthorized: false }; // biome-ignore format: one line
    if (protocol !== undefined) options.ALPNProtocols = [protocol];
    const socket = overTls ? connectTls(options) : bare;
    socket.once("error", reject);
    socket.once(overTls ? "secureConnect" : "connect", () => {
      socket.off("error", reject);
      resolve(new Client(socket, bare));
    });
  });
}

/** Sends bytes on a connection of their own, and returns all that is answered before the server's FIN. */
export async function exchange(to: number | string, data: string | Uint8Array, method = "GET"): Promise<RawResponse[]> {
  using client = await connect(to);
  client.write(data);
  return await client.untilEnd([method]);
}
