/**
 * `slipway run <file>`: bundles the program in memory and serves it from there; nothing is written to the disk.
 */
import { relative } from "node:path";
import { wishFromFlags } from "./address.ts";
import { entryFile } from "./entry.ts";
import { outliveOutput, tell } from "./output.ts";
import { endOnSignals, loadAndStart } from "./start.ts";
import { reportUncaught } from "./uncaught.ts";

export interface RunOptions {
  readonly port?: string;
  readonly host?: string;
  readonly unix?: string;
  readonly watch?: boolean;
}

/** Serves a handler file until a signal ends it. */
export async function run(file: string, options: RunOptions, args: readonly string[]): Promise<void> {
  const flags = wishFromFlags(options);
  const entry = entryFile(file, "run");
  outliveOutput();
  if (options.watch) return (await import("./watch.ts")).watch(entry, flags, args);
  reportUncaught();
  const { bundle, loadBundle, stopEsbuild } = await import("../bundle/mod.ts");
  const bundled = await bundle(entry);
  await stopEsbuild();
  for (const warning of bundled.warnings) tell(`warning: ${warning}\n`);
  process.argv = [process.argv[0], entry, ...args];
  const app = await loadAndStart(() => loadBundle(bundled), { file: shownName(entry), program: "slipway", flags });
  if (app !== undefined) endOnSignals(app, "slipway");
}

/** A file as messages name it: from the current folder when it is below it. */
export function shownName(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}
