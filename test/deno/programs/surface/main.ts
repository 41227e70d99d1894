// @ts-nocheck: written for Deno, whose types are not installed here.
/** Runs all checks of this folder, one after the other, and prints what came of them: test/deno/surface.test.ts. */
import { checks, folder, outcome } from "./check.ts";
import "./files.ts";
import "./network.ts";
import "./open-files.ts";
import "./processes.ts";
import "./runtime.ts";

const only = Deno.args.find((arg) => arg.startsWith("--only="))?.slice("--only=".length);
const results = [];
for (const { name, call, loose } of checks) {
  if (only !== undefined && !name.includes(only)) continue;
  if (Deno.args.includes("--show")) console.error(name);
  results.push([name, ...(await outcome(call, loose))]);
}
await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify(results));
Deno.exit();
