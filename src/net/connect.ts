/**
 * `connect`: from options to a connection. A name with several addresses is tried by Happy Eyeballs (RFC 8305): the
 * families take turns, the next attempt begins when one fails or after 250 ms, the first that answers wins, and the
 * others are closed.
 */
import type { Constants } from "../../ffi/constants.ts";
import type { Handle, Sink } from "../../ffi/poller.ts";
import { errnoError, errnoName } from "../runtime/errno.ts";
import { TimedOut } from "../runtime/errors.ts";
import { type Runtime, runtime } from "../runtime/turn.ts";
import {
  checkPort,
  checkText,
  encodeIp,
  encodeUnix,
  packAddress,
  showAddress,
  showHost,
  transportError,
  unpackAddress,
} from "./address.ts";
import { adoptConn, type TcpConn, type UnixConn } from "./conn_kinds.ts";
import type { Ip } from "./ip.ts";
import { resolve } from "./names.ts";
import { setInt } from "./socket_options.ts";

export interface TcpConnectOptions {
  /** @default {"tcp"} */
  transport?: "tcp";
  port: number;
  /** An address or a name. @default {"127.0.0.1"} */
  hostname?: string;
  /** Gives up when aborted: the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Gives up with `TimedOut` at this moment: a Date, or milliseconds as `Date.now()` counts them. */
  deadline?: Date | number;
  /** Whether attempts overlap (RFC 8305); without, the next address is tried when one has failed. @default {true} */
  autoSelectFamily?: boolean;
  /** How long an attempt has before the next one begins beside it, in milliseconds. @default {250} */
  autoSelectFamilyAttemptDelay?: number;
}

export interface UnixConnectOptions {
  transport: "unix";
  /** A path, or "@name" for an abstract socket (Linux). */
  path: string;
  signal?: AbortSignal;
  deadline?: Date | number;
}

export type ConnectOptions = TcpConnectOptions | UnixConnectOptions;

/** RFC 8305 section 5: the recommended Connection Attempt Delay. */
const ATTEMPT_DELAY_MS = 250;

/**
 * Connects to a server.
 *
 * ```ts
 * import { connect, listen } from "slipway";
 * using listener = listen({ port: 0, hostname: "127.0.0.1" });
 * using conn = await connect({ port: listener.addr.port });
 * await conn.write(new TextEncoder().encode("hello\n"));
 * ```
 */
export function connect(options: TcpConnectOptions): Promise<TcpConn>;
export function connect(options: UnixConnectOptions): Promise<UnixConn>;
export function connect(options: ConnectOptions): Promise<TcpConn | UnixConn>;
export async function connect(options: ConnectOptions): Promise<TcpConn | UnixConn> {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("connect takes an object of options, for example connect({ port: 8000 })");
  }
  const rt = runtime();
  return dial(rt, options, (handle, tcp) => adoptConn(rt, handle, tcp));
}

/**
 * The same for who makes something else of an open, connected handle than a Conn. `adopt` is called in the moment that
 * the connection stands, and gives the handle a sink of its own. `look` turns a name into addresses.
 */
export async function dial<T>(
  rt: Runtime,
  options: ConnectOptions,
  adopt: Adopt<T>,
  look: (name: string) => Promise<readonly Ip[]> = resolve,
): Promise<T> {
  const { transport = "tcp" } = options;
  const { constants } = rt.poller;
  if (transport === "unix") {
    const path = checkText("path", (options as UnixConnectOptions).path);
    const address = encodeUnix(constants, path);
    const shown = showAddress(unpackAddress(constants, packAddress(address, address.length)));
    return race(rt, options, shown, adopt, async (begin) => begin([{ address, shown }], Number.POSITIVE_INFINITY));
  }
  if (transport !== "tcp") throw transportError(transport);
  const { port: asked, hostname = "127.0.0.1", ...tcp } = options as TcpConnectOptions;
  const port = checkPort(asked);
  const name = checkText("hostname", hostname);
  const delay = tcp.autoSelectFamily === false ? Number.POSITIVE_INFINITY : tcp.autoSelectFamilyAttemptDelay;
  return race(rt, options, showHost(name, port), adopt, async (begin) => {
    const ips = interleave(await look(name));
    const targets = ips.map((ip) => targetOf(constants, ip, port));
    begin(targets, delay ?? ATTEMPT_DELAY_MS);
  });
}

