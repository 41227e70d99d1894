// docs/compression.md: its commands give what it prints.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import { repository } from "../support/process.ts";
import { commandsOf } from "./support/commands.ts";

const test = suite("docs/compression.md");
commandsOf(test, readFileSync(join(repository, "docs/compression.md"), "utf8"), "list.ts", ["curl", "wc"]);
test.run();
