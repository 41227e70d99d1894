import assert from "node:assert/strict";
import { test } from "node:test";
import { hashed, site } from "./site.ts";

test("the root is a folder beside the server", () => {
  assert.match(site.fsRoot.pathname, /\/public\/$/);
});

test("only what has a hash in its name is kept for a year", () => {
  assert.ok(hashed.test("/assets/app-5f1c0a3e.js"));
  assert.ok(!hashed.test("/assets/site.css"));
  assert.ok(!hashed.test("/index.html"));
});
