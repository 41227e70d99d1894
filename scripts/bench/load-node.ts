// The load generator where no C compiler exists: the options, rules and output
// of load.c over node:net. It spends several times the CPU a request that
// load.c does, so a fast server may wait for it.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { cpuSeconds, machineBusySeconds } from "./cpu.ts";
import type { LoadResult } from "./load.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string" },
    request: { type: "string" },
    connections: { type: "string", default: "64" },
    depth: { type: "string", default: "1" },
    warmup: { type: "string", default: "0.2" },
    duration: { type: "string", default: "2" },
    requests: { type: "string", default: "Infinity" },
    body: { type: "string", default: "0" },
    idle: { type: "string", default: "0" },
    cpu: { type: "string", default: "" },
  },
});
const port = Number(values.port);
const host = values.host;
const connections = Number(values.connections);
const depth = Number(values.depth);
const duration = Number(values.duration);
if (!values.request || !(port > 0) || !(connections >= 1) || !(depth >= 1) || !(duration > 0 && duration <= 600)) {
  console.error("load: give --port and --request; connections and depth from 1, duration up to 600 s");
  process.exit(2);
}
if (!host.startsWith("127.")) {
  console.error(`load: ${host} is not a loopback address`);
  process.exit(2);
}
const request = readFileSync(values.request);
const idle = Number(values.idle);
const bodySize = Number(values.body);
const filler = Buffer.alloc(Math.min(bodySize, 262_144), "a");
const headRequest = request.subarray(0, 5).toString("latin1") === "HEAD ";
// Who asks for a close sends nothing after it (RFC 9112 section 9.6), whatever the server answers.
const closeRequest = /\r\nconnection: close\r\n/i.test(request.toString("latin1"));
const pids = values.cpu.split(",").filter(Boolean).map(Number);

let toIssue = Number(values.requests);
let refused = 0;
let open = 0;
const nothing = { requests: 0, statusErrors: 0, broken: 0, reconnects: 0, bytes: 0, body: 0, sent: 0 };
let seen = { ...nothing, latencies: [] as number[] };
let idleLost = 0;

/** What the next bytes are. "over": nothing but the server's end, after a response that announced it. */
type Body = "head" | "length" | "until close" | "chunk size" | "chunk data" | "trailers" | "over";
const fields = /\r\n(content-length|transfer-encoding|connection): *([^\r]*)/gi;

/** One connection's view of the responses; a new one replaces it when it ends. */
class Connection {
  #socket: Socket;
  #sentAt: number[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #body: Body = "head";
  #remaining = 0;
  #status = 0;
  #closeAfter = false;
  #over = false;
  /** Told when an idle connection has had its one answer; null for one that goes on asking. */
  readonly #silent: (() => void) | null;

