/**
 * `npm run release -- 1.2.3`: makes the commit and the tag of a version. Nothing is sent anywhere: the tag is, by whoever
 * pushes it, and the workflow that it starts tests and publishes (CONTRIBUTING.md).
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const repository = resolve(import.meta.dirname, "..");
/** Where the version stands, as `"version": "…"`; the lock file says it twice. */
const PLACES = ["package.json", "package-lock.json", "deno.json"];
const HEADING = "## Unreleased";

/** The changelog with what was unreleased under the version's heading; throws a sentence when there is nothing. */
export function dated(changelog: string, version: string, date: string): string {
  const at = changelog.indexOf(`${HEADING}\n`);
  if (at < 0) throw new Error(`CHANGELOG.md has no heading "${HEADING}"`);
  const begin = at + HEADING.length;
  const next = changelog.indexOf("\n## ", begin);
  const entries = changelog.slice(begin, next < 0 ? undefined : next);
  if (!/^- /m.test(entries)) throw new Error(`CHANGELOG.md has nothing under "${HEADING}": what is new?`);
  return `${changelog.slice(0, begin)}\n\n## ${version} (${date})${changelog.slice(begin)}`;
}

/** A manifest with another version of our own package in it; `times`: how often it stands there. */
export function versioned(manifest: string, before: string, version: string, times: number): string {
  const parts = manifest.split(`"version": "${before}"`);
  if (parts.length <= times) throw new Error(`version ${before} does not stand where it should`);
  // The first ones: dependencies that happen to have the same follow in a lock file.
  return parts.reduce((all, part, index) => `${all}"version": "${index <= times ? version : before}"${part}`);
}

/** Whether `version` is a version, and behind `before`. */
export function follows(version: string, before: string): boolean {
  if (!/^\d+\.\d+\.\d+$/.test(version)) return false;
  const [a, b] = [version, before].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index++) if (a[index] !== b[index]) return a[index] > b[index];
  return false;
}

function release(version: string | undefined): void {
  const read = (name: string) => readFileSync(join(repository, name), "utf8");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: repository, encoding: "utf8" }).trim();
  const before = (JSON.parse(read("package.json")) as { version: string }).version;
  if (version === undefined || !follows(version, before))
    throw new Error(`say a version behind ${before}: npm run release -- 1.2.3`);
  if (git("status", "--porcelain") !== "")
    throw new Error("there are changes that are not committed: commit or stash them");
  if (git("tag", "--list", `v${version}`) !== "") throw new Error(`there is a tag v${version} already`);
  const changelog = dated(read("CHANGELOG.md"), version, new Date().toISOString().slice(0, 10));
  const manifests = PLACES.map((name) => versioned(read(name), before, version, name === "package-lock.json" ? 2 : 1));
  writeFileSync(join(repository, "CHANGELOG.md"), changelog);
  for (const [index, name] of PLACES.entries()) writeFileSync(join(repository, name), manifests[index]);
  git("commit", "--quiet", "--message", `Version ${version}`, "--", "CHANGELOG.md", ...PLACES);
  git("tag", "--annotate", `v${version}`, "--message", `Version ${version}`);
  console.log(`v${version} is committed and tagged. To publish it: git push --follow-tags`);
}

if (import.meta.main) {
  try {
    release(process.argv[2]);
  } catch (error) {
    console.error(`release: ${(error as Error).message}`);
    process.exit(1);
  }
}
