/** What strangers write into a log: it acts on no terminal, forges no entry, and is of bounded length. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clientText } from "../../src/log/client-text.ts";
import { inert } from "../../src/log/json.ts";
import { entryText } from "../../src/runtime/log.ts";
import { printable, printableLine, shortened } from "../../src/runtime/printable.ts";

/** Acts on a terminal, or on who reads. */
const hostile: readonly [name: string, text: string, shown: string][] = [
  ["a colour", "\x1b[31mred", "\\x1b[31mred"],
  ["a window title (OSC)", "\x1b]0;title\x07", "\\x1b]0;title\\x07"],
  ["CSI in one character (C1)", "\x9b31m", "\\x9b31m"],
  ["OSC in one character (C1)", "\x9d0;t\x9c", "\\x9d0;t\\x9c"],
  ["NEL, a line end in Unicode", "a\x85b", "a\\x85b"],
  ["backspace and DEL", "a\b\x7f", "a\\x08\\x7f"],
  ["carriage return", "a\rb", "a\\x0db"],
  ["NUL", "a\0b", "a\\x00b"],
  ["right-to-left override", "a\u202eb\u202c", "a\\u202eb\\u202c"],
  ["isolates", "\u2066a\u2069", "\\u2066a\\u2069"],
  ["marks", "\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"],
  ["zero width", "a\u200bb\ufeff\u00ad", "a\\u200bb\\ufeff\\xad"],
  ["line and paragraph separator", "a\u2028b\u2029", "a\\u2028b\\u2029"],
  ["a high surrogate alone", "a\ud83d", "a\\ud83d"],
  ["a low surrogate alone", "\ude00a", "\\ude00a"],
  ["invisible tags", "a\u{e0041}b", "a\\u{e0041}b"],
];

for (const [name, text, shown] of hostile) {
  test(`${name} is shown, not done`, () => {
    assert.is(printable(text), shown);
    assert.is(printableLine(text), shown);
  });
  test(`${name} in JSON: escaped, and still what it was`, () => {
    const line = inert(`${JSON.stringify({ message: text, [text]: 1 })}\n`);
    assert.is(JSON.parse(line).message, text);
    assert.is(JSON.parse(line)[text], 1);
    assert.not.match(line.slice(0, -1), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    assert.ok(line.endsWith("\n"));
  });
}

test("harmless text stays as it is", () => {
  for (const text of ["plain", "größer", "日本語", "😀", "𝒳", "مرحبا", "a\tb"]) {
    assert.is(printable(text), text);
    assert.is(inert(JSON.stringify(text)), JSON.stringify(text));
  }
});

test("nobody can write what looks like an entry of the log", () => {
  const forged = "no such user x\n2026-11-25T01:10:00.123Z error slipway: all is lost\r\n\nslipway: y";
  const lines = printable(forged).split("\n");
  assert.is(lines.length, 4);
  for (const line of lines.slice(1)) assert.match(line, /^(?: {2}|$)/);
  assert.is(printableLine("a\nb"), "a\\nb");
  // A stack keeps its own indentation.
  assert.is(printable("Error: x\n    at y"), "Error: x\n    at y");
});

test("an entry of the log is neutral in every part", () => {
  const error = new Error("thrown \x1b[2J\nslipway: forged");
  error.stack = `Error: ${error.message}\n    at somewhere`;
  const text = entryText({
    level: "error",
    message: "it \x1b]0;x\x07 failed",
    fields: { peer: 'a b="c"\n', "client.port": 4, on: true, none: undefined, "url.path": "/a\x9b" },
    thrown: { value: error },
  });
  assert.is(
    text,
    'it \\x1b]0;x\\x07 failed peer="a b=\\"c\\"\\n" client.port=4 on=true url.path=/a\\x9b: ' +
      "Error: thrown \\x1b[2J\n  slipway: forged\n    at somewhere",
  );
});

test("a client's bytes are read as UTF-8 if they are that, else a character a byte", () => {
  const bytes = (text: string) => Buffer.from(text, "utf8").toString("latin1");
  assert.is(clientText(bytes("größer 😀"), 100), "größer 😀");
  assert.is(clientText("\xff\xfe", 100), "\xff\xfe");
  // An overlong slash, a surrogate in UTF-8 (RFC 3629, 3): no UTF-8.
  assert.is(clientText("\xc0\xaf", 100), "\xc0\xaf");
  assert.is(printableLine(clientText("\xed\xa0\xbd\x9b", 100)), "í\xa0½\\x9b");
});

test("long values are cut, and say so", () => {
  assert.is(clientText("a".repeat(10), 10), "a".repeat(10));
  assert.is(clientText("a".repeat(1_000_000), 10), "aaaaaaaaaa… (999990 more)");
  // Not through a character.
  const sparkles = Buffer.from("✨".repeat(10), "utf8").toString("latin1");
  for (let most = 4; most < 20; most++) assert.match(clientText(sparkles, most), /^✨+… \(\d+ more\)$/);
  assert.is(shortened("a😀b", 2), "a… (3 more)");
  assert.is(shortened("a😀b", 3), "a😀… (1 more)");
  const long = entryText({ level: "warn", message: "m".repeat(100_000), fields: { f: "f".repeat(100_000) } });
  assert.ok(long.length < 10_000, `${long.length} characters`);
});

test.run();
