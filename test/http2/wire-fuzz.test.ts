// Random conversations, half of them nonsense: whatever a client says, the server's own code never fails, nothing is left
// behind, and the next client is served.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseSeed, Random } from "../http/support/random.ts";
import { eventually, logged, start } from "../http/support/server.ts";
import { block, frame, GET, open, POST, type Raw, setting, text, uint32 } from "./support/raw.ts";

const ROUNDS = 400;
const FRAMES = 30;

function randomFrame(random: Random, next: () => number): Uint8Array {
  const stream = random.pick([0, 1, 1, 3, 3, 5, 7, 2, 99, 2 ** 31 - 1]);
  const bytes = (most: number): Buffer =>
    Buffer.from(Array.from({ length: random.below(most) }, () => random.below(256)));
  switch (random.below(16)) {
    case 0:
    case 1:
      return frame(1, 5, next(), block(GET));
    case 2:
    case 3:
      return frame(1, 4, next(), block(POST));
    case 4:
      return frame(1, random.pick([0, 1, 4, 5, 13, 45]), stream, Buffer.concat([block(GET), bytes(20)]));
    case 5:
      return frame(1, 5, next(), Buffer.concat([block(GET), Buffer.from([0x40]), text("x-a"), text("b"), bytes(3)]));
    case 6:
      return frame(0, random.pick([0, 0, 1, 8, 9]), stream, bytes(200));
    case 7:
      return frame(8, 0, stream, uint32(random.pick([0, 1, 1000, 2 ** 31 - 1, 2 ** 32 - 1])));
    case 8:
      return frame(3, 0, stream, uint32(random.below(20)));
    case 9:
      return frame(4, random.pick([0, 0, 1]), 0, setting(random.below(12), random.pick([0, 1, 100, 65_536, 2 ** 31])));
    case 10:
      return frame(6, random.below(2), 0, random.chance(0.8) ? uint32(1, 2) : bytes(20));
    case 11:
      return frame(9, random.below(8), stream, bytes(30));
    case 12:
      return frame(
        16,
        0,
        0,
        Buffer.concat([uint32(stream), Buffer.from(random.pick(["u=1", "i", "u=9", "x;;,", ""]))]),
      );
    case 13:
      return frame(2, 0, stream, bytes(10));
    case 14:
      return frame(random.below(256), random.below(256), stream, bytes(100));
    default:
      return random.chance(0.1) ? bytes(300) : frame(7, 0, 0, uint32(0, random.below(14)));
  }
}

test("random conversations", async () => {
  const seed = chooseSeed();
  console.log(`http2 wire fuzz: SLIPWAY_SEED=${seed}`);
  const random = new Random(seed);
  using server = start(
    async (request) => {
      if (request.method === "POST" && request.headers.has("x-a")) return new Response(request.body);
      if (request.method === "POST") return new Response(`${(await request.bytes()).length}`);
      return new Response("x".repeat(2000));
    },
    { h2c: true },
  );
  const lines = await logged(async () => {
    for (let round = 0; round < ROUNDS; round++) {
      using raw: Raw = await open(server.port, random.chance(0.3) ? setting(4, random.below(3000)) : undefined);
      let id = -1;
      const next = (): number => (id += 2);
      const count = 1 + random.below(FRAMES);
      const all = Buffer.concat(Array.from({ length: count }, () => randomFrame(random, next)));
      for (let at = 0; at < all.length; ) {
        const size = random.chance(0.5) ? all.length : 1 + random.below(200);
        raw.write(all.subarray(at, at + size));
        at += size;
        if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
      }
      if (random.chance(0.3)) raw.client.reset();
      else if (random.chance(0.5)) raw.client.end();
      else if (!raw.client.over) raw.write(frame(99, 0, 0, Buffer.alloc(20_000)));
      await raw.client.gone();
      // What it said is frames, up to the last byte.
      if (raw.client.error === undefined && raw.client.ended) void raw.frames;
    }
  });
  const ours = lines.filter((line) => !/a client|request cut short|NODE_TLS_REJECT/.test(line));
  assert.equal(ours, [], `SLIPWAY_SEED=${seed}`);
  await eventually(() => server.server.connections === 0, "every connection is closed");
  using raw = await open(server.port);
  raw.request(1);
  assert.is((await raw.response(1)).body.length, 2000);
});

test.run();