  constructor(silent: (() => void) | null = null) {
    this.#silent = silent;
    if (!silent) open++;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.once("connect", () => {
      refused = 0;
      if (silent) this.#send();
      else this.#issue();
    });
    this.#socket.on("data", (chunk: Buffer) => this.#received(chunk));
    this.#socket.once("end", () => {
      if (this.#body === "until close") this.#answered();
      this.#ended();
    });
    this.#socket.once("error", () => {
      if (this.#socket.pending && ++refused > 1000) {
        console.error(`load: nobody accepts connections on port ${port}`);
        process.exit(1);
      }
      this.#ended();
    });
  }

  destroy(): void {
    this.#over = true;
    this.#socket.destroy();
  }

  #ended(): void {
    if (this.#body === "over") this.#finish();
    else this.#broke();
  }

  /** The requests in flight will never be answered: errors, one each; a connection that broke empty-handed is one too. */
  #broke(): void {
    if (!this.#over && this.#sentAt.length === 0 && !this.#silent) seen.broken++;
    this.#finish();
  }

  /** Ends the connection; a new one goes on while there is something to ask. */
  #finish(): void {
    if (this.#over) return;
    this.destroy();
    all.delete(this);
    if (this.#silent) {
      idleLost++;
      return;
    }
    open--;
    seen.broken += this.#sentAt.length;
    seen.reconnects++;
    if (toIssue > 0) all.add(new Connection());
    else if (open === 0) done();
  }

  #issue(): void {
    if (this.#silent) return;
    const count = Math.min(depth - this.#sentAt.length, toIssue);
    const at = performance.now();
    for (let i = 0; i < count; i++) this.#sentAt.push(at);
    toIssue -= count;
    if (count > 0 && bodySize > 0) for (let i = 0; i < count; i++) this.#send();
    else if (count === 1) this.#socket.write(request);
    else if (count > 1) this.#socket.write(Buffer.concat(Array.from({ length: count }, () => request)));
    else if (this.#sentAt.length === 0) {
      this.destroy();
      all.delete(this);
      if (--open === 0) done();
    }
  }

  /** One request with its body, a filler at a time as the socket takes them. */
  #send(): void {
    this.#socket.write(request);
    let left = bodySize;
    const more = (): void => {
      while (left > 0 && !this.#over) {
        const piece = left < filler.length ? filler.subarray(0, left) : filler;
        left -= piece.length;
        if (!this.#socket.write(piece, () => (seen.sent += piece.length))) {
          this.#socket.once("drain", more);
          return;
        }
      }
    };
    more();
  }

  #answered(): void {
    this.#body = this.#closeAfter && this.#status >= 200 ? "over" : "head";
    if (this.#status < 200) return;
    if (this.#silent) {
      if (this.#status === 200) this.#silent();
      return;
    }
    const took = performance.now() - (this.#sentAt.shift() ?? 0);
    if (this.#status !== 200) {
      seen.statusErrors++;
      return;
    }
    seen.requests++;
    seen.latencies.push(took * 1000);
  }

  #received(chunk: Buffer): void {
    seen.bytes += chunk.length;
    const bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const taken = this.#consume(bytes);
    if (this.#over) return;
    this.#rest = bytes.subarray(taken);
    if (this.#body !== "over") this.#issue();
  }

  /** How many bytes were used up; finishes the connection itself when that is due. */
  #consume(bytes: Buffer): number {
    let at = 0;
    for (;;) {
      if (this.#body === "length" || this.#body === "chunk data") {
        const take = Math.min(this.#remaining, bytes.length - at);
        at += take;
        seen.body += take;
        this.#remaining -= take;
        if (this.#remaining > 0) return at;
        if (this.#body === "chunk data") {
          this.#body = "chunk size";
          seen.body -= 2; // its CRLF
        } else this.#answered();
        continue;
      }
      if (this.#body === "until close") seen.body += bytes.length - at;
      if (at === bytes.length || this.#body === "until close") return bytes.length;
      if (this.#body === "over") {
        this.#broke();
        return at;
      }
      if (this.#body === "head") {
        const end = bytes.indexOf("\r\n\r\n", at);
        if (end < 0) return at;
        if ((this.#sentAt.length === 0 && !this.#silent) || !this.#readHead(bytes.toString("latin1", at, end))) {
          this.#broke();
          return at;
        }
        at = end + 4;
        continue;
      }
      const end = bytes.indexOf("\r\n", at);
      if (end < 0) return at;
      const line = bytes.toString("latin1", at, end);
      at = end + 2;
      if (this.#body === "chunk size") {
        const size = /^[0-9a-f]+(?=;|$)/i.exec(line);
        if (!size) {
          this.#broke();
          return at;
        }
        this.#remaining = Number.parseInt(size[0], 16) + 2;
        this.#body = this.#remaining > 2 ? "chunk data" : "trailers";
      } else if (line === "") this.#answered();
    }
  }

  #readHead(head: string): boolean {
    const start = /^HTTP\/1\.([01]) (\d{3})/.exec(head);
    if (!start) return false;
    this.#status = Number(start[2]);
    this.#closeAfter = start[1] === "0" || closeRequest;
    let length = -1;
    let chunked = false;
    for (const [, name, value] of head.matchAll(fields)) {
      const lower = name.toLowerCase();
      if (lower === "content-length") {
        if (!/^\d+$/.test(value)) return false;
        length = Number(value);
      } else if (lower === "connection") {
        if (/^close/i.test(value)) this.#closeAfter = true;
        else if (/^keep-alive/i.test(value)) this.#closeAfter = closeRequest;
      } else if (!(chunked = /chunked$/i.test(value))) return false;
    }
    this.#remaining = 0;
    if (headRequest || this.#status < 200 || this.#status === 204 || this.#status === 304) this.#body = "length";
    else if (chunked) this.#body = "chunk size";
    else if (length >= 0) {
      this.#body = "length";
      this.#remaining = length;
    } else {
      this.#body = "until close";
      this.#closeAfter = true;
    }
    return true;
  }
}

let cpu = 0;
let own = 0;
let machine = 0;
let start = 0;
let finished = false;
const all = new Set<Connection>();

function begin(): void {
  seen = { ...nothing, latencies: [] };
  cpu = cpuSeconds(pids);
  own = cpuSeconds([process.pid]);
  machine = machineBusySeconds();
  start = performance.now();
  setTimeout(done, duration * 1000);
}

function done(): void {
  if (finished) return;
  finished = true;
  const seconds = (performance.now() - start) / 1000;
  const { latencies, ...counted } = seen;
  latencies.sort((a, b) => a - b);
  const percentile = (part: number): number => latencies[Math.ceil(latencies.length * part) - 1] ?? 0;
  const result: LoadResult = {
    ...counted,
    broken: counted.broken + idleLost,
    seconds,
    cpuSeconds: cpuSeconds(pids) - cpu,
    loadCpuSeconds: cpuSeconds([process.pid]) - own,
    machineSeconds: machineBusySeconds() - machine,
    latency: { p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99), max: percentile(1) },
  };
  for (const connection of all) connection.destroy();
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

/** Opens the silent connections, a hundred at a time, until each has had its answer. */
async function openIdle(): Promise<void> {
  for (let opened = 0; opened < idle; ) {
    const batch = Math.min(100, idle - opened);
    opened += batch;
    await Promise.all(
      Array.from({ length: batch }, () => new Promise<void>((resolve) => all.add(new Connection(resolve)))),
    );
  }
}

const late = setTimeout(() => {
  console.error(`load: not all of ${idle} idle connections were answered`);
  process.exit(1);
}, 60_000);
await openIdle();
clearTimeout(late);
if (Number.isFinite(toIssue)) begin();
else setTimeout(begin, Number(values.warmup) * 1000);
for (let i = 0; i < connections; i++) all.add(new Connection());
