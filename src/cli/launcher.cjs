#!/usr/bin/env -S node --
/**
 * `npx slipway`: whatever Node starts this, hands over to the executable that came with the package, or to the pinned
 * Node, in the repository and where the package was packed without executables.
 * Plain JavaScript that any Node from 20 on understands.
 */
const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { becomeExecutable, becomePinnedNode } = require("./pinned-node.cjs");

// In the repository the sources themselves, in the npm package what was made of them.
const source = join(__dirname, "main.ts");
// Of the repository the sources, whatever else is installed.
if (existsSync(source) || !becomeExecutable(process.argv.slice(2))) runUnderNode();

function runUnderNode() {
  const main = existsSync(source) ? source : join(__dirname, "../../dist/npm/src/cli/main.js");
  if (!existsSync(main)) {
    console.error("slipway: this package was packed without its build: pack it with npm run pack");
    process.exit(1);
  }
  // Behind --, so that Node takes no flag for its own (it would --env-file).
  becomePinnedNode(["--", main, ...process.argv.slice(2)]);
}
