/**
 * The clients of the mixture: good ones, whose answers are checked to the byte, and all the others. Each is a function
 * that does what it does once; the soak calls it again and again until it stops. What it returns is counted by name: it
 * says how the server took it.
 */
import { createHash, type Hash } from "node:crypto";
import type { Random } from "./random.ts";
import { type Answer, connect, Ended, get, type Wire, Wrong } from "./wire.ts";

export interface Context {
  readonly port: number;
  /** Of the server that drains and begins anew every few seconds, and of the raw one. */
  readonly door: number;
  readonly raw: number;
  readonly random: Random;
  /** Aborted when the soak stops. */
  readonly stop: AbortSignal;
}

export interface Kind {
  readonly name: string;
  /** How many of them there are at a time. */
  readonly count: number;
  /** Pause between two, in milliseconds. */
  readonly everyMs: number;
  /** Good clients must be answered: a connection that ends early is a failure. The others must only not be wrong. */
  readonly good: boolean;
  run(context: Context): Promise<string>;
}

export function pause(ms: number, stop?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop?.addEventListener("abort", done, { once: true });
  });
}

export function pattern(size: number, mark: string): Buffer {
  return Buffer.alloc(size, `${mark}·`);
}

export const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function expect(answer: Answer, status: number, body: string | Buffer, what: string): void {
  if (answer.status !== status) throw new Wrong(`${what}: ${answer.status} ${answer.body.toString("latin1", 0, 100)}`);
  if (Buffer.compare(answer.body, Buffer.from(body)) !== 0)
    throw new Wrong(`${what}: ${answer.body.length} bytes, other ones`);
}

/** Ends with the server's end, or with the soak's; how. */
async function untilCut(wire: Wire, stop: AbortSignal, what: string): Promise<string> {
  const stopped = pause(2 ** 30, stop).then(() => "stopped");
  return `${what} ${await Promise.race([wire.gone(), stopped])}`;
}

const post = (target: string, ...fields: string[]): string =>
  [`POST ${target} HTTP/1.1`, "Host: soak", ...fields, "", ""].join("\r\n"); // biome-ignore format: one line

function chunks(random: Random, bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(60_000));
    parts.push(Buffer.from(`${(end - at).toString(16)}\r\n`), bytes.subarray(at, end), Buffer.from("\r\n"));
    at = end;
  }
  parts.push(Buffer.from("0\r\n\r\n"));
  return Buffer.concat(parts);
}

