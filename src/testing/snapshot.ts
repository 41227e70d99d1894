/**
 * `t.assertSnapshot()`: values against what was written of them before, in `__snapshots__/NAME.snap` beside the file of
 * tests. The files are those of Deno and of `@std/testing/snapshot`; `slipway test --update-snapshots` writes them.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "../deno/inspect.ts";

export interface SnapshotOptions {
  readonly name?: string;
  readonly dir?: string;
  readonly path?: string;
  readonly msg?: string;
  readonly serializer?: (value: unknown) => string;
}

/** Of a test, or a step. */
export interface Context {
  readonly name: string;
  readonly parent?: Context;
}

/** A file of them, and what this run has seen. */
interface SnapshotFile {
  readonly written: ReadonlyMap<string, string> | undefined;
  readonly counts: Map<string, number>;
  readonly seen: Map<string, string>;
}

class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** More lines than these, of both together, are shown as they are. */
const MOST_LINES = 2000;

export class Snapshots {
  readonly #test: string;
  readonly #update: boolean;
  readonly #files = new Map<string, SnapshotFile>();

  /** Of the file of tests with this URL. */
  constructor(origin: string, update: boolean) {
    this.#test = origin.startsWith("file:") ? fileURLToPath(origin) : resolve(origin);
    this.#update = update;
  }

  assert(context: Context, actual: unknown, given: SnapshotOptions | string = {}): void {
    if (typeof given !== "string" && (typeof given !== "object" || given === null)) {
      throw new TypeError(
        "Expected the second argument to assertSnapshot() to be an options object or a message string",
      );
    }
    const options = typeof given === "string" ? { msg: given } : given;
    const file = this.#fileOf(options);
    const title = options.name ?? titleOf(context);
    const count = (file.counts.get(title) ?? 0) + 1;
    file.counts.set(title, count);
    const name = `${title} ${count}`;
    const text = (options.serializer ?? serialize)(actual);
    if (typeof text !== "string") throw new TypeError("Snapshot serializer must return a string");
    file.seen.set(name, text);
    if (this.#update) return;
    const fail = (message: string) => new AssertionError(options.msg ?? message);
    if (file.written === undefined) throw fail("Missing snapshot file.");
    const expected = file.written.get(name);
    if (expected === undefined) throw fail(`Missing snapshot: ${name}`);
    if (expected === text) return;
    throw fail(
      `Snapshot does not match:\n\n    [Diff] Actual / Expected\n\n${difference(text, expected)}\n\nTo update snapshots, run\n    slipway test --update-snapshots [files]...\n`,
    );
  }

  /**
   * Writes what has changed, and gives lines that say so. `all`: every test had its say, so what none of them asked for
   * is gone.
   */
  flush(all: boolean): string[] {
    if (!this.#update) return [];
    let updated = 0;
    const removed: string[] = [];
    for (const [path, { written = new Map<string, string>(), seen }] of this.#files) {
      const changed = [...seen].filter(([name, text]) => written.get(name) !== text);
      const stale = all ? [...written.keys()].filter((name) => !seen.has(name)) : [];
      if (changed.length === 0 && stale.length === 0) continue;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, fileText(all ? seen : new Map([...written, ...seen])));
      updated += changed.length;
      removed.push(...stale);
    }
    const count = (number: number) => `${number} snapshot${number === 1 ? "" : "s"}`;
    return [
      ...(updated > 0 ? [` > ${count(updated)} updated.`] : []),
      ...(removed.length > 0 ? [` > ${count(removed.length)} removed.`, ...removed.map((name) => `   • ${name}`)] : []),
    ];
  }

  #fileOf({ dir, path }: SnapshotOptions): SnapshotFile {
    const folder = dirname(this.#test);
    const place =
      path === undefined
        ? resolve(folder, dir ?? "__snapshots__", `${basename(this.#test)}.snap`)
        : resolve(join(folder, path));
    let file = this.#files.get(place);
    if (file === undefined) {
      file = { written: readSnapshots(place), counts: new Map(), seen: new Map() };
      this.#files.set(place, file);
    }
    return file;
  }
}

function titleOf({ name, parent }: Context): string {
  return parent === undefined ? name : `${titleOf(parent)} > ${name}`;
}

function serialize(value: unknown): string {
  const all = Number.POSITIVE_INFINITY;
  return inspect(value, {
    ...{ depth: all, iterableLimit: all, strAbbreviateSize: all, breakLength: all },
    ...{ sorted: true, trailingComma: true, compact: false, escapeSequences: false },
  }).replaceAll("\r", "\\r");
}

const entry = /snapshot\[`((?:\\.|[^`\\])*)`\] = `((?:\\.|[^`\\])*)`;/gs;

function readSnapshots(path: string): Map<string, string> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const plain = (written: string) => written.replace(/\\(.)/gs, "$1");
  const found = [...text.matchAll(entry)].map(([, name, value]): [string, string] => {
    const shown = plain(value);
    // Of several lines, the first and the last are for the eye.
    return [plain(name), shown.includes("\n") ? shown.slice(1, -1) : shown];
  });
  if (found.length !== text.split("snapshot[`").length - 1) {
    throw new AssertionError(
      `Corrupt snapshot file (only snapshot files generated by the test runner or @std/testing/snapshot are supported):\n\t${path}`,
    );
  }
  return new Map(found);
}

function fileText(entries: ReadonlyMap<string, string>): string {
  const escaped = (text: string) => text.replace(/[\\`$]/g, "\\$&");
  const lines = [...entries].map(([name, text]) => {
    const shown = escaped(text);
    return `\nsnapshot[\`${escaped(name)}\`] = \`${shown.includes("\n") ? `\n${shown}\n` : shown}\`;`;
  });
  return `${["export const snapshot = {};", ...lines].join("\n")}\n`;
}

/** Lines of the one that the other has not: by the longest that both have in common. */
function difference(actual: string, expected: string): string {
  const [a, b] = [actual.split("\n"), expected.split("\n")];
  if (a.length + b.length > MOST_LINES) {
    return [...a.map((line) => `+   ${line}`), ...b.map((line) => `-   ${line}`)].join("\n");
  }
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`    ${a[i++]}`);
      j++;
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) {
      lines.push(`+   ${a[i++]}`);
    } else {
      lines.push(`-   ${b[j++]}`);
    }
  }
  return lines.join("\n");
}
