/**
 * Files out of npm packages for other systems than this one, which `npm install` leaves out. They are the versions that
 * package-lock.json names, and their hashes are compared with it; what was fetched once is kept.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import lock from "../package-lock.json" with { type: "json" };

const cache = resolve(import.meta.dirname, "../node_modules/.cache/slipway-packages");

/** The file at `path` in the package, out of the package that npm's registry has. */
export function fileOfPackage(name: string, path: string): Buffer {
  const archive = fetched(name);
  return execFileSync("tar", ["-xzOf", archive, `package/${path}`], { maxBuffer: 2 ** 30 });
}

/** The package's archive, checked. */
function fetched(name: string): string {
  const packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>> = lock.packages;
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined)
    throw new Error(`package-lock.json does not name ${name} with its hash: npm install, and commit it`);
  const kept = join(cache, `${name.replaceAll("/", "+")}-${version}.tgz`);
  if (existsSync(kept) && integrityOf(kept) === integrity) return kept;
  mkdirSync(cache, { recursive: true });
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const printed = execFileSync(npm, ["pack", "--silent", "--pack-destination", cache, `${name}@${version}`], {
    encoding: "utf8",
    timeout: 600_000,
    shell: process.platform === "win32",
  });
  const archive = join(cache, basename(printed.trim()));
  const found = integrityOf(archive);
  if (found !== integrity) {
    rmSync(archive);
    throw new Error(`${name}@${version} is not what package-lock.json says: its hash is ${found}`);
  }
  renameSync(archive, kept);
  return kept;
}

function integrityOf(file: string): string {
  return `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
}
