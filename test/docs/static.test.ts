// docs/static.md: its commands give what it prints, and its options are those that there are.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { OF_FOLDER } from "../../src/static/options.ts";
import { repository } from "../support/process.ts";
import { commandsOf } from "./support/commands.ts";

const test = suite("docs/static.md");
const page = readFileSync(join(repository, "docs/static.md"), "utf8");
commandsOf(test, page, "site.ts", ["curl", "seq"]);

test("its options are those that there are", () => {
  const named = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.equal(named.sort(), [...OF_FOLDER].sort());
});

test.run();
