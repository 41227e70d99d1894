import assert from "node:assert/strict";
import { test } from "node:test";
import { upstreamsIn } from "./upstreams.ts";

test("takes upstreams from a list", () => {
  assert.deepEqual(upstreamsIn("http://a:1, unix:/run/b.sock ,"), ["http://a:1", "unix:/run/b.sock"]);
});

test("has one to begin with", () => {
  assert.deepEqual(upstreamsIn(undefined), ["http://127.0.0.1:3000"]);
});
