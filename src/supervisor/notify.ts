/**
 * sd_notify(3): what a service says to systemd, as datagrams to the Unix socket that NOTIFY_SOCKET names. systemd waits
 * for READY=1 before it starts what depends on us (Type=notify), and with WatchdogSec= it restarts a service whose pings
 * (WATCHDOG=1) stop. The pings come from the event loop, so they stop when the loop does.
 */
import { encodeUnix } from "../net/address.ts";
import { errnoName } from "../runtime/errno.ts";
import { logLine } from "../runtime/log.ts";
import { runtime } from "../runtime/turn.ts";

type Environment = Record<string, string | undefined>;

/** A manager that is busy empties its socket soon; one that does not read for this long reads no more. */
const RETRY_MS = 50;
const RETRIES = 100;

/** Where to notify, and how often to ping. */
export interface NotifySettings {
  readonly path: string;
  /** Milliseconds between two pings; 0 for none. */
  readonly pingMs: number;
}

/**
 * What the environment says; undefined when nobody wants to be notified. The variables are removed, since a child's
 * words would be taken for ours.
 */
export function notifySettings(env: Environment = process.env): NotifySettings | undefined {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env;
  if (path === undefined || path === "") return undefined;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  const watched = (pid === undefined || pid === String(process.pid)) && /^[1-9]\d{0,15}$/.test(usec ?? "");
  // Half of the time, as sd_watchdog_enabled(3) advises; setTimeout takes 31 bits.
  return { path, pingMs: watched ? Math.min(0x7fffffff, Math.max(1, Math.floor(Number(usec) / 2000))) : 0 };
}

export class Notifier {
  readonly #pingMs: number;
  readonly #address: Uint8Array | undefined;
  #fd = -1;
  #waiting: string[] = [];
  #retries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #pings: ReturnType<typeof setInterval> | undefined;

  constructor(settings: NotifySettings) {
    this.#pingMs = settings.pingMs;
    this.#address = addressOf(settings.path);
  }

  /** Says these assignments, `READY=1` say. Never waits and never throws; what finds no room now is sent soon. */
  say(...assignments: readonly string[]): void {
    if (this.#address === undefined) return;
    // A line ends an assignment: no text may hold one.
    this.#waiting.push(assignments.map((text) => text.replace(/[\0\n\r]+/g, " ")).join("\n"));
    this.#flush();
  }

  /** Begins to ping, if the manager wants it. */
  startPings(): void {
    if (this.#pingMs === 0 || this.#pings !== undefined || this.#address === undefined) return;
    this.#ping();
    this.#pings = setInterval(() => this.#ping(), this.#pingMs);
    this.#pings.unref();
  }

  /** Another process pings from here on: systemd would complain about ours. */
  stopPings(): void {
    clearInterval(this.#pings);
  }

  /** Frees the socket; what waits is dropped. */
  close(): void {
    this.stopPings();
    clearTimeout(this.#retry);
    this.#waiting = [];
    if (this.#fd >= 0) runtime().poller.system.close(this.#fd);
    this.#fd = -1;
  }

  #ping(): void {
    // Behind messages that find no room a ping would only take more: the next is soon.
    if (this.#waiting.length === 0 && this.#send("WATCHDOG=1") > 0) return;
    this.#flush();
  }

  #flush(): void {
    if (this.#retry !== undefined) return;
    while (this.#waiting.length > 0) {
      const result = this.#send(this.#waiting[0]);
      if (result < 0 && this.#isBusy(-result) && this.#retries++ < RETRIES) {
        this.#retry = setTimeout(() => {
          this.#retry = undefined;
          this.#flush();
        }, RETRY_MS);
        this.#retry.unref();
        return;
      }
      this.#retries = 0;
      this.#waiting.shift();
      if (result < 0) complain(errnoName(runtime().poller.constants, -result) ?? `errno ${-result}`);
    }
  }

  #send(text: string): number {
    const { system, constants } = runtime().poller;
    if (this.#address === undefined) return 0;
    if (this.#fd < 0) this.#fd = system.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
    return this.#fd < 0 ? this.#fd : system.sendTo(this.#fd, new TextEncoder().encode(text), this.#address);
  }

  #isBusy(errno: number): boolean {
    const { EAGAIN, ENOBUFS, EINTR } = runtime().poller.constants.errno;
    return errno === EAGAIN || errno === ENOBUFS || errno === EINTR;
  }
}

/** A path, or "@name" for an abstract socket; undefined, with a line in the log, for what we can't reach. */
function addressOf(path: string): Uint8Array | undefined {
  if (!/^[/@]./.test(path)) {
    logLine(`NOTIFY_SOCKET=${path} is neither a path nor an abstract name ("@…"): the service manager is not notified`);
    return undefined;
  }
  try {
    return encodeUnix(runtime().poller.constants, path);
  } catch (error) {
    logLine(`NOTIFY_SOCKET: ${(error as Error).message}: the service manager is not notified`);
    return undefined;
  }
}

let complained = false;

function complain(code: string): void {
  if (complained) return;
  complained = true;
  logLine(`the service manager could not be notified (${code}): NOTIFY_SOCKET names a socket that nobody reads`);
}
