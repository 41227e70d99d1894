// RFC 6455 from outside, frame by frame: what must be refused is, with the right code, and what must not be is not;
// whole, and cut at every byte.
import { suite, test } from "uvu";
import * as assert from "uvu/assert";
import { closeFrame, frame, rawSocket } from "./support/raw.ts";
import { type End, echo, ending, eventually, sockets, withSettings } from "./support/server.ts";

const TEXT = 1;
const BINARY = 2;
const CONTINUATION = 0;
const PING = 9;
const PONG = 10;

/** What is sent, and the code of the server's close frame. */
const refused: Record<string, [Buffer[], number]> = {
  "a text frame without a mask (5.1)": [[frame(TEXT, "x", { masked: false })], 1002],
  "a ping without a mask": [[frame(PING, "x", { masked: false })], 1002],
  "a close frame without a mask": [[frame(8, "", { masked: false })], 1002],
  "RSV1 without an extension (5.2)": [[frame(TEXT, "x", { rsv: 4 })], 1002],
  RSV2: [[frame(TEXT, "x", { rsv: 2 })], 1002],
  RSV3: [[frame(BINARY, "x", { rsv: 1 })], 1002],
  "RSV1 on a control frame": [[frame(PING, "", { rsv: 4 })], 1002],
  "RSV1 on a close frame": [[frame(8, "", { rsv: 7 })], 1002],
  "RSV1 on a continuation": [[frame(TEXT, "x", { fin: false }), frame(CONTINUATION, "y", { rsv: 4 })], 1002],
  "a length of 125 in two bytes": [[frame(TEXT, "x".repeat(125), { lengthBytes: 2 })], 1002],
  "a length of 0 in two bytes": [[frame(BINARY, "", { lengthBytes: 2 })], 1002],
  "a length of 65535 in eight bytes": [[frame(BINARY, "x".repeat(65_535), { lengthBytes: 8 })], 1002],
  "a length whose first bit is set": [[frame(BINARY, "", { length: 1n << 63n, lengthBytes: 8 })], 1002],
  "a length of 2^53 and more": [[frame(BINARY, "", { length: (1n << 62n) + 1n, lengthBytes: 8 })], 1002],
  "a frame longer than may be (9.1)": [[frame(BINARY, "", { length: 1n << 40n, lengthBytes: 8 })], 1009],
  "a ping of 126 bytes (5.5)": [[frame(PING, "x".repeat(126))], 1002],
  "a pong of 126 bytes": [[frame(PONG, "x".repeat(126))], 1002],
  "a close frame of 126 bytes": [[closeFrame(1000, "x".repeat(124))], 1002],
  "a fragmented ping (5.5)": [[frame(PING, "x", { fin: false })], 1002],
  "a fragmented pong": [[frame(PONG, "x", { fin: false })], 1002],
  "a fragmented close frame": [[frame(8, "", { fin: false })], 1002],
  "a continuation of nothing (5.4)": [[frame(CONTINUATION, "x")], 1002],
  "a continuation of nothing that goes on": [[frame(CONTINUATION, "x", { fin: false })], 1002],
  "a continuation after a whole message": [[frame(TEXT, "x"), frame(CONTINUATION, "y")], 1002],
  "a message within another": [[frame(TEXT, "x", { fin: false }), frame(TEXT, "y")], 1002],
  "binary within text": [[frame(TEXT, "x", { fin: false }), frame(BINARY, "y")], 1002],
  "a fragment of text within binary": [[frame(BINARY, "x", { fin: false }), frame(TEXT, "y", { fin: false })], 1002],
  "half a close code (5.5.1)": [[frame(8, "x")], 1002],
  "a close reason that is not UTF-8": [[closeFrame(1000, Buffer.from([0x61, 0xff]))], 1007],
  "a close reason that ends within a character": [[closeFrame(1000, Buffer.from([0xe2, 0x82]))], 1007],
};
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
  refused[`the reserved opcode ${opcode} (5.2)`] = [[frame(opcode, "x")], 1002];
  refused[`the reserved opcode ${opcode} within a message`] = [
    [frame(TEXT, "x", { fin: false }), frame(opcode, "y")],
    1002,
  ];
}
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
  refused[`the close code ${code} (7.4)`] = [[closeFrame(code)], 1002];
}

