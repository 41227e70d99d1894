/** A server's connections that have left HTTP: one sink for all of them, and a small object for each. */
import { type Handle, SENDING, SENT, type Sink, type Transport } from "../../ffi/poller.ts";
import { freed } from "../net/lent.ts";
import { lingerClose } from "../net/linger.ts";
import type { Addr } from "../net/mod.ts";
import { errnoError } from "../runtime/errno.ts";
import type { HttpCounters } from "./counters.ts";
import { type Outgoing, outgoingBuffer } from "./outgoing.ts";
import type { Channel, Successor } from "./upgrade.ts";

/**
 * While a connection is told of what came, small messages that it sends are gathered, and leave together: where sending is
 * a call, sixteen answers to one read are one.
 */
const GATHERED = 16 * 1024;
const SMALL = 2 * 1024;

/** What they ask of the server. */
export interface UpgradedHost {
  readonly poller: Transport;
  readonly counters: HttpCounters;
  readonly now: number;
  peerOf(handle: Handle): Addr;
  setDeadlineAt(handle: Handle, at: number): void;
  /** Closes the handle at once. */
  closeUpgraded(handle: Handle, reset: boolean): void;
  /** The handle is about to be given to somebody who closes it: nothing is read or written through `poller` any more. */
  leaving(handle: Handle): void;
  /** It was: forget it. */
  forgetUpgraded(handle: Handle): void;
}

export class Upgraded implements Sink {
  readonly host: UpgradedHost;
  readonly out: Outgoing;
  /** By handle. */
  readonly channels: (SocketChannel | undefined)[] = [];
  count = 0;
  /** Whose messages are gathered now. */
  gathering: SocketChannel | undefined;
  readonly #gathered = new Uint8Array(GATHERED);
  #length = 0;

  constructor(host: UpgradedHost) {
    this.host = host;
    this.out = outgoingBuffer(host.poller.outgoing);
  }

  /** Takes over a handle whose 101 has been sent, or waits to be. */
  add(handle: Handle, successor: Successor, sending: boolean): void {
    const { host } = this;
    const channel = new SocketChannel(this, handle, successor, sending);
    this.channels[handle] = channel;
    this.count++;
    host.setDeadlineAt(handle, 0);
    host.poller.setSink(handle, this);
    host.poller.receive(handle);
    successor.begin(channel, sending);
  }

  get(handle: Handle): SocketChannel | undefined {
    return this.channels[handle];
  }

  forget(handle: Handle): void {
    if (this.channels[handle] === undefined) return;
    this.channels[handle] = undefined;
    this.count--;
  }

  /** The server ends: each says goodbye. */
  drain(): void {
    if (this.count === 0) return;
    for (const channel of [...this.channels]) if (channel !== undefined && !channel.ended) channel.successor.drain();
  }

