/**
 * Clients of what stands beside the routes of `clients.ts`: files, a server that drains and begins anew every few
 * seconds, raw connections and datagrams; and those that leave in the middle, or hold a thread up.
 */
import { createSocket } from "node:dgram";
import { type Context, expect, type Kind, pattern, pause, sha } from "./clients.ts";
import { FILE_BYTES, fileBytes } from "./handler-file.ts";
import { connect, Ended, get, type Wire, Wrong } from "./wire.ts";

/** As long as a server that drains listens to an idle connection (`drainIdle`). */
const DRAIN_IDLE_MS = 1000;

let fileDigest: string | undefined;

async function file({ port }: Context): Promise<string> {
  using wire = await connect(port);
  wire.write(get("/file"));
  const { status, body } = await wire.answer();
  fileDigest ??= sha(fileBytes());
  if (status !== 200 || sha(body) !== fileDigest) throw new Wrong(`a file of ${body.length} bytes, not ${FILE_BYTES}`);
  return "answered";
}

/** Asks for much, and leaves when some of it has come. */
async function leaver({ port, random, stop }: Context): Promise<string> {
  using wire = await connect(port);
  const target = random.pick(["/file", "/bytes?size=8000000&mark=l", "/stream?size=8000000&mark=l", "/events?count=1000&ms=1"]); // biome-ignore format: a list
  const enough = random.below(target.startsWith("/events") ? 2000 : 3_000_000);
  const { promise: left, resolve } = Promise.withResolvers<string>();
  let got = 0;
  wire.onBody = (chunk) => {
    got += chunk.length;
    if (got < enough) return;
    if (random.chance(0.5)) wire.reset();
    else wire.socket.destroy();
    resolve("left");
  };
  wire.write(get(target));
  return await Promise.race([left, wire.gone().then((how) => (got < enough ? `cut: ${how}` : "left")), pause(10_000, stop).then(() => "stopped")]); // biome-ignore format: a list
}

/**
 * Requests to the server that drains all the time: one that was sent on a connection that had been accepted is answered,
 * whatever the server is at. Who finds nobody listening comes back.
 */
async function door({ door: port, random }: Context): Promise<string> {
  let wire: Wire;
  try {
    wire = await connect(port);
  } catch (error) {
    if (error instanceof Ended && error.how === "ECONNREFUSED") return "refused";
    throw error;
  }
  using _ = wire;
  let answered = performance.now();
  for (let i = 0; i < 30; i++) {
    const mark = `d${i}`;
    // One that rested may have been closed: who sees that before sending has lost nothing.
    if (wire.how !== undefined) return "answered";
    const rested = performance.now() - answered;
    wire.write(get(random.chance(0.2) ? `/slow?ms=50&mark=${mark}` : `/bytes?size=3000&mark=${mark}`));
    const answer = await wire.answer().catch((error: Error) => error);
    if (answer instanceof Error) {
      // We were held up ourselves: the end was on its way to us.
      if (answer instanceof Ended && rested > DRAIN_IDLE_MS) return "rested for too long";
      throw answer;
    }
    answered = performance.now();
    const { status, body, close } = answer;
    const right = body.toString() === `slow ${mark}` || Buffer.compare(body, pattern(3000, mark)) === 0;
    if (status !== 200 || !right) throw new Wrong(`the door: ${status}, ${body.length} bytes`);
    if (close) return "answered until the drain";
    await pause(random.below(60));
  }
  return "answered";
}

/** Bytes to a raw server, which sends them back: all of them, then FIN. Or a reset in the middle. */
async function raw({ raw: port, random, stop }: Context): Promise<string> {
  using wire = await connect(port);
  const leaves = random.chance(0.3);
  const { socket } = wire;
  socket.removeAllListeners("data");
  socket.removeAllListeners("end");
  const parts: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => parts.push(chunk));
  const ended = new Promise<string>((resolve) => socket.once("end", () => resolve("FIN")));
  const bytes = pattern(1 + random.below(random.chance(0.7) ? 5000 : 2_000_000), "raw");
  for (let at = 0; at < bytes.length && wire.how === undefined; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(100_000));
    await wire.send(bytes.subarray(at, end));
    at = end;
    if (leaves && random.chance(0.5)) {
      wire.reset();
      return "left";
    }
    if (random.chance(0.2)) await pause(random.below(30), stop);
  }
  socket.end();
  const how = await Promise.race([ended, wire.gone()]);
  const got = Buffer.concat(parts);
  // Who had it may have died with what it had read and not sent.
  const cut = got.length < bytes.length && bytes.subarray(0, got.length).equals(got);
  if (how !== "FIN" || cut) throw new Ended(how, "before all bytes were back");
  if (Buffer.compare(got, bytes) !== 0)
    throw new Wrong(`raw: ${got.length} bytes, not the ${bytes.length} that were sent`);
  return "echoed";
}

/** Datagrams to a worker's own socket. They may get lost, and may not be changed. */
async function datagrams({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  wire.write(get("/udp"));
  const to = Number((await wire.answer()).body);
  const socket = createSocket("udp4");
  const sent = new Map(Array.from({ length: 20 }, (_, i) => [String(i), pattern(1 + random.below(8000), `u${i}`)]));
  let back = 0;
  try {
    const all = Promise.withResolvers<void>();
    socket.on("error", all.reject);
    socket.on("message", (message) => {
      const at = message.indexOf(" ");
      const body = sent.get(message.toString("latin1", 0, at));
      if (body === undefined || Buffer.compare(message.subarray(at + 1), body) !== 0)
        all.reject(new Wrong("a datagram that nobody has sent"));
      else if (++back === sent.size) all.resolve();
    });
    for (const [name, body] of sent) socket.send(Buffer.concat([Buffer.from(`${name} `), body]), to, "127.0.0.1");
    await Promise.race([all.promise, pause(1000)]);
  } finally {
    socket.close();
  }
  return back === sent.size ? "all back" : back > 0 ? "some back" : "none back";
}

/** A handler that computes for longer than a worker may be away until it is passed over. */
async function spin({ port, random }: Context): Promise<string> {
  using wire = await connect(port);
  wire.write(get(`/spin?ms=${random.below(300)}`));
  expect(await wire.answer(), 200, "spun", "spin");
  return "answered";
}

export const besideKinds: readonly Kind[] = [
  { name: "files", count: 1, everyMs: 100, good: true, run: file },
  { name: "leavers", count: 3, everyMs: 100, good: false, run: leaver },
  { name: "the door", count: 6, everyMs: 20, good: true, run: door },
  { name: "raw", count: 3, everyMs: 50, good: true, run: raw },
  { name: "datagrams", count: 1, everyMs: 200, good: true, run: datagrams },
  { name: "spins", count: 1, everyMs: 3000, good: true, run: spin },
];
