/**
 * `slipway run [file]`: bundles the program in memory and serves it from there; nothing is written to the disk.
 */
import { type InspectFlags, inspectAsked } from "./dev/inspect-flags.ts";
import { isDevelopment } from "./dev/mode.ts";
import { endOnSignals } from "./ending.ts";
import { programToRun } from "./entry.ts";
import { UsageError } from "./errors.ts";
import { shownName } from "./names.ts";
import { outliveOutput, tell } from "./output.ts";
import { environmentLevel, flagsLevel } from "./settings.ts";
import { startProgram } from "./start-program.ts";
import { reportUncaught } from "./uncaught.ts";

/** Beside these: the flags of the option table. */
export interface RunOptions extends Readonly<Record<string, unknown>>, InspectFlags {
  readonly watch?: boolean;
  readonly open?: boolean;
  /** Undefined where nobody said. */
  readonly dev?: boolean;
  readonly printConfig?: boolean;
  readonly printConfigJson?: boolean;
}

/** Serves a handler file until a signal ends it. */
export async function run(file: string | undefined, options: RunOptions, args: readonly string[]): Promise<void> {
  const flags = flagsLevel(options);
  // What is wrong there is wrong whatever the file says.
  environmentLevel();
  const mode = { dev: isDevelopment(options.dev), inspect: inspectAsked(options) };
  const print = options.printConfigJson ? "json" : options.printConfig ? "text" : undefined;
  if (options.watch && file === "-") throw new UsageError("--watch needs a file: standard input cannot be saved again");
  const { path: entry, contents } = programToRun(file);
  outliveOutput();
  const open = options.open === true;
  if (options.watch && print === undefined) {
    return (await import("./watch.ts")).watch({ entry, flags, args, mode, open });
  }
  reportUncaught();
  const { bundle, stopEsbuild } = await import("../bundle/mod.ts");
  const bundled = await bundle(entry, { contents });
  await stopEsbuild();
  for (const warning of bundled.warnings) tell(`warning: ${warning}\n`);
  process.argv = [process.argv[0], entry, ...args];
  const app = await startProgram(bundled, { file: shownName(entry), program: "slipway", flags, print }, mode, {
    async onReady(shown) {
      if (open) (await import("./dev/open.ts")).openInBrowser(shown);
    },
  });
  if (app !== undefined) endOnSignals(app, "slipway");
}
