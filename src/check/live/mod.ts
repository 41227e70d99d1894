/**
 * `slipway check http://localhost:8000`: attacks a running server on this machine, whoever made it, and prints a
 * scorecard. It is bounded in count and time, ends what it opened, and refuses whatever is not on this machine.
 */
import { mayColor } from "../../terminal/colors.ts";
import { peerTable } from "./peers.ts";
import { checkPid, parsePid } from "./process.ts";
import { type Result, type RunOptions, runAttacks } from "./run.ts";
import { failed, render, toJson } from "./scorecard.ts";
import { findTarget, type Lookup, TargetError } from "./target.ts";
import { Wires } from "./wire.ts";

export interface CheckServerOptions {
  /** What takes less than 30 s; all of it takes less than three minutes. */
  quick?: boolean;
  /** The report as JSON. */
  json?: boolean;
  /** Every attack, not only those that failed or are to be looked at. */
  verbose?: boolean;
  /** The server's process: it is sent SIGTERM at the end, and lost requests are counted. It ends the server. */
  pid?: number | string;
  /** What is asked for, instead of the URL's path: for Unix sockets. */
  path?: string;
  /** A path that answers with 16 MiB or more, for the stalled reader. */
  largePath?: string;
  /** A path that reads the bodies of requests. @default {the ordinary one} */
  uploadPath?: string;
  /** @internal Where text goes; the process's own streams by default. */
  out?: (text: string) => void;
  /** @internal */
  err?: (text: string) => void;
  /** @internal */
  lookup?: Lookup;
  /** @internal */
  only?: RunOptions["only"];
}

/** Whatever hangs, the check does not: just under the 30 s and the three minutes that are promised. */
const QUICK_MS = 28_500;
const FULL_MS = 176_000;

/** Checks the server at `target`; the exit code: 0 all passed, 1 an attack failed, 2 it could not be attacked. */
export async function checkServer(target: string, options: CheckServerOptions = {}): Promise<number> {
  const out = options.out ?? ((text: string) => void process.stdout.write(text));
  const err = options.err ?? ((text: string) => void process.stderr.write(text));
  try {
    return await check(target, options, out, err);
  } catch (error) {
    err(`slipway: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}

async function check(
  text: string,
  options: CheckServerOptions,
  out: (text: string) => void,
  err: (text: string) => void,
): Promise<number> {
  const pid = options.pid === undefined ? undefined : parsePid(options.pid);
  const target = await findTarget(text, options.lookup);
  if (pid !== undefined) checkPid(pid, target);
  const path = checkPath(options.path ?? target.path);
  const quick = options.quick === true;
  const wires = new Wires(target);
  const stop = new AbortController();
  let interrupted = false;
  const end = (): void => {
    stop.abort();
    wires.closeAll();
  };
  const interrupt = (): void => {
    interrupted = true;
    end();
  };
  process.once("SIGINT", interrupt);
  const limit = setTimeout(end, quick ? QUICK_MS : FULL_MS);
  const began = performance.now();
  const progress = showProgress(err, target.shown, quick, options.json === true);
  let results: Result[] = [];
  try {
    results = await runAttacks({
      wires,
      path,
      uploadPath: checkPath(options.uploadPath ?? path),
      largePath: options.largePath === undefined ? undefined : checkPath(options.largePath),
      pid,
      quick,
      signal: stop.signal,
      progress: progress.tell,
      only: options.only,
    });
  } catch (error) {
    // What fails because every connection was closed is no fault of the server.
    if (!interrupted) throw error;
  } finally {
    progress.end();
    clearTimeout(limit);
    process.removeListener("SIGINT", interrupt);
    wires.closeAll();
  }
  if (interrupted) {
    err("slipway: interrupted; every connection is closed\n");
    return 130;
  }
  const shown = {
    target: target.shown,
    seconds: (performance.now() - began) / 1000,
    quick,
    results,
    peers: peerTable(),
    verbose: options.verbose === true,
    color: options.out === undefined && mayColor(process.stdout.isTTY === true),
  };
  out(options.json ? toJson(shown) : render(shown));
  return failed(results) ? 1 : 0;
}

/** A path goes into requests as it is: nothing in it may end the line. */
function checkPath(path: string): string {
  if (/^\/[\x21-\x7e]*$/.test(path) && !path.includes("#")) return path;
  throw new TargetError(`${JSON.stringify(path)} is no path: it begins with / and has no spaces`);
}

/** One line while it runs, where somebody watches; else one at the beginning, and none for JSON. */
function showProgress(err: (text: string) => void, target: string, quick: boolean, json: boolean) {
  const watched = process.stderr.isTTY === true && !json;
  const about = `Attacking ${target}: ${quick ? "less than 30 s" : "about 2 min 20 s (--quick takes less than 30 s)"}`;
  if (!json) err(watched ? about : `${about}\n`);
  return {
    tell(done: number, all: number): void {
      if (watched) err(`\r\x1b[K${about}, ${done} of ${all} done`);
    },
    end(): void {
      if (watched) err("\r\x1b[K");
    },
  };
}
