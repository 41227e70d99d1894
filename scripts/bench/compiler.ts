// The bench's programs in C and Go, compiled when first needed and kept in
// dist/bench/ until their source changes. Without a compiler they are left out,
// never faked.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The source of each, and what it includes. */
const sources = {
  load: ["load.c", "measure.h"],
  epoll: ["peers/epoll.c", "peers/answer.h"],
  uring: ["peers/uring.c", "peers/answer.h"],
  bodies: ["peers/bodies.c"],
  go: ["peers/server.go"],
} as const;
const made = new Map<string, string | null>();
const kept = fileURLToPath(new URL("../../dist/bench", import.meta.url));

/** The program's path, or null where there is no compiler for it (or no Linux: the C programs speak epoll). */
export function compiled(name: keyof typeof sources): string | null {
  let path = made.get(name);
  if (path === undefined) {
    path = name === "go" || process.platform === "linux" ? compile(name) : null;
    made.set(name, path);
  }
  return path;
}

function compile(name: keyof typeof sources): string | null {
  const files = sources[name].map((file) => fileURLToPath(new URL(file, import.meta.url)));
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  const path = join(kept, "bin", `${name}-${hash.digest("hex").slice(0, 12)}`);
  const compilers = name === "go" ? [goCompiler()] : [process.env.CC, "cc", "gcc", "clang"];
  if (existsSync(path) && (name !== "go" || compilers[0])) return path;
  mkdirSync(join(kept, "bin"), { recursive: true });
  for (const compiler of compilers) {
    if (!compiler) continue;
    const partial = `${path}.${process.pid}`; // two runs may compile at once
    const args = name === "go" ? ["build", "-o", partial, files[0]] : ["-O2", "-o", partial, files[0]];
    const env = { GOCACHE: join(kept, "go-cache"), GO111MODULE: "off", GOTOOLCHAIN: "local", ...process.env };
    const run = spawnSync(compiler, args, { encoding: "utf8", env });
    if (run.error) continue;
    if (run.status !== 0) throw new Error(`${compiler} could not compile ${files[0]}: ${run.stderr}`);
    renameSync(partial, path);
    return path;
  }
  return null;
}

/** The newest Go that is installed: on the PATH, where its own archive goes, or where Debian puts it. */
export function goCompiler(): string | null {
  const debian = existsSync("/usr/lib") ? readdirSync("/usr/lib").filter((name) => /^go-\d/.test(name)) : [];
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/local/go/bin"];
  folders.push(...debian.map((name) => `/usr/lib/${name}/bin`));
  return folders.map((folder) => join(folder, "go")).find(existsSync) ?? null;
}
