// Progress: nothing at first, then one line that is drawn over itself and goes; and who may see colours.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { mayColor } from "../../src/terminal/colors.ts";
import { Progress } from "../../src/terminal/progress.ts";

test("what takes a moment says nothing; what takes longer one line, which goes", async () => {
  let written = "";
  const progress = new Progress((text) => (written += text));
  progress.step("Reading");
  assert.is(written, "");
  const { now } = performance;
  const later = now.call(performance) + 3000;
  performance.now = () => later;
  try {
    progress.step("Writing shop");
  } finally {
    performance.now = now;
  }
  assert.match(written, /^\r\x1b\[KWriting shop \([34]\.\d s\)$/);
  progress.end();
  assert.match(written, /s\)\r\x1b\[K$/);
  progress.end();
  assert.is(written.split("\r").length, 3);
});

test("NO_COLOR takes colours away, FORCE_COLOR gives them to a pipe, and a dumb terminal has none", () => {
  assert.is(mayColor(true, {}), true);
  assert.is(mayColor(false, {}), false);
  assert.is(mayColor(true, { NO_COLOR: "1" }), false);
  assert.is(mayColor(true, { NO_COLOR: "" }), true);
  assert.is(mayColor(false, { FORCE_COLOR: "1" }), true);
  assert.is(mayColor(false, { FORCE_COLOR: "1", NO_COLOR: "1" }), true);
  assert.is(mayColor(true, { FORCE_COLOR: "0" }), false);
  assert.is(mayColor(true, { TERM: "dumb" }), false);
});

test.run();
