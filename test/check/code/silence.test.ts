/** Comments that silence findings, and those that silence nothing. */
import assert from "node:assert/strict";
import { suite } from "uvu";
import { assertClean, assertMarked, checked } from "./support/marked.ts";

const test = suite("check: silences");

test("on the line, on the line before, behind other comments, in a block, for a whole file", () =>
  assertClean({
    "server.ts": `import "./other.ts";
await fetch("https://example.com/a"); // slipway-ignore fetch-without-timeout: the sidecar has its own
// slipway-ignore fetch-without-timeout: once, at the start
await fetch("https://example.com/b");
// slipway-ignore fetch-without-timeout: and
// because it is so
await fetch("https://example.com/c");
/* slipway-ignore fetch-without-timeout */ await fetch("https://example.com/d");
export default {
  fetch(request: Request) {
    // slipway-ignore forwarded-header, swallowed-signal: only the first is here
    return new Response(request.headers.get("x-forwarded-for"));
  },
};
`.replace(", swallowed-signal", ""),
    "other.ts": `/** Tools. */
// slipway-ignore-file fetch-without-timeout: talks to itself alone
await fetch("https://example.com/e");
await fetch("https://example.com/f");
`,
  }));

test("only what it names, only where it stands", () =>
  assertMarked(`// slipway-ignore fetch-without-timeout: the first
await fetch("https://example.com/a");
await fetch("https://example.com/b"); // ! fetch-without-timeout
await fetch("https://example.com/c"); // slipway-ignore fetch-without-timeout: behind code it is not for the next line
await fetch("https://example.com/d"); // ! fetch-without-timeout
`));

test("a silence without effect, of an unknown rule, or of none is a note", async () => {
  const { findings } = await checked({
    "server.ts": `// slipway-ignore fetch-without-timeout: nothing here
export const a = 1;
// slipway-ignore fetch-without-timout: a typo
export const b = 2;
// slipway-ignore
export const c = 3;
// what slipway-ignore means is in docs/check.md
export const d = 4;
`,
  });
  assert.deepEqual(
    findings.map(({ id, severity, line }) => [id, severity, line]),
    [
      ["unused-silence", "info", 1],
      ["unused-silence", "info", 3],
      ["unused-silence", "info", 5],
    ],
  );
  assert.match(findings[1].harm, /there is no rule fetch-without-timout \(did you mean fetch-without-timeout\?\)/);
});

test.run();
