/**
 * `slipway run <file>`: bundles the program in memory and serves it from there; nothing is written to the disk.
 */
import { relative } from "node:path";
import { endOnSignals } from "./ending.ts";
import { entryFile } from "./entry.ts";
import { outliveOutput, tell } from "./output.ts";
import { environmentLevel, flagsLevel } from "./settings.ts";
import { loadAndStart } from "./start.ts";
import { reportUncaught } from "./uncaught.ts";

/** Beside these: the flags of the option table. */
export interface RunOptions extends Readonly<Record<string, unknown>> {
  readonly watch?: boolean;
  readonly printConfig?: boolean;
  readonly printConfigJson?: boolean;
}

/** Serves a handler file until a signal ends it. */
export async function run(file: string, options: RunOptions, args: readonly string[]): Promise<void> {
  const flags = flagsLevel(options);
  // What is wrong there is wrong whatever the file says.
  environmentLevel();
  const print = options.printConfigJson ? "json" : options.printConfig ? "text" : undefined;
  const entry = entryFile(file, "run");
  outliveOutput();
  if (options.watch && print === undefined) return (await import("./watch.ts")).watch(entry, flags, args);
  reportUncaught();
  const { bundle, loadBundle, stopEsbuild } = await import("../bundle/mod.ts");
  const bundled = await bundle(entry);
  await stopEsbuild();
  for (const warning of bundled.warnings) tell(`warning: ${warning}\n`);
  process.argv = [process.argv[0], entry, ...args];
  const app = await loadAndStart(() => loadBundle(bundled), {
    file: shownName(entry),
    program: "slipway",
    flags,
    print,
    bundle: bundled,
  });
  if (app !== undefined) endOnSignals(app, "slipway");
}

/** A file as messages name it: from the current folder when it is below it. */
export function shownName(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}
