/**
 * templates/api/vendor/hono.js: Hono as one file, so that the template `api` runs with nothing installed.
 *
 *   node scripts/vendor-hono.ts           writes the file
 *   node scripts/vendor-hono.ts --check   fails when it is out of date
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const repository = resolve(import.meta.dirname, "..");
const hono = join(repository, "node_modules/hono");
const target = join(repository, "templates/api/vendor/hono.js");

const { version } = JSON.parse(readFileSync(join(hono, "package.json"), "utf8")) as { version: string };
const license = readFileSync(join(hono, "LICENSE"), "utf8").trim();
const { outputFiles } = await build({
  ...{ absWorkingDir: hono, entryPoints: ["dist/index.js"], bundle: true, write: false },
  ...{ format: "esm", platform: "neutral", target: "esnext", legalComments: "none" },
} as const);
const notice = `Hono ${version}, bundled as one file. To have it from npm instead: npm install hono, and import "hono".\n\n${license}`;
const text = `// @ts-self-types="./hono.d.ts"\n// deno-lint-ignore-file\n/*\n${notice}\n*/\n${outputFiles[0].text}`;

if (!process.argv.includes("--check")) writeFileSync(target, text);
else if (readFileSync(target, "utf8") !== text) {
  console.error("templates/api/vendor/hono.js is out of date: node scripts/vendor-hono.ts");
  process.exit(1);
}
