// One stream of a hundred whose window stays closed, or whose reader or source stalls: what becomes of the others, told by
// the order of frames, and not by a clock.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { start, type TestServer } from "../http/support/server.ts";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GET,
  HEADERS,
  open,
  POST,
  type Raw,
  setting,
  uint32,
  WINDOW_UPDATE,
} from "./support/raw.ts";

const at = (path: string, base = GET): typeof GET =>
  base.map(([name, value]) => [name, name === ":path" ? path : value]);
const SIZE = 20_000;

/** Streams 1 to 199: which is the one that stalls, what it asks for, and what is said to it. */
async function hundred(raw: Raw, stalled: number, fields: typeof GET): Promise<void> {
  for (let id = 1; id < 200; id += 2) {
    if (id === stalled) raw.request(id, fields, fields.some(([, value]) => value === "POST") ? END_HEADERS : undefined);
    else raw.request(id, at("/large"));
  }
}

/** Answers the large ones once the gate opens, so that all are there. */
function server(gate: Promise<void>): TestServer {
  return start(
    async (request) => {
      const { pathname } = new URL(request.url);
      // Never read, so that its client has to wait.
      if (pathname === "/unread") return new Promise<Response>(() => {});
      if (pathname === "/silent") {
        const source = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
        return new Response(source);
      }
      await gate;
      return new Response("x".repeat(pathname === "/huge" ? 5_000_000 : SIZE));
    },
    { h2c: true },
  );
}

for (const stalled of [1, 99, 199]) {
  for (const [name, path] of [
    ["a window that stays closed", "/huge"],
    ["a source that says nothing more", "/silent"],
    ["a handler that does not answer", "/unread"],
  ] as const) {
    test(`stream ${stalled} of 100 stalls, by ${name}: the other 99 come whole, and take turns`, async () => {
      const gate = Promise.withResolvers<void>();
      using at100 = server(gate.promise);
      using raw = await open(at100.port, setting(4, SIZE));
      raw.write(frame(WINDOW_UPDATE, 0, 0, uint32(100 * SIZE)));
      await hundred(raw, stalled, at(path));
      await raw.settled();
      gate.resolve();
      for (let id = 1; id < 200; id += 2) {
        if (id !== stalled) assert.is((await raw.response(id)).body.length, SIZE);
      }
      const frames = raw.frames.filter(({ type }) => type === DATA);
      const mine = frames.filter(({ stream }) => stream === stalled);
      // Its window, and no more: two frames in which others wait for it.
      assert.ok(mine.length <= 2, `${mine.length} frames of the stalled stream`);
      // Some frames are cut short by what is sent at once.
      const order = frames.map(({ stream }) => stream).filter((id) => id !== stalled);
      assert.is(new Set(order.slice(0, 99)).size, 99, "each has a frame before anybody has two");
      assert.ok(order.length < 2 * 99 + 20, `${order.length} frames`);
    });
  }
}

test("a request's body that nobody reads takes its own window, and no other's: 99 uploads go on", async () => {
  using at100 = start(
    async (request) => {
      if (request.url.endsWith("/unread")) return new Promise<Response>(() => {});
      return new Response(`${(await request.bytes()).length}`);
    },
    { h2c: true },
  );
  using raw = await open(at100.port);
  for (let id = 1; id < 200; id += 2) raw.request(id, at(id === 1 ? "/unread" : "/read", POST), END_HEADERS);
  for (let sent = 0; sent < 4; sent++) raw.write(frame(DATA, 0, 1, Buffer.alloc(16_000)));
  const piece = Buffer.alloc(10_000);
  for (let round = 0; round < 4; round++) {
    for (let id = 3; id < 200; id += 2) raw.write(frame(DATA, round === 3 ? END_STREAM : 0, id, piece));
    // What the connection's window is filled up with again: 4 MiB are never all of one's.
    await raw.settled();
  }
  for (let id = 3; id < 200; id += 2) assert.is(`${(await raw.response(id)).body}`, "40000");
  assert.not.ok(raw.frames.some(({ type, stream }) => type === HEADERS && stream === 1));
});

test.run();
