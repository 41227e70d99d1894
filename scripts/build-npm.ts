/**
 * `npm run build:npm`, before `npm pack`: dist/npm, our sources as plain JavaScript with their types beside them. Node
 * strips types from a program's own files, never from those in node_modules.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { stopEsbuild } from "../src/bundle/mod.ts";
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
  exclude: ["../../src/cli/boot.ts", "../../src/cli/base.ts"],
};

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
writeFileSync(join(output, "tsconfig.json"), JSON.stringify(config));
const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
execFileSync(process.execPath, [join(typescript, "bin/tsc"), "--project", output], { stdio: "inherit" });
rmSync(join(output, "tsconfig.json"));
// What `compile` makes its base of, on the machine that it runs on.
writeFileSync(join(output, "kit.json"), JSON.stringify(await baseKit()));
await stopEsbuild();
cpSync(join(repository, "templates"), join(output, "templates"), { recursive: true });
