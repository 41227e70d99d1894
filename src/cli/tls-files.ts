/**
 * Files that whoever renews a certificate, or other secrets of TLS, writes anew: new connections get what is in them, while
 * the old ones keep theirs. They are looked at now and then, and at once when the process is told by SIGHUP.
 */
import { statSync } from "node:fs";
import { announce, logLine } from "../runtime/log.ts";
import { onHangup } from "./hangup.ts";

/** How often the files are looked at. */
const LOOK_MS = 10_000;
/** How the main thread passes SIGHUP on: the other threads get no signals. */
const CHANNEL = "slipway certificates";

export interface Watching {
  readonly files: readonly string[];
  /** What they are, at the beginning of a sentence: "The certificate was". */
  readonly what: string;
  /** Reads them and puts them to use. Throws the sentence for what can't be, and then everything is as before. */
  apply(): void;
}

/** What all threads do alike is for one to say: the main one, where it knows of it. */
export function speaksForAll(about: string): boolean {
  const threads = process.getBuiltinModule("node:worker_threads");
  if (threads.isMainThread) threads.setEnvironmentData(about, true);
  else if (threads.getEnvironmentData(about) !== undefined) return false;
  return threads.isMainThread || threads.workerData?.speaks === true;
}

export class TlsFiles {
  readonly #watching: Watching;
  #speaks = true;
  /** The files as they were read, and as they were seen last. */
  #known: string;
  #seen: string;

  constructor(watching: Watching) {
    this.#watching = watching;
    this.#known = this.#seen = this.#stamp();
  }

  /** Looks at them from here on; holds no process. */
  watch(): void {
    this.#speaks = speaksForAll(`slipway watches: ${this.#watching.what}`);
    if (watched.size === 0) hear();
    watched.add(this);
  }

  /**
   * Reads them again if they have changed, and stay as they are for two looks: certificate and key are two files, of which
   * one is written first.
   */
  look(): void {
    const stamp = this.#stamp();
    if (stamp === this.#seen && stamp !== this.#known) this.reload();
    this.#seen = stamp;
  }

  /** Reads them again. What can't be used changes nothing, and is said. */
  reload(): void {
    this.#known = this.#seen = this.#stamp();
    const { files, what, apply } = this.#watching;
    try {
      apply();
      if (this.#speaks) announce(`${what} read again: ${files[0]}`);
    } catch (error) {
      if (!this.#speaks) return;
      const [subject, verb] = what.split(/ (?=\w+$)/);
      logLine(`${subject.toLowerCase()} ${verb} not changed, what was before stays: ${(error as Error).message}`);
    }
  }

  #stamp(): string {
    return this.#watching.files
      .map((file) => {
        const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
        return stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
      })
      .join();
  }
}

/** Those of this thread: there are as many as options name files, for as long as the process lives. */
const watched = new Set<TlsFiles>();

function hear(): void {
  const reload = (): void => {
    for (const files of watched) files.reload();
  };
  setInterval(() => {
    for (const files of watched) files.look();
  }, LOOK_MS).unref();
  const channel = new BroadcastChannel(CHANNEL);
  (channel as BroadcastChannel & { unref(): void }).unref();
  channel.onmessage = reload;
  if (!process.getBuiltinModule("node:worker_threads").isMainThread) return;
  // There SIGHUP is the console's end, which ends the server: `ending.ts`. Files are read again when they have changed.
  if (process.platform === "win32") return;
  onHangup(
    () => {
      channel.postMessage("");
      reload();
    },
    () => process.kill(process.pid, "SIGTERM"),
  );
}
