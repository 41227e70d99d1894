/**
 * `npm run docs`: the documentation as pages, in dist/docs, and served. With --check nothing is served, and a link that
 * leads nowhere is an error.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { declarations } from "./declarations.ts";
import { buildSite } from "./site.ts";

const repository = resolve(import.meta.dirname, "../..");
const output = join(repository, "dist/docs");

const { pages, broken } = buildSite(repository, output, declarations(repository));
for (const sentence of broken) console.error(sentence);
console.log(`dist/docs  ${pages} pages; open dist/docs/index.html`);
if (process.argv.includes("--check")) {
  process.exitCode = broken.length > 0 || !existsSync(join(output, "index.html")) ? 1 : 0;
} else {
  const { serveDocs } = await import("./serve.ts");
  serveDocs(output);
}
