/** `slipway check`: of files it is the audit of their code, of an address that of the server there. */
import { existsSync, statSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import { BundleError } from "../bundle/errors.ts";
import { withProgress } from "../terminal/progress.ts";
import { entryFile } from "./entry.ts";
import { Failure, UsageError } from "./errors.ts";

export interface CheckOptions {
  readonly json?: boolean;
  readonly sarif?: boolean;
  /** Of a running server: only the attacks that take seconds. */
  readonly quick?: boolean;
  /** Of a running server: every attack, also those that passed. */
  readonly verbose?: boolean;
  /** Of a running server: its process, to be drained at the end. */
  readonly pid?: string;
  /** Of a running server: what is asked for, and the paths that give a large body and read one. */
  readonly path?: string;
  readonly largePath?: string;
  readonly uploadPath?: string;
}

/** The flags that mean nothing for files. */
const OF_SERVERS = {
  quick: "--quick",
  verbose: "--verbose",
  pid: "--pid",
  path: "--path",
  largePath: "--large-path",
  uploadPath: "--upload-path",
} as const;

/** Ends the process with 0 when there is nothing to mend, 1 when there is, 2 when the command line was wrong. */
export async function check(targets: readonly string[], options: CheckOptions): Promise<void> {
  if (targets.some(isAddress)) {
    if (targets.length > 1) throw new UsageError("check one server at a time, and files apart from servers");
    if (options.sarif) throw new UsageError("--sarif is for files: a server's scorecard has --json");
    const { checkServer } = await import("../check/live/mod.ts");
    process.exitCode = await checkServer(targets[0], options);
    return;
  }
  for (const [name, flag] of Object.entries(OF_SERVERS)) {
    if (options[name as keyof typeof OF_SERVERS] === undefined) continue;
    throw new UsageError(`${flag} is for a running server, as in slipway check http://localhost:8000 ${flag}`);
  }
  if (options.json && options.sarif) throw new UsageError("--json and --sarif exclude each other: choose one form");
  const { brokenResult, checkFiles, exitCodeOf, isOverflow, reportOf } = await import("../check/code/mod.ts");
  const files = await filesOf(targets.length === 0 ? ["."] : targets);
  const result = await withProgress((progress) => checkFiles(files, progress)).catch((error: unknown) => {
    // Who reads a document waits for one, whatever the sources are; for people main.ts shows the code.
    if (error instanceof BundleError && (options.json || options.sarif)) return brokenResult(error);
    if (!isOverflow(error)) throw error;
    throw new Failure("these sources are nested too deeply to be checked: leave what was generated out");
  });
  process.stdout.write(reportOf(result, options.sarif ? "sarif" : options.json ? "json" : "text", manifest.version));
  process.exitCode = exitCodeOf(result);
}

function isAddress(target: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|unix:|\[?[\w.:-]+\]?:\d+$)/i.test(target) && !existsSync(target);
}

/** Files as they are; of folders the sources in them. A name that leads nowhere is a mistake in the command line. */
async function filesOf(targets: readonly string[]): Promise<string[]> {
  const { sourcesIn } = await import("../check/code/mod.ts");
  const { isSource } = await import("../check/code/resolve.ts");
  const files: string[] = [];
  for (const target of targets) {
    if (statSync(target, { throwIfNoEntry: false })?.isDirectory()) {
      const found = sourcesIn(target);
      if (found.length === 0)
        throw new UsageError(
          `there is no TypeScript or JavaScript in ${target === "." ? "this folder" : target}: name a file`,
        );
      files.push(...found);
      continue;
    }
    try {
      const file = entryFile(target);
      if (!isSource(file))
        throw new UsageError(`${target} is neither TypeScript nor JavaScript: name the program's file`);
      files.push(file);
    } catch (error) {
      throw error instanceof Failure ? new UsageError(error.message) : error;
    }
  }
  return files;
}
