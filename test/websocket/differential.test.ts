// Random sequences of frames, right and wrong, cut anywhere: our server and one of npm's ws answer with the same frames
// and the same close code. What nobody may be brought to do by random bytes: hang, or keep what is over.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WebSocketServer } from "ws";
import { webSocketCounters } from "../../src/websocket/counters.ts";
import { chooseSeed, Random } from "../http/support/random.ts";
import { closeFrame, frame, handshake, rawSocket } from "./support/raw.ts";
import { echo, eventually, sockets } from "./support/server.ts";

const seed = chooseSeed();
const random = new Random(seed);
const below = (n: number): number => random.below(n);
const pick = <T>(of: readonly T[]): T => of[below(of.length)];

const texts = ["", "a", "ä€😀", "x".repeat(126), "ð".repeat(40_000), "\0\u{10ffff}"];
const brokenTexts = [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0x80]];

/** A message in one frame or several, with control frames between. */
function message(): Buffer[] {
  // In one frame: ws looks at text when it is whole, we as it comes.
  if (below(12) === 0) return [frame(1 + below(2), Buffer.from(pick(brokenTexts)))];
  const bytes = Buffer.from(pick(texts));
  const opcode = 1 + below(2);
  const pieces = 1 + below(4);
  const frames: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < pieces; i++) {
    const end = i === pieces - 1 ? bytes.length : Math.min(bytes.length, at + below(bytes.length + 1));
    frames.push(frame(i === 0 ? opcode : 0, bytes.subarray(at, end), { fin: i === pieces - 1 }));
    at = end;
    if (below(4) === 0) frames.push(frame(9 + below(2), "p".repeat(below(126))));
  }
  return frames;
}

function mistake(): Buffer {
  switch (below(8)) {
    case 0:
      return frame(pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), "x");
    case 1:
      return frame(below(3), "x", { rsv: 1 + below(7) });
    case 2:
      return frame(1, "x", { masked: false });
    case 3:
      return frame(0, "x");
    case 4:
      return frame(9, "x", { fin: false });
    case 5:
      return frame(9, "x".repeat(126));
    case 6:
      return closeFrame(pick([0, 999, 1004, 1005, 1006, 1015, 2000, 5000]));
    default:
      return frame(8, "x");
  }
}

function script(): Buffer {
  const frames: Buffer[] = [];
  for (let i = below(6); i >= 0; i--) frames.push(...message());
  if (below(2) === 0) frames.splice(below(frames.length + 1), 0, mistake());
  frames.push(closeFrame(pick([1000, 1001, 3000, 4999]), pick(["", "bye", "ä"])));
  return Buffer.concat(frames);
}

/** What the server answers, readable, up to its close frame. */
async function answers(port: number, bytes: Buffer, cuts: readonly number[]): Promise<string[]> {
  using raw = await rawSocket(port);
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    await raw.client.send(bytes.subarray(at, cut)).catch(() => {});
    at = cut;
  }
  const seen = await raw.end();
  return seen.map(({ opcode, fin, rsv, payload }) => {
    // The reason is everybody's own.
    if (opcode === 8) return `close ${payload.length >= 2 ? payload.readUInt16BE(0) : ""}`;
    return `${opcode} ${fin} ${rsv} ${payload.toString("latin1")}`;
  });
}

test(`what ws answers, so do we (SLIPWAY_SEED=${seed})`, async () => {
  const theirs = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(theirs, "listening");
  theirs.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => socket.send(data as Buffer, { binary }));
  });
  const { port } = theirs.address() as AddressInfo;
  using server = sockets(echo);
  try {
    for (let i = 0; i < 250; i++) {
      const bytes = script();
      const cuts = Array.from({ length: below(6) }, () => below(bytes.length)).sort((a, b) => a - b);
      const [expected, got] = [await answers(port, bytes, cuts), await answers(server.port, bytes, cuts)];
      assert.equal(got, expected, `script ${i}: ${bytes.toString("hex").slice(0, 400)}`);
    }
  } finally {
    theirs.close();
  }
});

test(`bytes of no kind (SLIPWAY_SEED=${seed})`, async () => {
  using server = sockets(echo);
  for (let i = 0; i < 150; i++) {
    using raw = await rawSocket(server.port, ...(i % 2 ? ["Sec-WebSocket-Extensions: permessage-deflate"] : []));
    const bytes = Buffer.from(Array.from({ length: 200 + below(3000) }, () => below(256)));
    // Mostly frames at first, or nothing gets far.
    if (below(2)) bytes.set(frame(below(3), bytes.subarray(0, below(100))));
    raw.write(bytes);
    raw.client.end();
    await raw.client.gone();
  }
  using client = await rawSocket(server.port);
  client.write(Buffer.from(handshake()));
  assert.is(await client.closeCode(), 1002);
  await eventually(() => webSocketCounters.open === 0 && webSocketCounters.memory === 0, "nothing is left");
});

test.run();
