/**
 * A certificate that lives in files: whoever renews it writes them anew, and new connections get it, while the old ones
 * keep theirs. They are looked at now and then, and at once when the process is told by SIGHUP.
 */
import { statSync } from "node:fs";
import { announce, logLine } from "../runtime/log.ts";
import { TlsConfigError, type TlsContext, type TlsOptions } from "../tls/context.ts";

/** How often the files are looked at. */
const LOOK_MS = 10_000;
/** How the main thread passes SIGHUP on: the other threads get no signals. */
const CHANNEL = "slipway certificates";

export class TlsFiles {
  readonly context: TlsContext;
  readonly #files: readonly string[];
  readonly #read: () => TlsOptions;
  readonly #explain: (error: TlsConfigError) => string;
  /** The files as they were read, and as they were seen last. */
  #known: string;
  #seen: string;
  #timer: ReturnType<typeof setInterval> | undefined;
  #channel: BroadcastChannel | undefined;

  /** `read` throws a sentence for what can't be read; `explain` says of which files what can't be used was read. */
  constructor(
    files: readonly string[],
    context: TlsContext,
    read: () => TlsOptions,
    explain = ({ message }: TlsConfigError): string => `${message} (${files.join(", ")})`,
  ) {
    this.#explain = explain;
    this.#files = files;
    this.context = context;
    this.#read = read;
    this.#known = this.#seen = this.#stamp();
  }

  /** Looks at them from here on; holds no process. */
  watch(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
    const channel = new BroadcastChannel(CHANNEL);
    this.#channel = channel;
    (channel as BroadcastChannel & { unref(): void }).unref();
    channel.onmessage = () => this.reload();
    if (!process.getBuiltinModule("node:worker_threads").isMainThread) return;
    process.on("SIGHUP", () => {
      channel.postMessage("");
      this.reload();
    });
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
    try {
      this.context.renew(this.#read());
      announce(`The certificate was read again: ${this.#files[0]}`);
    } catch (error) {
      const why = error instanceof TlsConfigError ? this.#explain(error) : (error as Error).message;
      logLine(`the certificate was not changed, the one before stays: ${why}`);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#channel?.close();
  }

  #stamp(): string {
    return this.#files
      .map((file) => {
        const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
        return stat === undefined ? "none" : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
      })
      .join();
  }
}
