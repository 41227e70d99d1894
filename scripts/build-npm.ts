/**
 * `npm run build:npm`, before `npm pack`: dist/npm, our sources as plain JavaScript with their types beside them. Node
 * strips types from a program's own files, never from those in node_modules.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { LIVE_PAGE } from "../src/admin/live/asset.ts";
import { stopEsbuild } from "../src/bundle/mod.ts";
import { commandLine } from "../src/cli/main.ts";
import { manualPage } from "../src/cli/manual.ts";
import { baseKit } from "./base-kit.ts";

const repository = resolve(import.meta.dirname, "..");
const output = join(repository, "dist", "npm");
const config = {
  extends: "../../tsconfig.json",
  compilerOptions: {
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    rootDir: "../..",
    outDir: ".",
  },
  // What only the executables are made of stays out.
  include: ["../../src", "../../ffi"],
  exclude: ["../../src/cli/boot.ts", "../../src/cli/base.ts", "../../src/admin/live/page"],
};

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
writeFileSync(join(output, "tsconfig.json"), JSON.stringify(config));
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
execFileSync(process.execPath, [join(typescript, "bin/tsc"), "--project", output], { stdio: "inherit" });
rmSync(join(output, "tsconfig.json"));
finishLibrary();
keepVersions();
// What `compile` makes its base of, on the machine that it runs on.
const kit = await baseKit();
writeFileSync(join(output, "kit.json"), JSON.stringify(kit));
writeFileSync(join(output, "src/admin/live", LIVE_PAGE), Buffer.from(kit.livePage, "base64"));
await stopEsbuild();
cpSync(join(repository, "templates"), join(output, "templates"), { recursive: true });
for (const file of readdirSync(join(repository, "docs"))) {
  if (file.endsWith(".md")) cpSync(join(repository, "docs", file), join(output, "docs", file));
}

mkdirSync(join(output, "man"));
writeFileSync(join(output, "man/slipway.1"), manualPage(commandLine([])));

/** What a library needs that an executable does not: a word to old Nodes, and types for whoever checks libraries' too. */
function finishLibrary(): void {
  for (const { default: entry } of Object.values(manifest.exports).filter((target) => typeof target === "object")) {
    const file = join(repository, entry);
    const check = relative(dirname(file), join(output, "src/requires-node.js"));
    prepend(file, `import "${check.startsWith(".") ? check : `./${check}`}";`);
  }
  for (const path of readdirSync(output, { recursive: true, encoding: "utf8" })) {
    // TypeScript's default lib has no Disposable unless the consumer's target is esnext.
    const file = join(output, path);
    if (path.endsWith(".d.ts") && /\b(Async)?Disposable\b|\b(asyncD|d)ispose\]/.test(readFileSync(file, "utf8"))) {
      prepend(file, `/// <reference lib="esnext.disposable" />`);
    }
  }
}

/** tsc copies the manifest, since modules read versions of it; inside of a package nothing else of one has a meaning. */
function keepVersions(): void {
  const { name, version, type, dependencies } = manifest;
  writeFileSync(join(output, "package.json"), JSON.stringify({ name, version, type, dependencies }));
}

function prepend(file: string, line: string): void {
  writeFileSync(file, `${line}\n${readFileSync(file, "utf8")}`);
}
