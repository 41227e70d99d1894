/**
 * How long a connection lives, and how it ends: what it waits for, and until when; errors of the whole connection; the
 * drain of its server.
 */
import type { Handle } from "../../ffi/poller.ts";
import { clientGone, notRead } from "../http/endings.ts";
import type { OtherConnection, ProtocolHost } from "../http/protocol.ts";
import { ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR, SETTINGS_TIMEOUT } from "./errors.ts";
import { FRAME_HEAD, GOAWAY, STREAM_MAX, writeFrameHead, writeUint32 } from "./frames.ts";
import type { Timing } from "./limits.ts";
import { PING_DRAIN, PING_QUIET, Streams } from "./streams.ts";

/** Who has the connections. */
export interface Owner {
  readonly timing: Timing;
  /** It is closed: nothing more is to be told to it. */
  closed(connection: Lifetime): void;
}

export abstract class Lifetime extends Streams implements OtherConnection {
  /** The client has said its SETTINGS. */
  protected greeted = false;
  /** A request has come since the last look. */
  protected worked = false;
  /** The highest stream that the client has opened; and, once we have said GOAWAY, the highest that is served. */
  protected last = 0;
  protected served = STREAM_MAX;
  readonly #owner: Owner;
  #closed = false;
  #reading = false;
  // When what is due, in clock milliseconds; 0 for never.
  /** The client's preface and SETTINGS; later, the rest of a frame or of a header block. */
  #headAt: number;
  #settingsAt: number;
  #idleAt = 0;
  /** When a silent connection with streams is asked whether it is there; and when it must have answered. */
  #quietAt = 0;
  #answerAt = 0;
  #drainAt = 0;
  /** 1: told that the end comes, 2: told which streams are served. */
  #draining = 0;
  /** What the wheel holds. */
  #armed = 0;

