// docs/limits.md says what the option table says, and each option has a section that exists.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { missingSections, withTables } from "../../scripts/options-docs.ts";
import { optionTable } from "../../src/options/table.ts";
import { repository } from "../support/process.ts";

const page = readFileSync(join(repository, "docs/limits.md"), "utf8");

test("the tables are those of scripts/options-docs.ts", () => {
  assert.is(withTables(page), page, "run node scripts/options-docs.ts");
  for (const { name } of optionTable) assert.ok(page.includes(`| [\`${name}\`](`), name);
});

test("every option's section exists", () => {
  // The page about operating a server may be missing in a part of the tree; what is there must be right.
  const there = missingSections().filter((line) => !/operations\.md is missing/.test(line));
  assert.equal(there, []);
});

test("links to other pages name pages that exist", () => {
  const pages = [...page.matchAll(/\]\(([\w-]+\.md)/g)].map(([, file]) => file);
  for (const file of pages) {
    if (file !== "operations.md") assert.ok(existsSync(join(repository, "docs", file)), file);
  }
});

test.run();
