// The bench's two C programs, compiled when first needed and kept in dist/bench/
// until their source changes. Without a compiler they are left out, never faked.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

const sources = { load: new URL("load.c", import.meta.url), epoll: new URL("peers/epoll.c", import.meta.url) };
const made = new Map<string, string | null>();

/** The program's path, or null where there is no C compiler (or no Linux: both speak epoll). */
export function compiled(name: keyof typeof sources): string | null {
  let path = made.get(name);
  if (path === undefined) {
    path = process.platform === "linux" ? compile(name) : null;
    made.set(name, path);
  }
  return path;
}

function compile(name: keyof typeof sources): string | null {
  const digest = createHash("sha256").update(readFileSync(sources[name])).digest("hex").slice(0, 12);
  const directory = fileURLToPath(new URL("../../dist/bench/bin", import.meta.url));
  const path = `${directory}/${name}-${digest}`;
  if (existsSync(path)) return path;
  mkdirSync(directory, { recursive: true });
  for (const compiler of [process.env.CC, "cc", "gcc", "clang"]) {
    if (!compiler) continue;
    const partial = `${path}.${process.pid}`; // two runs may compile at once
    const run = spawnSync(compiler, ["-O2", "-o", partial, fileURLToPath(sources[name])], { encoding: "utf8" });
    if (run.error) continue;
    if (run.status !== 0) throw new Error(`${compiler} could not compile ${name}.c: ${run.stderr}`);
    renameSync(partial, path);
    return path;
  }
  return null;
}
