// HPACK: the examples of RFC 7541, appendix C, random fields against nghttp2 (node:http2) in both directions, and bytes that
// are no header block.
import type { IncomingHttpHeaders } from "node:http2";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Field } from "../../src/http2/fields.ts";
import { HpackDecoder } from "../../src/http2/hpack-decoder.ts";
import { writeField, writeInteger } from "../../src/http2/hpack-encoder.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "../../src/http2/huffman.ts";
import { chooseSeed, Random } from "../http/support/random.ts";
import { start } from "../http/support/server.ts";
import { session } from "./support/node.ts";

const seed = chooseSeed();
console.log(`hpack: SLIPWAY_SEED=${seed}`);

function randomFrom(): () => number {
  const random = new Random(seed);
  return () => random.next();
}

function decode(decoder: HpackDecoder, bytes: Uint8Array): string[] | undefined {
  const fields: string[] = [];
  const well = decoder.decode(bytes, 0, bytes.length, {
    field: (field: Field) => void fields.push(`${field.name}: ${field.value}`),
  });
  return well ? fields : undefined;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

const GET = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
for (const [name, blocks] of [
  [
    "C.3, without Huffman",
    [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
  ],
  [
    "C.4, with Huffman",
    [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
  ],
] as const) {
  test(`the requests of RFC 7541, ${name}`, () => {
    const decoder = new HpackDecoder();
    assert.equal(decode(decoder, hex(blocks[0])), GET);
    assert.is(decoder.size, 57);
    assert.equal(decode(decoder, hex(blocks[1])), [...GET, "cache-control: no-cache"]);
    assert.is(decoder.size, 110);
    assert.equal(decode(decoder, hex(blocks[2])), [
      ":method: GET",
      ":scheme: https",
      ":path: /index.html",
      ":authority: www.example.com",
      "custom-key: custom-value",
    ]);
    assert.is(decoder.size, 164);
  });
}

test("a smaller table, said at the beginning of a block, evicts", () => {
  const decoder = new HpackDecoder();
  decode(decoder, hex("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d"));
  assert.is(decoder.size, 57);
  assert.equal(decode(decoder, hex("20 3f e1 1f 82")), [":method: GET"]);
  assert.is(decoder.size, 0);
  assert.is(decode(decoder, hex("be")), undefined);
});

test("a field larger than the table empties it, and is none of it", () => {
  const decoder = new HpackDecoder();
  decode(decoder, hex("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d"));
  const out = new Uint8Array(8192);
  out[0] = 0x40;
  let at = writeInteger(out, 1, 0, 7, 1);
  out[at++] = 0x78;
  at = writeInteger(out, at, 0, 7, 5000);
  assert.is(decode(decoder, out.subarray(0, at + 5000))?.[0].length, 5003);
  assert.is(decoder.size, 0);
});

test("every byte, and random ones, through Huffman and back", () => {
  const random = randomFrom();
  const out = new Uint8Array(8192);
  const back = new Uint8Array(8192);
  const every = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
  for (let round = 0; round < 2000; round++) {
    const length = Math.floor(random() * 50);
    const text =
      round === 0 ? every : Array.from({ length }, () => String.fromCharCode(Math.floor(random() * 256))).join("");
    const end = encodeHuffman(text, out, 0);
    assert.is(end, huffmanLength(text));
    const length2 = decodeHuffman(out, 0, end, back);
    assert.is(Buffer.from(back.subarray(0, length2)).toString("latin1"), text);
  }
});

test("fields of ours are read as they were written", () => {
  const out = new Uint8Array(1024);
  for (const [name, value] of [
    [":status", "200"],
    [":status", "299"],
    ["content-type", "text/html"],
    ["set-cookie", "a=b"],
    ["x-y", ""],
    ["etag", '"é"'],
  ]) {
    const end = writeField(out, 0, name, value);
    assert.equal(decode(new HpackDecoder(), out.subarray(0, end)), [`${name}: ${value}`]);
  }
});

test("random fields, encoded by nghttp2 for us, and by us for nghttp2", async () => {
  using server = start(
    (request) => {
      const fields = [...request.headers].filter(([name]) => name.startsWith("x-"));
      return Response.json(fields, { headers: fields });
    },
    { h2c: true },
  );
  const client = session(server.port);
  const random = randomFrom();
  const some = (most: number): number => Math.floor(random() * most);
  const values = Array.from({ length: 40 }, () => {
    const length = random() < 0.1 ? some(3000) : some(60);
    return Array.from({ length }, () => String.fromCharCode(33 + some(random() < 0.2 ? 94 : 60))).join("");
  });
  try {
    for (let round = 0; round < 300; round++) {
      const fields: Record<string, string> = {};
      for (let i = some(8); i >= 0; i--) fields[`x-${some(20)}`] = values[some(values.length)];
      const sensitive = random() < 0.2 ? { [Symbol.for("nodejs.http2.sensitiveHeaders")]: Object.keys(fields) } : {};
      const stream = client.request({ ":path": `/${round}`, ...fields, ...sensitive });
      const head = Promise.withResolvers<IncomingHttpHeaders>();
      stream.on("response", head.resolve);
      stream.on("error", head.reject);
      let body = "";
      for await (const chunk of stream) body += chunk;
      const received = Object.fromEntries(JSON.parse(body) as [string, string][]);
      const wanted = Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
      assert.equal(received, wanted);
      const headers = await head.promise;
      for (const [name, value] of Object.entries(fields)) assert.is(headers[name], value);
    }
  } finally {
    client.destroy();
  }
});

test("bytes that are no header block end in a refusal, and never in more than they are", () => {
  const random = randomFrom();
  const seeds = [
    hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"),
    hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
  ];
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const decoder = new HpackDecoder();
    const bytes =
      round % 2 === 0
        ? Buffer.from(Array.from({ length: 1 + Math.floor(random() * 40) }, () => Math.floor(random() * 256)))
        : Buffer.from(seeds[round % 4 < 2 ? 0 : 1]);
    if (round % 2 === 1) {
      for (let i = 0; i < 3; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    for (let again = 0; again < 2; again++) {
      if (decode(decoder, bytes) === undefined) {
        refused++;
        break;
      }
    }
    assert.ok(decoder.size <= 4096);
  }
  assert.ok(refused > 5000 && refused < 20_000, `${refused} of 20,000 were refused`);
});

test.run();
