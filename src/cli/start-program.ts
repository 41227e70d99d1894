/** A bundled program's start by `run`, alone or as a child of `--watch`: start.ts, and what development adds to it. */
import { type Bundle, loadBundle } from "../bundle/mod.ts";
import { resolve } from "../options/resolve.ts";
import { announce } from "../runtime/log.ts";
import { paintFor } from "../terminal/colors.ts";
import { chooseAddresses } from "./address.ts";
import type { RunMode } from "./dev/mode.ts";
import type { RunningApp } from "./ending.ts";
import { ProgramFailure } from "./errors.ts";
import { isListening } from "./listening.ts";
import { tell } from "./output.ts";
import { environmentLevel } from "./settings.ts";
import { loadAndStart, type StartSettings } from "./start.ts";

export interface StartHooks {
  /** Connections are accepted: at these addresses, and what is to be said of that; of a plain program nobody knows. */
  onReady?(shown: readonly string[], app: RunningApp): void;
  /** Takes the banner's lines, or `Listening on …`; they are written when absent. */
  say?(lines: readonly string[]): void;
}

export async function startProgram(
  bundle: Bundle,
  settings: Omit<StartSettings, "onReady" | "bundle">,
  { dev, inspect }: RunMode,
  { onReady, say }: StartHooks,
): Promise<RunningApp | undefined> {
  let { flags } = settings;
  let load = () => loadBundle(bundle);
  if (inspect !== undefined && settings.print === undefined) {
    const { INSPECTED_OFFSET, inspected, openInspector } = await import("./dev/inspect.ts");
    openInspector(inspect);
    load = () => loadBundle(inspected(bundle, inspect.stop), INSPECTED_OFFSET);
    // Debuggers find the one thread that they are attached to.
    flags = { ...flags, values: { ...flags.values, parallel: 1 }, from: { parallel: "--inspect", ...flags.from } };
  }
  const early = resolve([flags, environmentLevel()]);
  const banner = dev && early.settings.logFormat !== "json" ? (await import("./dev/banner.ts")).banner : undefined;
  if (dev && settings.print === undefined) (await import("./dev/development.ts")).develop(early);
  try {
    const app = await loadAndStart(load, {
      ...settings,
      flags,
      bundle,
      onReady(shown, app, resolved) {
        if (banner !== undefined) {
          const lines = banner(shown, chooseAddresses(resolved), resolved, paintFor(2));
          if (say === undefined) tell(`${lines.join("\n")}\n`);
          else say(lines);
        } else if (say === undefined) {
          for (const one of shown) announce(`Listening on ${one}`);
        } else {
          say(shown.map((one) => `Listening on ${one}`));
        }
        onReady?.(shown, app);
      },
    });
    // A program that listens on its own has said where; one that has done its work does not listen.
    if (app === undefined && banner !== undefined && settings.print === undefined && (await isListening())) {
      const lines = banner([], [], early, paintFor(2));
      if (say === undefined) tell(`${lines.join("\n")}\n`);
    }
    return app;
  } catch (error) {
    throw await withFrame(error);
  }
}

/** What a program throws as it is loaded, with the author's lines around it. */
async function withFrame(error: unknown): Promise<unknown> {
  if (!(error instanceof ProgramFailure) || !(error.cause instanceof Error)) return error;
  const { codeFrame } = await import("./dev/code-frame.ts");
  const { instead } = await import("./dev/missing-globals.ts");
  const frame = codeFrame(String(error.cause.stack));
  if (frame !== "" && error.message.includes("\n")) error.message += `\n${frame}`;
  const cure = instead(error.cause);
  if (cure !== "") error.message += `\n${cure}`;
  return error;
}
