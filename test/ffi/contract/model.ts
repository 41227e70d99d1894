/**
 * What the poller contract (`ffi/poller.ts`) says about one handle and its peer, as rules: what may be heard now, and what
 * is due. It knows no kernel and no socket: `world.ts` tells it what was done, and asks it about what was heard.
 *
 * Bytes: those of a direction are a stretch of one long pattern, so that a byte that is lost, doubled, moved, or another
 * connection's, is one that differs.
 *
 * A connection is LOOSE from when a reset may be on its way: one end was closed with bytes unread, or was sent to after it
 * was closed (RFC 9293, 3.6 and 3.10.7.1). Then bytes may be lost and errors told; but those that come are still right, and
 * its end is still told. It is SPOILED when a fault that ends it was injected: then nothing is due any more.
 */
import type { Heard, Kind, Op } from "./program.ts";

/** Something was observed that may not be. */
export class Violation extends Error {}

/** Of one direction, at most. */
export const MOST = 1 << 20;
/** Bytes that the smallest receive buffer holds. */
const FITS = 2000;
const SALTS = 1 << 21;
export const pattern: Uint8Array<ArrayBuffer> = (() => {
  const words = new Uint32Array((MOST + SALTS) / 4);
  for (let i = 0, x = 1; i < words.length; i++) words[i] = x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  return new Uint8Array(words.buffer);
})();

/** Which errnos a listener may tell of is for who injects them. */
export abstract class Target {
  readonly name: string;
  readonly kind: Kind;
  state: "none" | "connecting" | "open" | "closed" = "none";
  handle = -1;
  fd = -1;
  /** It has been asked to receive, or to accept. */
  receiving = false;
  /** What may come after a pause all the same, on a completion kernel. */
  late = 0;
  /** `sent` has been promised, and is due once there is room. */
  owed = false;
  spoiled = false;
  /** What to do when it hears of something next. */
  readonly within = new Map<Heard, Op[]>();

  constructor(name: string, kind: Kind) {
    this.name = name;
    this.kind = kind;
  }

  /** What it must hear of yet. */
  abstract due(): string | undefined;

  wrong(what: string): never {
    throw new Violation(`${this.name} ${what}`);
  }
  /** Bytes, a datagram or a connection came. */
  protected wanted(what: string): void {
    if (this.state !== "open") this.wrong(`heard ${what}, but is ${this.state}`);
    if (!this.receiving && this.late-- <= 0) this.wrong(`heard ${what} while it is paused`);
  }
  hearsSent(): void {
    if (!this.owed) this.wrong("heard sent, which was not promised");
    this.owed = false;
  }
}

export class Connection {
  readonly a: End;
  readonly b: End;
  readonly family: "tcp" | "unix";
  loose = false;
  spoiled = false;

  constructor(number: number, family: "tcp" | "unix", a: Kind, b: Kind) {
    this.family = family;
    this.a = new End(this, `a${number}`, a, number * 2);
    this.b = new End(this, `b${number}`, b, number * 2 + 1);
    this.a.peer = this.b;
    this.b.peer = this.a;
  }
}

export class End extends Target {
  readonly connection: Connection;
  peer: End = this;
  /** Where what it sends begins in the pattern. */
  readonly salt: number;
  /** Bytes that were taken from us; and how many of them must arrive even when it is closed now. */
  written = 0;
  promised = 0;
  received = 0;
  /** It has sent FIN, or has been closed. */
  fin = false;
  /** It was closed with a reset, which its peer must be able to tell from FIN. */
  reset = false;
  /** What it has heard of: its peer's FIN, that it broke, that its peer has hung up. */
  ended = false;
  failed = false;
  hungUp = false;
  /** A send was refused: it sends no more. */
  broken = false;
  /** Who is refused says so. */
  refused = false;

  constructor(connection: Connection, name: string, kind: Kind, number: number) {
    super(name, kind);
    this.connection = connection;
    this.salt = (number * 77_773) % SALTS;
  }

  /** The next `count` bytes that it would send. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    return pattern.subarray(this.salt + this.written, this.salt + this.written + count);
  }

  /** A call took so many bytes; with `whole`, nothing of it waits with the poller. */
  took(count: number, whole: boolean): void {
    this.written += count;
    if (whole) this.promised = this.written;
  }

  closes(resets: boolean): void {
    const { connection, peer } = this;
    if (this.received < peer.written || resets) connection.loose = true;
    if (resets && connection.family === "tcp" && !this.fin && peer.state === "open" && !peer.failed) this.reset = true;
    this.fin = true;
    this.state = "closed";
  }

