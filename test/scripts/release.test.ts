/** What `npm run release` writes, and what it refuses. */
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dated, follows, versioned } from "../../scripts/release.ts";
import { repository, run, temporaryFolder } from "../support/process.ts";

const test = suite("release");

test("versions that follow, and what is none", () => {
  for (const version of ["0.1.1", "0.2.0", "1.0.0", "0.10.0"]) assert.ok(follows(version, "0.1.0"), version);
  for (const version of ["0.1.0", "0.0.9", "1", "v1.0.0", "1.0.0-beta", ""]) assert.not(follows(version, "0.1.0"));
});

test("the changelog keeps its entries under a dated heading", () => {
  const text = "# Changelog\n\n## Unreleased\n\n- new\n\n## 0.1.0 (2026-01-01)\n\n- old\n";
  assert.is(
    dated(text, "0.2.0", "2026-02-03"),
    "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-02-03)\n\n- new\n\n## 0.1.0 (2026-01-01)\n\n- old\n",
  );
  assert.throws(() => dated("## Unreleased\n\n## 0.1.0\n\n- old\n", "0.2.0", ""), /nothing under/);
  assert.throws(() => dated("# Changelog\n", "0.2.0", ""), /no heading/);
});

test("a lock file's first two versions are ours", () => {
  const lock = '{"version": "0.1.0", {"version": "0.1.0"}, {"version": "0.1.0"}}';
  assert.is(versioned(lock, "0.1.0", "0.2.0", 2), '{"version": "0.2.0", {"version": "0.2.0"}, {"version": "0.1.0"}}');
  assert.throws(() => versioned("{}", "0.1.0", "0.2.0", 1), /does not stand/);
});

test("in a repository: a commit and a tag, and nothing with changes lying about", async () => {
  const copy = temporaryFolder();
  for (const name of ["package.json", "package-lock.json", "deno.json", "CHANGELOG.md", "scripts/release.ts"]) {
    cpSync(join(repository, name), join(copy, name));
  }
  const git = (...args: string[]) =>
    run(["git", "-c", "user.name=x", "-c", "user.email=x@example.com", ...args], { cwd: copy });
  await git("init", "-q");
  const env = { GIT_AUTHOR_NAME: "x", GIT_AUTHOR_EMAIL: "x@example.com", GIT_COMMITTER_NAME: "x", GIT_COMMITTER_EMAIL: "x@example.com" }; // biome-ignore format: one line
  const release = (version: string) => run([process.execPath, "scripts/release.ts", version], { cwd: copy, env });
  assert.match((await release("99.0.0")).stderr, /not committed/);
  await git("add", ".");
  await git("commit", "-qm", "all");
  assert.match((await release("0.0.1")).stderr, /^release: say a version behind/);
  const { code, stdout, stderr } = await release("99.0.0");
  assert.is(code, 0, stderr);
  assert.match(stdout, /git push --follow-tags/);
  assert.is((await git("describe", "--exact-match")).stdout.trim(), "v99.0.0");
  assert.is((await git("status", "--porcelain")).stdout, "");
  for (const name of ["package.json", "deno.json"])
    assert.is(JSON.parse(readFileSync(join(copy, name), "utf8")).version, "99.0.0");
  assert.match((await release("99.0.1")).stderr, /nothing under/);
});

test.run();
