/**
 * Deno itself, our oracle for everything in `Deno`. The npm package's own command is a script that starts the program
 * as a child, which signals would not reach: this is the program.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./process.ts";

const platforms: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64-glibc",
  "linux-arm64": "linux-arm64-glibc",
  "darwin-x64": "darwin-x64",
  "darwin-arm64": "darwin-arm64",
};

/** The path of Deno's program, undefined where npm has none for this machine. */
export const denoProgram: string | undefined = find();

/** Why `denoProgram` is undefined, for a skipped test. */
export const noDeno = "npm's deno has no program for this machine";

function find(): string | undefined {
  const platform = platforms[`${process.platform}-${process.arch}`] ?? "";
  const path = join(repository, "node_modules/@deno", platform, "deno");
  return platform !== "" && existsSync(path) ? path : undefined;
}
