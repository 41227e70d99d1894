/**
 * Sources with the findings that they should have marked where they are: a line that ends in `// ! rule-id` (or several,
 * separated by spaces) has these and no others; a line without a mark has none.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { type CheckResult, checkFiles } from "../../../../src/check/code/mod.ts";

/** Runs with a folder that holds the files, by their path in it, and takes it away afterwards. */
export async function withFiles<T>(
  files: Readonly<Record<string, string>>,
  run: (folder: string) => T,
): Promise<Awaited<T>> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-check-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is found when the first file is checked. */
export function checked(files: Readonly<Record<string, string>>): Promise<CheckResult> {
  return withFiles(files, (folder) => checkFiles([join(folder, Object.keys(files)[0])]));
}

/** Asserts that the findings stand where the marks are, in all files. */
export async function assertMarked(source: string | Readonly<Record<string, string>>): Promise<void> {
  const files = typeof source === "string" ? { "server.ts": source } : source;
  await withFiles(files, async (folder) => {
    const { findings } = await checkFiles([join(folder, Object.keys(files)[0])]);
    const found = findings.map(({ file, line, id, code }) => `${relative(folder, file)}:${line} ${id}  ${strip(code)}`);
    assert.deepEqual(found.sort(), Object.entries(files).flatMap(marks).sort());
  });
}

/** Asserts that nothing is found. */
export async function assertClean(source: string | Readonly<Record<string, string>>): Promise<void> {
  await assertMarked(source);
}

function marks([name, text]: [string, string]): string[] {
  return text.split("\n").flatMap((line, index) => {
    const ids = /\/\/ ! ([\w\- ]+)$/.exec(line)?.[1].split(" ") ?? [];
    return ids.map((id) => `${name}:${index + 1} ${id}  ${strip(line)}`);
  });
}

function strip(line: string): string {
  return line.replace(/\/\/ ! .*/, "").trim();
}