  constructor(http: ProtocolHost, handle: Handle, owner: Owner) {
    super(http, handle);
    this.#owner = owner;
    // The preface and SETTINGS have the time that the first head of HTTP/1.1 has.
    this.#headAt = this.#armed = Math.ceil(http.deadlineAt(handle));
    this.#settingsAt = Math.ceil(http.now + owner.timing.settingsAck);
    this.arm(this.#settingsAt);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The client has said more than was looked at by now. */
  protected abstract get inputWaits(): boolean;

  /** A connection error (RFC 9113, 5.4.1). */
  fail(code: number, why: string): void {
    if (this.#closed) return;
    this.fired("malformedRequest", `broke a rule of HTTP/2: ${why}`);
    this.end(code);
  }

  override flooded(): void {
    if (this.#closed) return;
    this.fired("http2Flood", "sent frames that bring nothing, and too many of them");
    this.end(ENHANCE_YOUR_CALM);
  }

  /** Says GOAWAY and closes. What waits in a full socket is given up. */
  end(code: number): void {
    if (this.#closed) return;
    const stuck = this.output.blocked;
    this.#goaway(this.last, code);
    this.output.flush();
    if (this.#closed) return;
    this.closeWith(clientGone());
    if (stuck || this.output.blocked) this.http.closeNow(this.handle);
    else this.http.part(this.handle, false);
  }

  #goaway(last: number, code: number): void {
    const { output } = this;
    const out = output.reserve(FRAME_HEAD + 8);
    const at = writeUint32(out, writeFrameHead(out, output.end, 8, GOAWAY, 0, 0), last);
    output.end = writeUint32(out, at, code);
    output.schedule();
  }

  /**
   * RFC 9113, 6.8: first a GOAWAY that names no stream, so that the client opens no more; when it must have read that, one
   * with the last that is served. What was on its way until then is answered.
   */
  drain(last: boolean): void {
    if (this.#closed) return;
    if (this.#draining === 0) {
      this.#draining = 1;
      this.#goaway(STREAM_MAX, NO_ERROR);
    }
    if (last && this.http.ending && this.tunnels > 0)
      for (const { tunnel } of [...this.streams.values()]) tunnel?.drain();
    if (!last || this.#drainAt !== 0 || this.#draining === 2) return;
    this.ping(PING_DRAIN);
    this.arm((this.#drainAt = Math.ceil(this.now + Math.max(1, this.limits.drainIdle))));
  }

  /** The client has read the first GOAWAY. */
  protected drainHeard(): void {
    if (this.#draining === 1 && this.#drainAt !== 0) this.#lastWord();
  }

  #lastWord(): void {
    // Requests that have come are served, also where we have not come to them.
    if (this.inputWaits) return this.arm((this.#drainAt = Math.ceil(this.now + 1)));
    this.#draining = 2;
    this.#drainAt = 0;
    this.served = this.last;
    this.#goaway(this.last, NO_ERROR);
    if (this.streams.size > 0 || this.#reading) return;
    this.#part();
  }

  protected override hadItsLast(): void {
    this.drain(true);
  }

  #part(): void {
    this.output.flush();
    if (this.#closed || this.output.blocked) return;
    this.closeWith();
    this.http.part(this.handle, false);
  }

  protected override emptied(): void {
    this.#quietAt = this.#answerAt = 0;
    if (this.#reading || this.#closed) return;
    if (this.#draining === 2) return this.#part();
    this.#becameIdle();
  }

  #becameIdle(): void {
    const { idleTimeout } = this.limits;
    this.#idleAt = idleTimeout === Number.POSITIVE_INFINITY ? 0 : Math.ceil(this.now + Math.max(1, idleTimeout));
    this.#armIdle();
  }

  #armIdle(): void {
    const others = this.#headAt + this.#settingsAt + this.#drainAt + this.socketDeadline;
    if (others !== 0 || this.unread?.due) {
      if (this.#idleAt !== 0) this.arm(this.#idleAt);
      return;
    }
    // Nothing else is due: moved later, the wheel's number is all that changes, and nobody wakes up before.
    this.#armed = this.#idleAt;
    this.http.setDeadlineAt(this.handle, this.#idleAt);
  }

  closeWith(reason: unknown = clientGone()): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of [...this.streams.values()]) this.lost(stream, reason);
    this.output.drop();
    this.#owner.closed(this);
  }

  // ---- time

  /** Bytes have come. */
  protected readingBegan(): void {
    this.#reading = true;
    this.#answerAt = 0;
    if (this.#quietAt !== 0) this.#quietAt = this.now + this.#owner.timing.quiet;
  }

  /** They were looked at; `within`: they end in a frame, or in a header block. Drips don't move its deadline. */
  protected readingEnded(within: boolean): void {
    this.#reading = false;
    if (this.#closed) return;
    if (this.greeted) {
      if (!within) this.#headAt = 0;
      else if (this.#headAt === 0 && this.limits.readHeaderTimeout !== Number.POSITIVE_INFINITY) {
        this.arm((this.#headAt = Math.ceil(this.now + this.limits.readHeaderTimeout)));
      }
    }
    this.output.flush();
    if (this.#closed || this.streams.size > 0) return;
    // Whatever else it says, PING among it: a connection is as idle as its last request is old.
    if (this.worked || this.#idleAt === 0 || this.#draining === 2) this.emptied();
    this.worked = false;
  }

  /** The client has said its SETTINGS. */
  protected greetedUs(): void {
    this.greeted = true;
    this.#headAt = 0;
  }

  /** False when it had done so before. */
  protected settingsAcknowledged(): boolean {
    const awaited = this.#settingsAt !== 0;
    this.#settingsAt = 0;
    if (awaited && this.#idleAt !== 0 && this.streams.size === 0) this.#armIdle();
    return awaited;
  }

  /** A client that is silent is asked, as long as there are streams. */
  protected watchSilence(): void {
    if (this.#quietAt === 0) this.arm((this.#quietAt = this.now + this.#owner.timing.quiet));
  }

  protected override arm(at: number): void {
    if (this.#armed !== 0 && this.#armed <= at) return;
    this.#armed = at;
    this.http.setDeadlineAt(this.handle, at);
  }

  expired(): void {
    const { now } = this;
    this.#armed = 0;
    const heard = !this.inputWaits;
    if (heard && ran(this.#headAt, now)) {
      this.fired(
        "readHeaderTimeout",
        this.greeted ? "left a frame or a head unfinished" : "did not begin with SETTINGS",
      );
      return this.end(this.greeted ? ENHANCE_YOUR_CALM : PROTOCOL_ERROR);
    }
    if (heard && ran(this.#settingsAt, now)) {
      this.fired("readHeaderTimeout", "did not acknowledge SETTINGS");
      return this.end(SETTINGS_TIMEOUT);
    }
    if (this.socketDeadline !== 0 && this.socketExpired()) {
      this.fired("writeTimeout", "did not read a response in time");
      this.closeWith(notRead());
      return this.http.closeNow(this.handle);
    }
    if (heard && ran(this.#answerAt, now)) {
      this.closeWith(clientGone());
      return this.http.closeNow(this.handle);
    }
    if (ran(this.#drainAt, now)) this.#lastWord();
    for (const stream of [...this.streams.values()]) {
      if (this.#closed) return;
      if (ran(stream.deadline, now)) stream.expired();
    }
    if (this.#closed) return;
    for (const id of this.unread?.over(now) ?? []) this.sendReset(id, NO_ERROR);
    if (this.streams.size === 0) {
      if (heard && ran(this.#idleAt, now)) {
        this.fired("idleTimeout", "");
        return this.end(NO_ERROR);
      }
    } else if (ran(this.#quietAt, now)) {
      this.#quietAt = now + this.#owner.timing.quiet;
      if (this.#answerAt === 0) {
        this.#answerAt = now + this.#owner.timing.pingAck;
        this.ping(PING_QUIET);
      }
    }
    this.#rearm();
  }

  #rearm(): void {
    let at = nearer(this.#headAt, this.#settingsAt);
    at = nearer(at, this.socketDeadline);
    at = nearer(at, this.#drainAt);
    at = nearer(at, this.unread?.due ?? 0);
    if (this.streams.size === 0) at = nearer(at, this.#idleAt);
    else {
      at = nearer(nearer(at, this.#quietAt), this.#answerAt);
      for (const { deadline } of this.streams.values()) at = nearer(at, deadline);
    }
    if (at !== 0) this.arm(at);
  }
}

function ran(due: number, now: number): boolean {
  return due > 0 && due <= now;
}

function nearer(a: number, b: number): number {
  return a === 0 || (b !== 0 && b < a) ? b : a;
}