  /** Tells who is there that it is over; the caller closes the handle. */
  closing(handle: Handle, reason: unknown): void {
    const channel = this.channels[handle];
    if (channel === undefined) return;
    this.forget(handle);
    channel.ended = true;
    channel.successor.closed(reason);
  }

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.host.counters.bytesIn += end - start;
    const channel = this.channels[handle];
    if (channel === undefined) return;
    this.gathering = channel;
    try {
      channel.successor.received(bytes, start, end);
    } finally {
      this.flush();
      this.gathering = undefined;
    }
  }

  /** Keeps `out[0, end)` for later; false when it is to be sent now. */
  gather(end: number): boolean {
    const { out } = this;
    if (this.#length === 0 && end > SMALL) return false;
    if (this.#length + end > GATHERED) {
      // What sends the others writes over it.
      const kept = Uint8Array.from(out.subarray(0, end));
      this.flush();
      out.set(kept);
      return false;
    }
    const at = this.#length;
    if (end < 128) for (let i = 0; i < end; i++) this.#gathered[at + i] = out[i];
    else this.#gathered.set(out.subarray(0, end), at);
    this.#length = at + end;
    return true;
  }

  /** Sends what was gathered. */
  flush(): void {
    const length = this.#length;
    const channel = this.gathering;
    if (length === 0 || channel === undefined) return;
    this.#length = 0;
    if (channel.ended) return;
    const { out } = this;
    if (length < 128) for (let i = 0; i < length; i++) out[i] = this.#gathered[i];
    else out.set(this.#gathered.subarray(0, length));
    const result = this.host.poller.sendOutgoing(channel.handle, 0, length);
    if (result === SENDING) {
      channel.sending = true;
      channel.successor.blocked(length);
    } else if (result < 0) {
      // Soon, not now: who sends does not expect to hear of the end before that returns.
      queueMicrotask(() => {
        if (!channel.ended) this.failed(channel.handle, -result);
      });
    }
  }

  sent(handle: Handle): void {
    const channel = this.channels[handle];
    if (channel === undefined) return;
    channel.sending = false;
    channel.successor.sent();
  }
  blocked(handle: Handle): void {
    const channel = this.channels[handle];
    if (channel === undefined) return;
    channel.sending = true;
    channel.successor.blocked(0);
  }
  ended(handle: Handle): void {
    this.channels[handle]?.successor.ended();
  }
  /** While nothing is received: what the sending finds out comes by itself, and so does the FIN later. */
  hungUp(): void {}
  failed(handle: Handle, errno: number): void {
    const channel = this.channels[handle];
    if (channel === undefined) return;
    channel.ended = true;
    try {
      channel.successor.failed(errnoError(this.host.poller.constants, errno, "the connection broke"));
    } finally {
      this.host.closeUpgraded(handle, false);
    }
  }
  expired(handle: Handle): void {
    this.channels[handle]?.successor.expired();
  }
  connected(): void {}
  accepted(): void {}
  datagram(): void {}
}

/** A TCP or Unix connection, as its protocol sees it. */
class SocketChannel implements Channel {
  readonly handle: Handle;
  readonly successor: Successor;
  readonly #all: Upgraded;
  /** Bytes wait to be sent. */
  sending: boolean;
  /** The handle is no longer ours. */
  ended = false;
  readonly openedAt: number;

  constructor(all: Upgraded, handle: Handle, successor: Successor, sending: boolean) {
    this.#all = all;
    this.handle = handle;
    this.successor = successor;
    this.sending = sending;
    this.openedAt = Math.floor(all.host.now);
  }

  get now(): number {
    return this.#all.host.now;
  }
  get remoteAddr(): Addr {
    return this.#all.host.peerOf(this.handle);
  }
  get out(): Outgoing {
    return freed(this.#all.out);
  }

  sendOut(end: number): number {
    const { host } = this.#all;
    host.counters.bytesOut += end;
    if (this.#all.gathering === this && this.#all.gather(end)) return SENT;
    const result = host.poller.sendOutgoing(this.handle, 0, end);
    if (result === SENDING) this.sending = true;
    return result;
  }

  send(bytes: Uint8Array, start: number, end: number): number {
    const { host } = this.#all;
    host.counters.bytesOut += end - start;
    if (this.#all.gathering === this) this.#all.flush();
    const result = host.poller.send(this.handle, bytes, start, end);
    if (result === SENDING) this.sending = true;
    return result;
  }

  outstanding(): number {
    return this.ended ? 0 : this.#all.host.poller.outstanding(this.handle);
  }
  pause(): void {
    if (!this.ended) this.#all.host.poller.pause(this.handle);
  }
  receive(): void {
    if (!this.ended) this.#all.host.poller.receive(this.handle);
  }
  setDeadline(at: number): void {
    if (!this.ended) this.#all.host.setDeadlineAt(this.handle, at);
  }

  finish(): void {
    if (this.#all.gathering === this) this.#all.flush();
    if (this.ended) return;
    this.ended = true;
    const { host } = this.#all;
    host.setDeadlineAt(this.handle, 0);
    host.leaving(this.handle);
    lingerClose(this.handle, this.sending);
    host.forgetUpgraded(this.handle);
  }

  cut(): void {
    if (this.ended) return;
    this.ended = true;
    this.#all.host.closeUpgraded(this.handle, true);
  }
}