interface Target {
  readonly address: Uint8Array;
  /** As messages show it. */
  readonly shown: string;
}

function targetOf(constants: Constants, ip: Ip, port: number): Target {
  const address = encodeIp(constants, ip, port);
  return { address, shown: showAddress(unpackAddress(constants, packAddress(address, address.length))) };
}

/** RFC 8305 section 4: the families take turns, beginning with the one that the system prefers. */
function interleave(ips: readonly Ip[]): Ip[] {
  const first = ips.filter((ip) => ip.bytes.length === ips[0]?.bytes.length);
  const second = ips.filter((ip) => ip.bytes.length !== ips[0]?.bytes.length);
  const mixed: Ip[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    if (i < first.length) mixed.push(first[i]);
    if (i < second.length) mixed.push(second[i]);
  }
  return mixed;
}

type Adopt<T> = (handle: Handle, tcp: boolean) => T;

type Begin = (targets: readonly Target[], delayMs: number) => void;

/** Runs attempts against each other, the user's signal and the deadline; settles once, and leaves nothing behind. */
function race<T>(
  rt: Runtime,
  { signal, deadline }: { signal?: AbortSignal; deadline?: Date | number },
  shown: string,
  adopt: Adopt<T>,
  prepare: (begin: Begin) => Promise<void>,
): Promise<T> {
  return new Promise((resolveRace, rejectRace) => {
    const running = new Set<Attempt>();
    const failures: Failure[] = [];
    let waiting: Target[] = [];
    let delay = 0;
    let over = false;
    let nextTimer: ReturnType<typeof setTimeout> | undefined;
    let deadlineTimer: ReturnType<typeof setTimeout> | undefined;

    const finish = (): void => {
      over = true;
      clearTimeout(nextTimer);
      clearTimeout(deadlineTimer);
      signal?.removeEventListener("abort", onAbort);
      for (const attempt of running) attempt.cancel();
      running.clear();
    };
    const fail = (error: unknown): void => {
      if (over) return;
      finish();
      rejectRace(error);
    };
    const onAbort = (): void => fail(signal?.reason);

    const next = (): void => {
      clearTimeout(nextTimer);
      const target = waiting.shift();
      if (target === undefined) {
        if (running.size === 0) fail(combine(rt.poller.constants, shown, failures));
        return;
      }
      const attempt = new Attempt(rt, target, {
        connected(handle, tcp) {
          running.delete(attempt);
          finish();
          resolveRace(adopt(handle, tcp));
        },
        failed(errno) {
          running.delete(attempt);
          failures.push({ target, errno });
          // RFC 8305 section 5: a failure begins the next attempt at once.
          if (!over) next();
        },
      });
      running.add(attempt);
      attempt.start();
      if (!over && waiting.length > 0 && delay !== Number.POSITIVE_INFINITY) nextTimer = setTimeout(next, delay);
    };

    if (signal?.aborted) return rejectRace(signal.reason);
    signal?.addEventListener("abort", onAbort);
    if (deadline !== undefined) {
      const at = deadline instanceof Date ? deadline.getTime() : deadline;
      const late = (): void => fail(new TimedOut(`connect to ${shown} timed out: its deadline passed`));
      // setTimeout takes at most 2^31 - 1 ms, 24 days: who waits longer waits forever.
      if (at - Date.now() <= 0) return late();
      if (at - Date.now() < 2 ** 31) deadlineTimer = setTimeout(late, at - Date.now());
    }
    prepare((targets, delayMs) => {
      if (over) return;
      waiting = targets.slice();
      delay = delayMs;
      next();
    }).catch(fail);
  });
}

interface Failure {
  readonly target: Target;
  readonly errno: number;
}

/** One error for all: the class of the attempt that says most, every attempt in the message, and all as its cause. */
function combine(constants: Constants, shown: string, failures: readonly Failure[]): Error {
  // That a family has no route here says least: the other family's failure is the one to act on.
  const weak = ["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EHOSTUNREACH"];
  const telling = failures.find(({ errno }) => !weak.includes(errnoName(constants, errno) ?? "")) ?? failures[0];
  if (telling === undefined) return new TypeError(`connect to ${shown}: no address to connect to`);
  const cure = cures[errnoName(constants, telling.errno) ?? ""];
  if (failures.length === 1) {
    const { target } = telling;
    return errnoError(constants, telling.errno, `connect to ${shown}${suffix(target, shown)}`, cure);
  }
  const all = failures.map(({ target, errno }) => errnoError(constants, errno, target.shown));
  const list = all.map(({ message }) => message).join(", ");
  const error = errnoError(constants, telling.errno, `connect to ${shown} (tried ${list})`, cure);
  error.cause = new AggregateError(all, `all ${all.length} addresses of ${shown} failed`);
  return error;
}