  get #isLoose(): boolean {
    return this.connection.loose || this.connection.spoiled;
  }

  hearsReceived(bytes: Uint8Array, start: number, end: number): void {
    const { peer } = this;
    this.wanted("received");
    if (this.ended) this.wrong("heard received after ended");
    if (end <= start) this.wrong(`heard received of ${end - start} bytes`);
    const from = peer.salt + this.received;
    if (this.received + end - start > peer.written) {
      this.wrong(`received ${this.received + end - start} bytes of ${peer.written}`);
    }
    if (Buffer.compare(bytes.subarray(start, end), pattern.subarray(from, from + end - start)) !== 0) {
      this.wrong(`received wrong bytes at ${this.received}`);
    }
    this.received += end - start;
  }

  override hearsSent(): void {
    super.hearsSent();
    this.promised = this.written;
  }

  hearsEnded(): void {
    const { peer } = this;
    // It is to be closed: what else is told of it means nothing.
    if (this.failed) return;
    if (this.state !== "open" || !this.receiving) this.wrong("heard ended while it does not receive");
    if (this.ended) this.wrong("heard ended twice");
    if (!peer.fin && !this.connection.spoiled) this.wrong(`heard ended, but ${peer.name} goes on`);
    if (peer.reset) this.wrong(`heard ended, but ${peer.name} was reset`);
    const least = peer.state === "closed" ? peer.promised : peer.written;
    if (this.received < least && !this.#isLoose) this.wrong(`heard ended after ${this.received} bytes of ${least}`);
    this.ended = true;
    this.receiving = false;
  }

  hearsHungUp(): void {
    if (this.state !== "open") this.wrong(`heard hungUp, but is ${this.state}`);
    if (this.failed) return;
    if (this.receiving) this.wrong("heard hungUp while it receives");
    if (!this.peer.fin && !this.#isLoose) this.wrong(`heard hungUp, but ${this.peer.name} goes on`);
    this.hungUp = true;
  }

  hearsConnected(): void {
    if (this.state !== "connecting") this.wrong(`heard connected, but is ${this.state}`);
    if (this.refused) this.wrong("heard connected, where nobody listens");
    this.state = "open";
  }

  hearsFailed(errno: number, refusal: number): void {
    if (this.state === "connecting") {
      if (this.refused && errno !== refusal && !this.connection.spoiled) this.wrong(`heard failed ${errno}, refused`);
      if (!this.refused && !this.#isLoose) this.wrong(`heard failed ${errno} instead of connected`);
      this.state = "open";
    } else if (!this.#isLoose) this.wrong(`heard failed ${errno}, but nothing is wrong`);
    this.connection.loose = true;
    this.failed = this.broken = true;
    this.owed = false;
  }

  due(): string | undefined {
    const { peer, connection } = this;
    if (connection.spoiled) return undefined;
    if (this.state === "connecting") return `${this.name} to hear connected or failed`;
    if (this.state !== "open" || this.failed || peer.state === "none") return undefined;
    const gone = peer.state === "closed";
    // FIN stands behind bytes that find no room in the receiver's buffer.
    const there = peer.written - this.received <= FITS;
    if (this.kind === "handle" && !this.receiving && peer.fin && there && !this.ended && !this.hungUp) {
      return `${this.name} to hear hungUp`;
    }
    if (connection.loose) return gone && this.receiving ? `${this.name} to hear ended or failed` : undefined;
    const least = gone ? peer.promised : peer.written;
    if (this.receiving && this.received < least) return `${this.name} to receive ${least - this.received} bytes`;
    if (this.receiving && peer.fin) return `${this.name} to hear ended`;
    if (this.owed && peer.receiving && peer.state === "open") return `${this.name} to hear sent`;
    return undefined;
  }
}

/** Of the poller's; those that connected to it and were not accepted yet are in `pending`, by their port. */
export class Listener extends Target {
  port = 0;
  readonly pending: { readonly connection: Connection; readonly port: number; readonly spoke: boolean }[] = [];
  /** Errnos that were injected and not heard yet. */
  readonly injected = new Set<number>();

  hearsAccepted(port: number): { readonly connection: Connection; readonly spoke: boolean } {
    this.wanted("accepted");
    // A port may be given again: the last one is meant. Who was reset meanwhile has none any more: the first one.
    const at =
      port === 0
        ? this.pending.findIndex(({ connection: { a, loose } }) => loose && a.state === "closed")
        : this.pending.findLastIndex((one) => one.port === port);
    if (at < 0) this.wrong("heard accepted of a connection that nobody made, or twice");
    return this.pending.splice(at, 1)[0];
  }

  hearsFailed(errno: number): void {
    if (!this.injected.delete(errno) && !this.spoiled) this.wrong(`heard failed ${errno}, but nothing is wrong`);
  }

  due(): string | undefined {
    if (this.state !== "open" || !this.receiving || this.spoiled) return undefined;
    // Who has left need not be told of.
    const one = this.pending.find(({ connection: { a } }) => a.state === "open");
    return one && `${this.name} to accept ${one.connection.a.name}`;
  }
}

export class DatagramSocket extends Target {
  address: Uint8Array = new Uint8Array(0);
  /** Sent to it and not received yet, in order: loopback loses none. */
  readonly inbox: { readonly from: DatagramSocket; readonly bytes: Uint8Array }[] = [];

  get waiting(): number {
    return this.inbox.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  hearsDatagram(bytes: Uint8Array, start: number, end: number, from: Uint8Array): void {
    this.wanted("datagram");
    const next = this.inbox.shift();
    if (next === undefined) this.wrong("received a datagram that nobody sent, or twice");
    if (Buffer.compare(bytes.subarray(start, end), next.bytes) !== 0) {
      this.wrong(`received a datagram of ${end - start} bytes, but the next is another, of ${next.bytes.length}`);
    }
    if (Buffer.compare(from.subarray(0, 8), next.from.address.subarray(0, 8)) !== 0) {
      this.wrong(`received a datagram of ${next.from.name}'s from elsewhere`);
    }
  }

  due(): string | undefined {
    if (this.state !== "open" || this.spoiled) return undefined;
    if (this.receiving && this.inbox.length > 0) return `${this.name} to receive a datagram`;
    return this.owed ? `${this.name} to hear sent` : undefined;
  }
}
