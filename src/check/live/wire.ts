/**
 * One connection of an attacker: it sends the bytes it is given, whatever they are, keeps the first of what comes back,
 * counts the rest, and notes when and how the other side ended it. Every wait is bounded.
 */

import { parseIp } from "../../net/ip.ts";
import { connect } from "../../net/mod.ts";
import { monotonicNow } from "../../runtime/clock.ts";
import { isLoopback, type Target, TargetError } from "./target.ts";

/** What a connection can do, in clear or under TLS. `Conn` is one. */
export interface Transport {
  read(p: Uint8Array): Promise<number | null>;
  write(p: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}

/** How the other side ended a connection: with FIN, or with a reset. */
export type End = "closed" | "reset";

/** What is kept of what comes: more than any head, error page and handful of answers. */
const KEPT = 256 * 1024;
const CONNECT_MS = 5_000;

export class Wire {
  readonly openedAt: number = monotonicNow();
  /** Bytes that came, kept or not. */
  received = 0;
  end: End | undefined;
  endedAt = 0;
  /** When the last byte came. */
  heardAt = 0;
  readonly #transport: Transport;
  readonly #left: (wire: Wire) => void;
  readonly #watchers = new Set<() => void>();
  #kept = new Uint8Array(2048);
  #keptLength = 0;
  #closed = false;
  #reading = false;

  constructor(transport: Transport, left: (wire: Wire) => void) {
    this.#transport = transport;
    this.#left = left;
  }

  /** The first of what came. */
  get bytes(): Uint8Array {
    return this.#kept.subarray(0, this.#keptLength);
  }
  get text(): string {
    return Buffer.from(this.bytes).toString("latin1");
  }
  /** True once nothing can come any more, whoever ended it. */
  get over(): boolean {
    return this.end !== undefined || this.#closed;
  }
  /** Milliseconds from its beginning to its end, or to now. */
  get age(): number {
    return (this.end === undefined ? monotonicNow() : this.endedAt) - this.openedAt;
  }

  /** Reads on from here to the end, as fast as it comes or at so many bytes a second. */
  read(rate = Number.POSITIVE_INFINITY): this {
    if (!this.#reading) void this.#readAll(rate);
    this.#reading = true;
    return this;
  }

  async #readAll(rate: number): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const n = await this.#transport.read(buffer);
        if (n === null) return this.#ended("closed");
        this.received += n;
        this.heardAt = monotonicNow();
        this.#keep(buffer.subarray(0, n));
        this.#changed();
        if (rate !== Number.POSITIVE_INFINITY) await new Promise((go) => setTimeout(go, (n / rate) * 1000));
      }
    } catch {
      this.#ended("reset");
    }
  }

  #keep(bytes: Uint8Array): void {
    const room = Math.min(bytes.length, KEPT - this.#keptLength);
    if (room <= 0) return;
    if (this.#keptLength + room > this.#kept.length) {
      const larger = new Uint8Array(Math.min(KEPT, Math.max(this.#keptLength + room, this.#kept.length * 2)));
      larger.set(this.bytes);
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(0, room), this.#keptLength);
    this.#keptLength += room;
  }

  /** Sends; false when the connection broke. Text is latin1: one character, one byte. */
  async send(data: string | Uint8Array): Promise<boolean> {
    if (this.over) return false;
    try {
      await this.#transport.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
      return true;
    } catch {
      // A reader learns how it ended; who does not read has only this.
      if (!this.#reading) this.#ended("reset");
      return false;
    }
  }

  /** Says that nothing more comes; reading goes on. */
  async finish(): Promise<void> {
    await this.#transport.closeWrite().catch(() => {});
  }

  /** Waits until `seen` holds, the connection is over, or the time is; says whether it holds. */
  until(seen: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (seen()) done(true);
        else if (this.over) done(false);
      };
      const done = (result: boolean): void => {
        clearTimeout(limit);
        this.#watchers.delete(look);
        resolve(result);
      };
      const limit = setTimeout(() => done(seen()), Math.max(0, ms));
      this.#watchers.add(look);
      look();
    });
  }

  /** Waits until the other side ends it; false when it did not in time. */
  ended(ms: number): Promise<boolean> {
    return this.until(() => this.end !== undefined, ms);
  }

  /** Ends it at once. With answers unread that is a reset (RFC 9293, 3.10.7.3 and close(2)). */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#transport.close();
    this.#left(this);
    this.#changed();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ended(how: End): void {
    if (this.over) return;
    this.end = how;
    this.endedAt = monotonicNow();
    this.#changed();
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** All connections of one check, so that all of them can be ended. */
export class Wires {
  readonly target: Target;
  readonly #open = new Set<Wire>();
  #address: string | undefined;
  #over = false;

  constructor(target: Target) {
    this.target = target;
  }

  /** The address that answered. */
  get address(): string {
    return this.#address ?? "";
  }
  get count(): number {
    return this.#open.size;
  }

  /** A new connection, under TLS where the target speaks it unless `plain` says otherwise. Rejects when it fails. */
  async open(plain = false): Promise<Wire> {
    const transport = await this.#connect(plain);
    const wire = new Wire(transport, (left) => this.#open.delete(left));
    this.#open.add(wire);
    if (this.#over) wire.close();
    return wire;
  }

  /** Ends every connection, and those still to come. */
  closeAll(): void {
    this.#over = true;
    for (const wire of [...this.#open]) wire.close();
  }

  async #connect(plain: boolean): Promise<Transport> {
    const { target } = this;
    const deadline = Date.now() + CONNECT_MS;
    if (target.unix !== undefined) return connect({ transport: "unix", path: target.unix, deadline });
    const candidates = this.#address === undefined ? target.addresses : [this.#address];
    let failure: unknown;
    for (const hostname of candidates) {
      try {
        const transport =
          target.secure && !plain
            ? await (await import("./tls-transport.ts")).connectTls(target, hostname, CONNECT_MS)
            : await this.#connectTcp(hostname, deadline);
        this.#address = hostname;
        return transport;
      } catch (error) {
        failure ??= error;
      }
    }
    throw failure;
  }

  async #connectTcp(hostname: string, deadline: number): Promise<Transport> {
    const conn = await connect({ hostname, port: this.target.port, deadline });
    const peer = parseIp(conn.remoteAddr.hostname);
    if (peer !== undefined && isLoopback(peer)) return conn;
    conn.close();
    throw new TargetError(
      `${hostname} was connected to as ${conn.remoteAddr.hostname}, which is not a loopback address`,
    );
  }
}
