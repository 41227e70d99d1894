/**
 * The programs of web workers: modules that are bundled each for itself, since they run in threads. Those that are
 * written out (`new Worker(new URL("./w.ts", import.meta.url))`) are made with the program, and an executable has no others.
 */
import type { Bundle } from "./mod.ts";

/** By the path of the file. */
export type WorkerBundles = Readonly<Record<string, Bundle>>;

/** What this process has of them. */
export const workerPrograms: {
  /** Of `run`: made already. */
  bundles: WorkerBundles;
  /** Of an executable: ids, by path. */
  sealed?: Readonly<Record<string, string>>;
  /** Makes another; absent where there is no bundler. */
  bundle?: (file: string) => Promise<Bundle>;
} = { bundles: {} };

const URL_OF_META = String.raw`new\s+URL\s*\(\s*(?:"(\.{1,2}\/[^"\n]*)"|'(\.{1,2}\/[^'\n]*)'|\x60(\.{1,2}\/[^\x60$]*)\x60)\s*,\s*import\s*\.\s*meta\s*\.\s*url\s*,?\s*\)`;
const RESOLVED = String.raw`import\s*\.\s*meta\s*\.\s*resolve\s*\(\s*(?:"(\.{1,2}\/[^"\n]*)"|'(\.{1,2}\/[^'\n]*)')\s*\)`;
const ITSELF = String.raw`import\s*\.\s*meta\s*\.\s*url\b`;
const written = new RegExp(
  String.raw`\bnew\s+(?:(?:globalThis|self)\s*\.\s*)?Worker\s*\(\s*(?:${URL_OF_META}|${RESOLVED}|(${ITSELF}))`,
  "g",
);

/** Names of the workers that a module makes, as they are written; "" for itself. */
export function workersIn(source: string): string[] {
  if (!source.includes("Worker")) return [];
  return [...source.matchAll(written)].map(([, ...found]) => found.slice(0, 5).find((one) => one !== undefined) ?? "");
}
