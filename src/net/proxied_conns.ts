/** Raw connections behind a proxy: each becomes a `Conn` once its PROXY header is whole, with the client's address. */
import type { Handle } from "../../ffi/poller.ts";
import { parseDuration } from "../options/duration.ts";
import { defaultLimits } from "../options/limits.ts";
import { monotonicNow } from "../runtime/clock.ts";
import { errnoError } from "../runtime/errno.ts";
import { logError, logLine } from "../runtime/log.ts";
import type { Runtime } from "../runtime/turn.ts";
import { decodeAddress, packAddress, SOCKADDR_MAX, showAddress } from "./address.ts";
import type { Admission } from "./admission.ts";
import type { Conn } from "./conn.ts";
import { adoptConn, type Opener } from "./conn_kinds.ts";
import { encodeClient, ProxyGate, type ProxyGateOwner } from "./proxy-gate.ts";
import type { ProxySource } from "./proxy-protocol.ts";
import type { Ranges } from "./trust.ts";

/** One line about refused connections in this time, however many there are. */
const COMPLAIN_EVERY_MS = 10_000;

export interface ProxiedSettings {
  readonly trusted: Ranges;
  /** How long a header may take. */
  readonly timeout: number | string | undefined;
  readonly tcp: boolean;
  /** Undefined for plain connections. */
  readonly opener?: Opener | undefined;
}

export class ProxiedConns implements ProxyGateOwner {
  readonly #runtime: Runtime;
  readonly #gate: ProxyGate;
  readonly #timeout: number;
  readonly #tcp: boolean;
  readonly #opener: Opener | undefined;
  readonly #admission: Pick<Admission, "opened" | "closed">;
  readonly #begin: (conn: Conn) => void;
  readonly #waiting = new Set<Handle>();
  #complainedAt = Number.NEGATIVE_INFINITY;
  #refusals = 0;

  constructor(
    rt: Runtime,
    settings: ProxiedSettings,
    admission: Pick<Admission, "opened" | "closed">,
    begin: (conn: Conn) => void,
  ) {
    const { trusted, timeout = defaultLimits.readHeaderTimeout, tcp } = settings;
    this.#runtime = rt;
    this.#admission = admission;
    this.#timeout = parseDuration(timeout, "readHeaderTimeout of serveConn");
    this.#tcp = tcp;
    this.#opener = settings.opener;
    this.#begin = begin;
    this.#gate = new ProxyGate(rt.poller, trusted, this);
  }

  /** A connection was accepted. */
  open(fd: number): void {
    const rt = this.#runtime;
    const handle = rt.open(fd, this.#gate);
    if (handle < 0) {
      logError("a connection was refused", errnoError(rt.poller.constants, -handle, "watching a new connection"));
      return;
    }
    this.#waiting.add(handle);
    this.#admission.opened();
    if (!this.#gate.trusts(handle)) return this.refused(handle, "it is no proxy that trustProxy names");
    if (this.#timeout !== Number.POSITIVE_INFINITY) rt.setDeadline(handle, rt.now + this.#timeout);
    rt.poller.receive(handle);
  }

  /** Those that still wait are closed: they have not begun. */
  closeAll(): void {
    for (const handle of this.#waiting) this.#close(handle);
  }

  admitted(handle: Handle, client: ProxySource, bytes: Uint8Array, start: number, end: number): void {
    const { poller } = this.#runtime;
    this.#waiting.delete(handle);
    this.#runtime.setDeadline(handle, 0);
    // A connection receives while somebody reads.
    poller.pause(handle);
    const packed = client.kind === "proxied" ? encodeClient(poller, client.source) : undefined;
    const remote = packed && packAddress(packed, packed.length);
    const kept = start < end ? (bytes.slice(start, end) as Uint8Array<ArrayBuffer>) : undefined;
    // Counted anew before it is no longer counted here: at the limit nobody else comes in between.
    try {
      const rt = this.#runtime;
      this.#begin(this.#opener?.adopt(rt, handle, remote, kept) ?? adoptConn(rt, handle, this.#tcp, remote, kept));
    } finally {
      this.#admission.closed();
    }
  }

  refused(handle: Handle, reason: string): void {
    this.#refusals++;
    const now = monotonicNow();
    if (now - this.#complainedAt >= COMPLAIN_EVERY_MS) {
      this.#complainedAt = now;
      const others = this.#refusals > 1 ? ` (and ${this.#refusals - 1} others since the last such line)` : "";
      this.#refusals = 0;
      logLine(`proxyProtocol: ${this.#peer(handle)} was closed: ${reason}${others}`);
    }
    this.#close(handle);
  }

  ended(handle: Handle): void {
    this.#close(handle);
  }
  failed(handle: Handle): void {
    this.#close(handle);
  }
  expired(handle: Handle): void {
    this.refused(handle, "no whole PROXY header came within readHeaderTimeout");
  }

  #close(handle: Handle): void {
    if (!this.#waiting.delete(handle)) return;
    this.#gate.forget(handle);
    this.#runtime.close(handle);
    this.#admission.closed();
  }

  #peer(handle: Handle): string {
    const { poller } = this.#runtime;
    const length = poller.system.getpeername(poller.fd(handle), scratch);
    return length < 0 ? "a connection" : showAddress(decodeAddress(poller.constants, scratch, length));
  }
}

const scratch = new Uint8Array(SOCKADDR_MAX);