/** Texts that are not UTF-8, by what is wrong with them. */
const notUtf8: Record<string, number[]> = {
  "a byte that is none": [0x61, 0xff],
  "a continuation byte alone": [0x80],
  "five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
  "a slash in two bytes": [0xc0, 0xaf],
  "a slash in three bytes": [0xe0, 0x80, 0xaf],
  "a slash in four bytes": [0xf0, 0x80, 0x80, 0xaf],
  "half of a surrogate pair": [0xed, 0xa0, 0x80],
  "a surrogate pair": [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
  "U+110000": [0xf4, 0x90, 0x80, 0x80],
  "a character cut off": [0xf0, 0x9f, 0x98],
  "a character cut off by a letter": [0xe2, 0x82, 0x61],
};
for (const [what, bytes] of Object.entries(notUtf8)) {
  const text = Buffer.from([...Buffer.from("gut: "), ...bytes]);
  refused[`text with ${what} (8.1)`] = [[frame(TEXT, text)], 1007];
  refused[`text with ${what}, byte by byte`] = [
    [...text].map((byte, i) =>
      frame(i === 0 ? TEXT : CONTINUATION, Buffer.from([byte]), { fin: i === text.length - 1 }),
    ),
    1007,
  ];
}

const refusals = suite("refused");
for (const [what, [frames, code]] of Object.entries(refused)) {
  for (const way of ["whole", "cut"] as const) {
    const bytes = Buffer.concat(frames);
    // Each byte by itself says nothing more of what is only large.
    if (way === "cut" && bytes.length > 300) continue;
    refusals(`${what}, ${way}`, async () => {
      let end: Promise<End> | undefined;
      let open = false;
      using server = sockets((socket) => {
        end = ending(socket);
        socket.onopen = () => {
          open = true;
        };
      });
      using raw = await rawSocket(server.port);
      await eventually(() => open, "the socket is open");
      if (way === "whole") raw.write(bytes);
      else {
        // Each byte is a read of its own: the server answers none of them.
        for (const byte of bytes) await raw.client.send(Buffer.from([byte])).catch(() => {});
      }
      assert.is(await raw.closeCode(), code);
      const { clean, code: told, error } = (await end) as End;
      assert.is(clean, false);
      assert.is(told, 1006);
      assert.ok(error);
    });
  }
}
refusals.run();

const allowed = suite("allowed");

allowed("close codes of the registry, of libraries and of programs come back", async () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
    let end: Promise<End> | undefined;
    using server = sockets((socket) => {
      end = ending(socket);
    });
    using raw = await rawSocket(server.port);
    raw.write(closeFrame(code, "warum nicht: é"));
    assert.is(await raw.closeCode(), code);
    assert.equal(await end, { code, reason: "warum nicht: é", clean: true, error: undefined });
  }
});

allowed("a close frame without a code is answered by one", async () => {
  let end: Promise<End> | undefined;
  using server = sockets((socket) => {
    end = ending(socket);
  });
  using raw = await rawSocket(server.port);
  raw.write(closeFrame());
  assert.is(await raw.closeCode(), undefined);
  assert.equal(await end, { code: 1005, reason: "", clean: true, error: undefined });
});

allowed("a reason of 123 bytes", async () => {
  using server = sockets(() => {});
  using raw = await rawSocket(server.port);
  raw.write(closeFrame(1000, "x".repeat(123)));
  assert.is(await raw.closeCode(), 1000);
});

allowed("what comes behind a close frame is not looked at", async () => {
  const got: unknown[] = [];
  using server = sockets((socket) => {
    socket.onmessage = ({ data }) => got.push(data);
  });
  using raw = await rawSocket(server.port);
  raw.write(frame(TEXT, "a"), closeFrame(1000), frame(TEXT, "b"), frame(3, "", { masked: false }));
  assert.is(await raw.closeCode(), 1000);
  assert.equal(got, ["a"]);
});

allowed("pings are answered with what they carry, also within a message, and pongs with nothing", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port);
  const bytes = Buffer.from([0, 0xff, 0x80]);
  raw.write(
    frame(PING),
    frame(PONG, "nobody asked"),
    frame(TEXT, "a", { fin: false }),
    frame(PING, "x".repeat(125)),
    frame(CONTINUATION, "", { fin: false }),
    frame(PING, bytes),
    frame(CONTINUATION, "b"),
  );
  const [first, second, third, fourth] = await raw.next(4);
  assert.equal([first.opcode, first.payload.length], [PONG, 0]);
  assert.equal([second.opcode, second.payload.toString()], [PONG, "x".repeat(125)]);
  assert.equal([third.opcode, third.payload], [PONG, bytes]);
  assert.equal([fourth.opcode, fourth.payload.toString()], [TEXT, "ab"]);
});