const cures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  EMFILE: 'this process has as many descriptors as it may: close some, or raise the limit with "ulimit -n"',
  EADDRNOTAVAIL: "too many connections to it from here wait in TIME_WAIT, or this machine has no such address family",
};

function suffix(target: Target, shown: string): string {
  return target.shown === shown ? "" : ` (${target.shown})`;
}

interface AttemptEvents {
  connected(handle: Handle, tcp: boolean): void;
  failed(errno: number): void;
}

/** How long to wait before a Unix server with a full queue is tried again: twice as long each time, up to the second. */
const FULL_MS = [1, 100] as const;

/** One socket on its way. After `connected`, `failed` or `cancel` nothing of it is left. */
class Attempt {
  readonly #rt: Runtime;
  readonly #target: Target;
  readonly #events: AttemptEvents;
  #handle: Handle = -1;
  #pause: number = FULL_MS[0];
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(rt: Runtime, target: Target, events: AttemptEvents) {
    this.#rt = rt;
    this.#target = target;
    this.#events = events;
  }

  get #family(): number {
    const { address } = this.#target;
    return this.#rt.poller.constants.sockaddrHasLength ? address[1] : address[0] | (address[1] << 8);
  }

  start(): void {
    const { system, constants } = this.#rt.poller;
    const tcp = this.#family !== constants.AF_UNIX;
    const fd = system.socket(this.#family, constants.SOCK_STREAM, 0);
    if (fd < 0) return this.#events.failed(-fd);
    // Without it a second small write waits for the ACK of the first. A refusal shows in the connect that follows.
    if (tcp) setInt(system, fd, constants.IPPROTO_TCP, constants.TCP_NODELAY, 1);
    const handle = this.#rt.open(fd, this.#sink());
    if (handle < 0) return this.#events.failed(-handle);
    this.#handle = handle;
    this.#connect();
  }

  cancel(): void {
    clearTimeout(this.#retry);
    if (this.#handle >= 0) this.#rt.close(this.#handle);
    this.#handle = -1;
  }

  #connect(): void {
    const result = this.#rt.poller.connect(this.#handle, this.#target.address);
    if (result >= 0) return;
    // A Unix server whose queue is full answers EAGAIN, and no event tells of room (man 2 connect): ask again.
    if (result === -this.#rt.poller.constants.errno.EAGAIN) {
      this.#retry = setTimeout(() => this.#connect(), this.#pause);
      this.#pause = Math.min(FULL_MS[1], this.#pause * 2);
      return;
    }
    this.#fail(-result);
  }

  #fail(errno: number): void {
    this.cancel();
    this.#events.failed(errno);
  }

  #connected(): void {
    const { poller } = this.#rt;
    const handle = this.#handle;
    if (this.#connectedToItself(handle)) return this.#fail(poller.constants.errno.ECONNREFUSED);
    this.#handle = -1;
    this.#events.connected(handle, this.#family !== poller.constants.AF_UNIX);
  }

  /**
   * A port of the range for outgoing connections that nobody listens on may be given to this very socket, which then
   * connects to itself (TCP's simultaneous open). Nobody means that.
   */
  #connectedToItself(handle: Handle): boolean {
    const { system, constants } = this.#rt.poller;
    if (this.#family === constants.AF_UNIX) return false;
    const own = new Uint8Array(28);
    const peer = new Uint8Array(28);
    const fd = this.#rt.poller.fd(handle);
    system.getsockname(fd, own);
    system.getpeername(fd, peer);
    return own.every((byte, i) => byte === peer[i]);
  }

  #sink(): Sink {
    const nothing = (): void => {};
    return {
      connected: () => this.#connected(),
      failed: (_handle, errno) => this.#fail(errno),
      accepted: nothing,
      received: nothing,
      datagram: nothing,
      sent: nothing,
      ended: nothing,
      hungUp: nothing,
      expired: nothing,
    };
  }
}
