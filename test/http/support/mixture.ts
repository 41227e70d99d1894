/**
 * Many connections at once, each a random mixture of requests in random pieces, read at random speeds: every answer
 * must be the right one, in order, whole.
 */
import { createHash } from "node:crypto";
import * as assert from "uvu/assert";
import { overTls } from "../../support/tls.ts";
import { type Client, connect } from "./client.ts";
import { overHttp2 } from "./over-http2.ts";
import type { Random } from "./random.ts";
import { parseResponses, type RawResponse } from "./responses.ts";
import { eventually, start, turns } from "./server.ts";

interface Expected {
  readonly request: Buffer;
  readonly method: string;
  readonly status: number;
  readonly body: string;
  readonly framing: string;
}

const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
const pattern = (size: number, mark: number): Buffer<ArrayBuffer> => Buffer.alloc(size, `${mark}·`);

/** A stream of `size` bytes in pieces, some of which take their time. */
function slowly(random: Random, bytes: Buffer<ArrayBuffer>): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (random.chance(0.3)) await turns(1);
      const end = Math.min(bytes.length, at + 1 + random.below(40_000));
      if (end > at) controller.enqueue(new Uint8Array(bytes.subarray(at, end)));
      at = end;
      if (at === bytes.length) controller.close();
    },
  });
}

/**
 * Runs the mixture. With `breaks` the connections may break at any time; then what had come before must be right.
 * Resolves when the server has forgotten all connections.
 */
export async function mixture(random: Random, connections: number, breaks: boolean): Promise<{ answered: number }> {
  let answered = 0;
  using server = start(async (request) => {
    const url = new URL(request.url);
    const size = Number(url.searchParams.get("size"));
    const mark = Number(url.searchParams.get("mark"));
    const bytes = pattern(size, mark);
    switch (url.pathname) {
      case "/now":
        return new Response(new Uint8Array(bytes));
      case "/later":
        await turns(random.below(3));
        return new Response(bytes.toString());
      case "/blob":
        return new Response(new Blob([new Uint8Array(bytes)]));
      case "/stream":
        return new Response(slowly(random, bytes));
      case "/hash":
        if (random.chance(0.3)) await turns(1);
        return new Response(sha(await request.bytes()));
      case "/through":
        return new Response(request.body);
      case "/ignore":
        if (random.chance(0.3)) await turns(1);
        return new Response(`ignored ${mark}`);
      default: {
        const hash = createHash("sha256");
        for await (const chunk of request.body ?? []) {
          if (random.chance(0.1)) await turns(1);
          hash.update(chunk);
        }
        return new Response(hash.digest("hex").slice(0, 16));
      }
    }
  });

  const make = (mark: number): Expected => {
    const size = 1 + random.below(random.chance(0.7) ? 2000 : 300_000);
    const kind = random.pick(["now", "later", "blob", "stream", "hash", "through", "ignore", "iterate"]);
    const takes = kind === "hash" || kind === "through" || kind === "ignore" || kind === "iterate";
    const method = takes ? "POST" : random.chance(0.1) ? "HEAD" : "GET";
    const bytes = pattern(size, mark);
    // The client writes first and reads later: an answer in front of a long unread body would end the connection.
    const sent = kind === "ignore" ? bytes.subarray(0, 100_000) : bytes;
    const target = `/${kind}?size=${size}&mark=${mark}`;
    // Not where the body is not read: an answer in place of "100 Continue" ends the connection.
    const expect = takes && kind !== "ignore" && random.chance(0.2) ? "Expect: 100-continue\r\n" : "";
    const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${expect}`;
    let request: Buffer;
    if (!takes) request = Buffer.from(`${head}\r\n`);
    else if (random.chance(0.5))
      request = Buffer.concat([Buffer.from(`${head}Content-Length: ${sent.length}\r\n\r\n`), sent]);
    else {
      const parts = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)];
      for (let at = 0; at < sent.length; ) {
        const end = Math.min(sent.length, at + 1 + random.below(30_000));
        parts.push(Buffer.from(`${(end - at).toString(16)}\r\n`), sent.subarray(at, end), Buffer.from("\r\n"));
        at = end;
      }
      parts.push(Buffer.from("0\r\n\r\n"));
      request = Buffer.concat(parts);
    }
    const whole =
      kind === "hash" || kind === "iterate" ? sha(sent) : kind === "ignore" ? `ignored ${mark}` : bytes.toString();
    const chunked = kind === "stream" || kind === "through";
    return {
      request,
      method,
      status: 200,
      body: method === "HEAD" ? "" : whole,
      framing: method === "HEAD" ? "none" : chunked ? "chunked" : "length",
    };
  };

  const one = async (index: number): Promise<void> => {
    using client: Client | undefined = await connect(server.port).catch((error: Error) => {
      // Its handshake may break as well.
      if (!breaks || !(overTls || overHttp2)) throw error;
      return undefined;
    });
    if (client === undefined) return;
    const list = Array.from({ length: 20 }, (_, i) => make(index * 100 + i));
    const all = Buffer.concat(list.map((each) => each.request));
    const lazy = random.chance(0.2);
    for (let at = 0; at < all.length; ) {
      const end = at + 1 + random.below(random.chance(0.5) ? 100_000 : 3000);
      client.write(all.subarray(at, end));
      at = end;
      if (random.chance(0.2)) await turns(1);
      if (lazy && random.chance(0.3)) {
        client.socket.pause();
        await turns(3);
        client.socket.resume();
      }
    }
    const methods = list.map((each) => each.method);
    const responses = await finals(client, methods, breaks);
    answered += responses.length;
    responses.forEach((got, i) => {
      const expected = list[i];
      const line = `${index}.${i} ${expected.request.toString("latin1", 0, 60)}`;
      assert.is(got.status, expected.status, line);
      // An answer before its request's end says no length there.
      const framing = overHttp2 && got.framing === "chunked" ? ["chunked", "length"] : [got.framing];
      assert.ok(framing.includes(expected.framing), `${line}: ${got.framing}`);
      if (got.text() !== expected.body) assert.unreachable(`${line}: ${got.body.length} bytes of another body`);
    });
  };
  for (let i = 0; i < connections; i += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => one(i + k)));
  await eventually(() => server.server.connections === 0, "every connection is forgotten");
  return { answered };
}

/** The whole final responses, once all have come; with `breaks`, those that came before the connection broke. */
async function finals(client: Client, methods: readonly string[], breaks: boolean): Promise<RawResponse[]> {
  const parse = (): RawResponse[] =>
    parseResponses(client.bytes, methods, false).responses.filter((response) => response.status >= 200);
  await client.until(() => (breaks && client.over) || parse().length >= methods.length, "all responses");
  return parse();
}