async function pipelined({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  for (let batch = 0; batch < 20; batch++) {
    const list = Array.from({ length: 16 }, (_, i) => {
      const mark = `${batch}.${i}`;
      const size = 1 + random.below(3000);
      return random.pick([
        { request: get(`/hello?mark=${mark}`), body: `hello ${mark}` },
        { request: get(`/bytes?size=${size}&mark=${mark}`), body: pattern(size, mark) },
        { request: get(`/stream?size=${size}&mark=${mark}`), body: pattern(size, mark) },
        { request: get(`/slow?ms=1&mark=${mark}`), body: `slow ${mark}` },
        { request: `${post("/echo", "Content-Length: 5")}hello`, body: "hello" },
      ]);
    });
    wire.write(list.map(({ request }) => request).join(""));
    for (const { body } of list) expect(await wire.answer(), 200, body, "pipelined");
    await pause(10);
  }
  return "answered";
}

async function upload({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  for (let i = 0; i < 3; i++) {
    const bytes = pattern(1 + random.below(random.chance(0.8) ? 200_000 : 4_000_000), `up${i}`);
    const target = random.pick(["/hash", "/text"]);
    const sent = random.chance(0.5)
      ? [post(target, `Content-Length: ${bytes.length}`), bytes]
      : [post(target, "Transfer-Encoding: chunked"), chunks(random, bytes)];
    for (const part of sent) await wire.send(typeof part === "string" ? Buffer.from(part) : part);
    expect(await wire.answer(), 200, sha(bytes), `upload of ${bytes.length}`);
  }
  return "answered";
}

async function echo({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  const bytes = pattern(1 + random.below(1_000_000), "echo");
  const sending = wire.send(Buffer.concat([Buffer.from(post("/echo", "Transfer-Encoding: chunked")), chunks(random, bytes)])); // biome-ignore format: one line
  expect(await wire.answer(), 200, bytes, "echo");
  await sending;
  return "answered";
}

async function download({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  for (let i = 0; i < 3; i++) {
    const size = 1 + random.below(random.chance(0.7) ? 300_000 : 8_000_000);
    const route = random.pick(["bytes", "stream"]);
    let digest: Hash = createHash("sha256");
    wire.onBody = (chunk) => (digest = digest.update(chunk));
    wire.write(get(`/${route}?size=${size}&mark=${i}`));
    const { status } = await wire.answer();
    if (status !== 200 || digest.digest("hex") !== sha(pattern(size, String(i))))
      throw new Wrong(`download of ${size}`);
  }
  return "answered";
}

async function events({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  const count = 5 + random.below(40);
  const leaves = random.chance(0.4) ? random.below(count) : count;
  let text = "";
  wire.onBody = (chunk) => {
    text += chunk.toString();
    if (leaves < count && text.includes(`data: ${leaves}\n`)) random.chance(0.5) ? wire.reset() : wire.socket.destroy();
  };
  wire.write(get(`/events?count=${count}&ms=${20 + random.below(60)}`));
  try {
    await wire.answer();
  } catch (error) {
    if (leaves < count && error instanceof Ended) return "left";
    throw error;
  }
  const all = Array.from({ length: count }, (_, i) => `data: ${i}\n\n`).join("");
  if (text !== all) throw new Wrong(`events: ${text.length} characters, not ${all.length}`);
  return "answered";
}

async function halfClosed({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  const size = 1 + random.below(500_000);
  wire.socket.end(Buffer.from(get(`/bytes?size=${size}&mark=h`)));
  expect(await wire.answer(), 200, pattern(size, "h"), "half-closed");
  const how = await wire.gone();
  if (how !== "FIN") throw new Wrong(`a half-closed client's connection ended with ${how}`);
  return "answered";
}

async function slowHead({ port, random, stop }: Context): Promise<string> {
  using wire = await connect(port);
  const head = `GET /hello?mark=slow HTTP/1.1\r\nHost: soak\r\nX-A: ${"b".repeat(100_000)}\r\n\r\n`;
  for (let at = 0; at < head.length && wire.how === undefined && !stop.aborted; at++) {
    wire.write(head[at]);
    await pause(100 + random.below(200), stop);
  }
  return untilCut(wire, stop, "cut:");
}

async function slowBody({ port, random, stop }: Context): Promise<string> {
  using wire = await connect(port);
  const target = random.pick(["/hash", "/text", "/hello"]);
  const chunked = random.chance(0.5);
  wire.write(post(target, chunked ? "Transfer-Encoding: chunked" : "Content-Length: 100000"));
  for (let i = 0; i < 100_000 && wire.how === undefined && !stop.aborted; i++) {
    wire.write(chunked ? "1\r\nx\r\n" : "x");
    await pause(100 + random.below(200), stop);
  }
  return untilCut(wire, stop, "cut:");
}

async function stalledReader({ port, random, stop }: Context): Promise<string> {
  using wire = await connect(port);
  wire.write(get(`/${random.pick(["bytes", "stream"])}?size=16000000&mark=s`));
  wire.socket.pause();
  // The kernel tells of a reset only to who reads or writes: a byte now and then asks.
  while (wire.how === undefined && !stop.aborted) {
    await pause(500, stop);
    wire.write("\r");
  }
  return untilCut(wire, stop, "cut:");
}

async function neverReads({ port, stop }: Context): Promise<string> {
  using wire = await connect(port);
  wire.socket.pause();
  const batch = Buffer.from(get("/bytes?size=20000&mark=n").repeat(50));
  while (wire.how === undefined && !stop.aborted) {
    if (wire.socket.writableLength < 1_000_000) wire.write(batch);
    await pause(300, stop);
  }
  return untilCut(wire, stop, "cut:");
}

async function silent({ port, stop }: Context): Promise<string> {
  using wire = await connect(port);
  return await untilCut(wire, stop, "cut:");
}

async function resets({ port, random, stop }: Context): Promise<string> {
  const requests = [
    get("/hello"),
    get("/stream?size=2000000&mark=r"),
    get("/events?count=100&ms=10"),
    get("/slow?ms=500"),
    `${post("/hash", "Content-Length: 100000")}${"x".repeat(50_000)}`,
    `${post("/echo", "Transfer-Encoding: chunked")}1000\r\n${"x".repeat(4096)}\r\n`,
    get("/bytes?size=1000000&mark=r").repeat(4),
  ];
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const wire = await connect(port);
      const request = random.pick(requests);
      wire.write(random.chance(0.7) ? request : request.slice(0, random.below(request.length)));
      await pause(random.chance(0.3) ? 0 : random.below(60), stop);
      wire.reset();
    }),
  );
  return "reset";
}

async function flood({ port, random }: Context): Promise<string> {
  const wires = await Promise.all(Array.from({ length: 100 }, () => connect(port)));
  for (const wire of wires) random.chance(0.5) ? wire.reset() : wire.socket.destroy();
  return "connected";
}

async function garbage({ port, random, stop }: Context): Promise<string> {
  using wire = await connect(port);
  const size = 1 + random.below(3000);
  const bytes = Buffer.from(Array.from({ length: size }, () => random.below(256)));
  const start = random.pick(["", "GET / HTTP/1.1\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "\x16\x03\x01"]); // biome-ignore format: a list
  wire.write(Buffer.concat([Buffer.from(start, "latin1"), bytes]));
  const timer = pause(2000, stop).then(() => undefined);
  const answer = await Promise.race([wire.answer().catch(() => undefined), timer]);
  return answer === undefined ? "no answer" : `answered ${answer.status}`;
}

/** More connections than the server has descriptors for, held for a while. Then service must be whole again. */
async function exhaustion({ port, stop }: Context): Promise<string> {
  const wires = await Promise.all(Array.from({ length: 700 }, () => connect(port)));
  await pause(1500, stop);
  for (const wire of wires) wire.socket.destroy();
  return "held";
}

export const kinds: readonly Kind[] = [
  { name: "pipelined", count: 3, everyMs: 100, good: true, run: pipelined },
  { name: "uploads", count: 3, everyMs: 100, good: true, run: upload },
  { name: "echoes", count: 2, everyMs: 100, good: true, run: echo },
  { name: "downloads", count: 3, everyMs: 100, good: true, run: download },
  { name: "event streams", count: 6, everyMs: 20, good: true, run: events },
  { name: "half-closed", count: 2, everyMs: 50, good: true, run: halfClosed },
  { name: "slow heads", count: 30, everyMs: 50, good: false, run: slowHead },
  { name: "slow bodies", count: 30, everyMs: 50, good: false, run: slowBody },
  { name: "stalled readers", count: 4, everyMs: 500, good: false, run: stalledReader },
  { name: "never read", count: 2, everyMs: 500, good: false, run: neverReads },
  { name: "silent", count: 30, everyMs: 50, good: false, run: silent },
  { name: "resets", count: 2, everyMs: 60, good: false, run: resets },
  { name: "connect floods", count: 1, everyMs: 500, good: false, run: flood },
  { name: "garbage", count: 3, everyMs: 50, good: false, run: garbage },
  { name: "no descriptors", count: 1, everyMs: 8000, good: false, run: exhaustion },
];