allowed("a frame cut at every byte, between any two reads", async () => {
  using server = sockets(echo);
  const whole = Buffer.concat([
    frame(TEXT, "κόσμε"),
    frame(PING, "ping"),
    frame(BINARY, Buffer.from([1, 2, 3]), { fin: false }),
    frame(CONTINUATION, Buffer.from("x".repeat(200))),
  ]);
  for (let cut = 1; cut < whole.length; cut++) {
    using raw = await rawSocket(server.port);
    await raw.client.send(whole.subarray(0, cut));
    raw.write(whole.subarray(cut));
    const [text, pong, binary] = await raw.next(3);
    assert.is(text.payload.toString(), "κόσμε", `cut at ${cut}`);
    assert.is(pong.payload.toString(), "ping");
    assert.is(binary.payload.length, 203);
  }
});

allowed("text in fragments that are cut within every character", async () => {
  using server = sockets(echo);
  const text = Buffer.from("a£€😀ࠀ\u{ffff}\u{10ffff}z");
  for (let first = 0; first <= text.length; first++) {
    for (let second = first; second <= text.length; second += 3) {
      using raw = await rawSocket(server.port);
      raw.write(
        frame(TEXT, text.subarray(0, first), { fin: false }),
        frame(CONTINUATION, text.subarray(first, second), { fin: false }),
        frame(CONTINUATION, text.subarray(second)),
      );
      const [seen] = await raw.next(1);
      assert.equal(seen.payload, text);
    }
  }
});

allowed("lengths around every border, with any key and at any place", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port);
  let count = 0;
  for (const size of [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 129, 130, 131, 132, 1021, 65_535, 65_536, 70_001]) {
    for (const key of [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
      [0xff, 0x80, 0x7f, 0],
    ]) {
      const payload = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + size) & 0xff));
      raw.write(frame(PONG, "x".repeat(count & 3)), frame(BINARY, payload, { key: Uint8Array.from(key) }));
      count++;
      const seen = (await raw.next(count))[count - 1];
      assert.equal(seen.payload, payload, `${size} bytes under ${key}`);
    }
  }
});

allowed("a message of 5,000 fragments, many of them empty", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port);
  const frames = Array.from({ length: 5000 }, (_, i) =>
    frame(i === 0 ? BINARY : CONTINUATION, i % 2 ? "ab" : "", { fin: i === 4999 }),
  );
  raw.write(...frames);
  assert.is((await raw.next(1))[0].payload.length, 5000);
});

// All of it was copied for each of them, which took a minute of CPU.
allowed("4 MiB in fragments of 64 bytes", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port);
  const [first, next, last] = [TEXT, CONTINUATION, CONTINUATION].map((opcode, i) =>
    frame(opcode, "*".repeat(64), { fin: i === 2 }),
  );
  raw.write(first, Buffer.concat(Array(65_534).fill(next)), last);
  assert.is((await raw.next(1))[0].payload.length, 4 * 1024 * 1024);
});
allowed.run();

test("a message may be as long as the limit, and not one byte longer, in one frame or in many", async () => {
  using _ = withSettings({ maxMessage: 1000, maxFrame: 600 });
  using server = sockets(echo);
  const cases: [Buffer[], number | undefined][] = [
    [[frame(TEXT, "x".repeat(600), { fin: false }), frame(CONTINUATION, "x".repeat(400))], undefined],
    [[frame(TEXT, "x".repeat(600), { fin: false }), frame(CONTINUATION, "x".repeat(401))], 1009],
    [[frame(TEXT, "x".repeat(601))], 1009],
    [[frame(TEXT, "x".repeat(600))], undefined],
  ];
  for (const [frames, code] of cases) {
    using raw = await rawSocket(server.port);
    raw.write(...frames, closeFrame(4000));
    assert.is(await raw.closeCode(), code ?? 4000);
  }
});

test("invalid text is refused before its frame is whole", async () => {
  using server = sockets(echo);
  using raw = await rawSocket(server.port);
  raw.write(frame(TEXT, Buffer.from([0x61, 0xf4, 0x90, ...Buffer.alloc(5000)])).subarray(0, 20));
  assert.is(await raw.closeCode(), 1007);
});

test.run();
