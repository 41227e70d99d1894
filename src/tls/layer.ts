/**
 * TLS between a poller's connections and who reads and writes them: `Transport` above, `Sink` below, with the same
 * handles. What comes is decrypted into one buffer, which is lent as the poller lends its own; what is sent is encrypted
 * into the poller's outgoing memory. An idle connection has its SSL, and nothing else.
 *
 * OpenSSL reads from and writes to memory BIOs, of which all connections share two: between two operations both are
 * empty, since whatever a connection leaves unread is taken out again, and what it writes leaves at once. Two of its own
 * cost each connection 5 KB (docs/5-architecture.md).
 */
import { openSsl, PEER_CLOSED, type Pointer, WANTS_READING } from "../../ffi/openssl.ts";
import { opensslCertificates } from "../../ffi/openssl-certificates.ts";
import { openSslClient } from "../../ffi/openssl-client.ts";
import { type Handle, type Poller, SENDING, SENT, type Sink, type Transport } from "../../ffi/poller.ts";
import { freed } from "../net/lent.ts";
import { monotonicNow } from "../runtime/clock.ts";
import type { TlsContext } from "./context.ts";
import { HandshakeQueue } from "./handshake-queue.ts";
import { OpenHandshakes } from "./open-handshakes.ts";

/** Who owns the connections. */
export interface TlsOwner {
  /** The handshake is done: `Sink.received` may follow at once. */
  secured(handle: Handle): void;
  /** It failed, and the peer has been told why: close. */
  handshakeFailed(handle: Handle, reason: string): void;
  /** The peer speaks HTTP without TLS: nothing of TLS is left of the connection. Answer, and close. */
  spokePlain(handle: Handle): void;
}

/*
 * A connection's state.
 *   FRESH       nothing has come
 *   HANDSHAKING the handshake is not done
 *   READING     its sink wants to be told what comes
 *   BLOCKED     the poller keeps bytes of it, and `sent` will follow
 *   BROKEN      it failed, or has ended: nothing can be sent
 *   COUNTED     it is one of the open handshakes
 *   MIDWAY      it may have the beginning of a record, so that what comes next may not be one from its start
 *   CLIENT      the peer is a server
 */
const FRESH = 1;
const HANDSHAKING = 2;
const READING = 4;
const BLOCKED = 8;
const BROKEN = 16;
const MIDWAY = 32;
const CLIENT = 64;
const COUNTED = 128;

/** A record carries 16 KiB at the most (RFC 8446, 5.1); as many of them as the kernel's receive buffer is read in. */
const PLAIN_BYTES = 64 * 1024;
const RECORD_BYTES = 16 * 1024;
/** What becomes of as much fits into the poller's outgoing memory: 22 bytes of each record are TLS's, 29 in TLS 1.2. */
const OUT_BYTES = PLAIN_BYTES - 1024;
/** The content types that a conversation may begin with (RFC 8446, 5.1), and the bytes before a record's content. */
const HANDSHAKE = 22;
const ALERT = 21;
const RECORD_HEADER = 5;

const NO_TLS = "the server does not speak TLS there";
/** Of what it speaks instead. */
const MAX_QUOTED = 40;

export class TlsLayer implements Transport, Sink {
  /** What new connections are made of, where `adopt` is not told otherwise. */
  context: TlsContext | undefined;
  /** Why a connection broke, in OpenSSL's words: while its sink is told that it has `failed`. */
  reason = "";
  readonly constants;
  readonly system;
  readonly outgoing: Uint8Array<ArrayBuffer>;
  readonly #poller: Poller;
  readonly #owner: TlsOwner;
  readonly #openssl = openSsl();
  readonly #incoming: Pointer;
  readonly #outgoingBio: Pointer;
  readonly #plain: Uint8Array<ArrayBuffer>;
  readonly #plainAddress: number;
  readonly #outgoingAddress: number;
  readonly #rawCapacity: number;
  /** By handle. */
  #ssl = new Float64Array(256);
  #state = new Uint8Array(256);
  /** Which of the handle's lives this is. */
  #lives = new Int32Array(256);
  readonly #sinks: (Sink | undefined)[] = [];
  /** What came for whoever does not read now, still encrypted. */
  readonly #held = new Map<Handle, Uint8Array>();
  readonly #open = new OpenHandshakes(
    (handle, life) => this.#lives[handle] === life && (this.#state[handle] & COUNTED) !== 0,
    (handle) => {
      // What has come of it waits for its turn.
      if (this.#held.has(handle)) return false;
      this.#owner.handshakeFailed(handle, "there are too many handshakes at once");
      return true;
    },
  );
  readonly #queue = new HandshakeQueue((handle, life) => this.#shakeHeld(handle, life));

  constructor(poller: Poller, context: TlsContext | undefined, owner: TlsOwner) {
    const { system } = poller;
    this.#poller = poller;
    this.context = context;
    this.#owner = owner;
    this.constants = poller.constants;
    this.system = system;
    this.#incoming = this.#openssl.memoryBio();
    this.#outgoingBio = this.#openssl.memoryBio();
    const plain = system.allocate(PLAIN_BYTES);
    this.#plain = new Uint8Array(plain.buffer);
    this.#plainAddress = plain.address;
    const outgoing = system.allocate(PLAIN_BYTES);
    this.outgoing = new Uint8Array(outgoing.buffer, 0, OUT_BYTES);
    this.#outgoingAddress = outgoing.address;
    this.#rawCapacity = poller.outgoing.length;
  }

  /** An open handle speaks TLS from here on, as a server; `sink` is told what it says. False for lack of memory. */
  adopt(handle: Handle, sink: Sink, context: TlsContext | undefined = this.context): boolean {
    const ssl = context === undefined ? 0 : this.#openssl.newSsl(context.pointer);
    if (ssl === 0) return false;
    this.#openssl.accept(ssl);
    this.#take(handle, sink, ssl, FRESH | HANDSHAKING | COUNTED);
    this.#open.begin(handle, this.#lives[handle]);
    return true;
  }

  /** As a client, with an SSL of its own, which is the layer's from here on. It speaks first: see `shake`. */
  adoptClient(handle: Handle, sink: Sink, ssl: Pointer): void {
    openSslClient().connect(ssl);
    this.#take(handle, sink, ssl, FRESH | HANDSHAKING | CLIENT);
  }

  #take(handle: Handle, sink: Sink, ssl: Pointer, state: number): void {
    const openssl = this.#openssl;
    if (handle >= this.#ssl.length) this.#grow(handle);
    // An internal error has closed the handle without us.
    if (this.#ssl[handle] !== 0) this.release(handle, false);
    openssl.shareBio(this.#incoming);
    openssl.shareBio(this.#outgoingBio);
    openssl.setBios(ssl, this.#incoming, this.#outgoingBio);
    this.#ssl[handle] = ssl;
    this.#lives[handle]++;
    this.#state[handle] = state;
    this.#sinks[handle] = sink;
    this.#poller.setSink(handle, this);
  }

  /** The handshake goes on although nobody reads. Returns SENT, SENDING or a negated errno. */
  shake(handle: Handle): number {
    if (this.#ssl[handle] === 0 || (this.#state[handle] & HANDSHAKING) === 0) return SENT;
    let result: number = SENT;
    if (this.#state[handle] & CLIENT) {
      openSslClient().handshake(this.#ssl[handle]);
      result = this.#flush(handle);
    }
    this.#poller.receive(handle);
    return result;
  }

  /**
   * Lets go of a handle, which its owner closes. `notify`: its peer is told that this is the end (close_notify), so that
   * it knows that nothing was cut off. Whether bytes of it still wait to be sent.
   */
  release(handle: Handle, notify: boolean): boolean {
    const ssl = this.#ssl[handle] ?? 0;
    if (ssl === 0) return false;
    if (notify) this.#notify(handle, ssl);
    const blocked = (this.#state[handle] & BLOCKED) !== 0;
    if (this.#state[handle] & COUNTED) this.#open.count--;
    this.#ssl[handle] = 0;
    this.#state[handle] = 0;
    this.#sinks[handle] = undefined;
    this.#held.delete(handle);
    this.#openssl.freeSsl(ssl);
    return blocked;
  }

  /** Its session is an earlier one's, gone on with. */
  resumed(handle: Handle): boolean {
    return this.#openssl.resumed(this.#ssl[handle]);
  }
  /** Of clients, and not done yet. */
  get handshaking(): number {
    return this.#open.count;
  }

  /** Its handshake is not done yet. */
  shaking(handle: Handle): boolean {
    return ((this.#state[handle] ?? 0) & HANDSHAKING) !== 0;
  }
  /** Bytes of it wait with the poller: `sent` will follow. */
  blockedNow(handle: Handle): boolean {
    return (this.#state[handle] & BLOCKED) !== 0;
  }
  /** The peer has said that it ends (close_notify), so that nothing was cut off (RFC 8446, 6.1). */
  endedCleanly(handle: Handle): boolean {
    const ssl = this.#ssl[handle] ?? 0;
    if (ssl === 0 || this.#state[handle] & (HANDSHAKING | BROKEN)) return false;
    return (this.#openssl.shutdownState(ssl) & PEER_CLOSED) !== 0;
  }

  /** The SSL of a connection whose handshake is done, 0 without. */
  sslOf(handle: Handle): Pointer {
    return (this.#state[handle] ?? HANDSHAKING) & HANDSHAKING ? 0 : this.#ssl[handle];
  }

  /** The protocol that ALPN has chosen (RFC 7301); empty where it was not negotiated. */
  protocolOf(handle: Handle): string {
    const ssl = this.sslOf(handle);
    return ssl === 0 ? "" : this.#openssl.alpn(ssl);
  }

  #grow(handle: Handle): void {
    const size = Math.max(handle + 1, this.#ssl.length * 2);
    const ssl = new Float64Array(size);
    ssl.set(this.#ssl);
    this.#ssl = ssl;
    const state = new Uint8Array(size);
    state.set(this.#state);
    this.#state = state;
    const lives = new Int32Array(size);
    lives.set(this.#lives);
    this.#lives = lives;
  }

  // ---- what the poller tells

  received(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    const state = this.#state[handle];
    if (this.#ssl[handle] === 0 || state & BROKEN) return;
    if (state & FRESH) {
      this.#state[handle] &= ~FRESH;
      const tls = bytes[start] === HANDSHAKE || (bytes[start] === ALERT && (state & CLIENT) !== 0);
      if (!tls) return this.#noTls(handle, bytes, start, end);
    }
    if (this.#held.size > 0 && this.#held.has(handle)) return this.#hold(handle, bytes.subarray(start, end));
    if (state & HANDSHAKING) return this.#step(handle, bytes, start, end);
    // What was under way when it paused.
    if ((state & READING) === 0) return this.#hold(handle, bytes.slice(start, end));
    this.#feed(handle, state, bytes, start, end);
  }

  /** A step of a handshake: at once, or when it is its turn. */
  #step(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    if (this.#queue.free) {
      const began = monotonicNow();
      this.#feed(handle, HANDSHAKING, bytes, start, end);
      this.#queue.took(monotonicNow() - began);
      return;
    }
    this.#hold(handle, bytes.slice(start, end));
    this.#poller.pause(handle);
    this.#queue.add(handle, this.#lives[handle]);
  }

  #shakeHeld(handle: Handle, life: number): void {
    const bytes = this.#held.get(handle);
    if (bytes === undefined || this.#lives[handle] !== life || this.#ssl[handle] === 0) return;
    this.#held.delete(handle);
    this.#poller.receive(handle);
    try {
      this.#feed(handle, HANDSHAKING, bytes, 0, bytes.length);
    } catch (error) {
      this.#poller.onSinkError(handle, error);
    }
  }

  #feed(handle: Handle, state: number, bytes: Uint8Array, start: number, end: number): void {
    // Behind a part of a record any two bytes can look like a length, by who chooses where to cut.
    const whole =
      (state & (MIDWAY | HANDSHAKING)) === 0 &&
      end - start - RECORD_HEADER === ((bytes[start + 3] << 8) | bytes[start + 4]);
    this.#openssl.bioWrite(this.#incoming, start === 0 ? bytes : bytes.subarray(start, end), end - start);
    let done = false;
    try {
      this.#read(handle, whole);
      done = true;
    } finally {
      // What a sink throws must not leave its bytes to the next connection.
      if (!done) this.#openssl.bioReset(this.#incoming);
    }
  }

  /** Reads what is in the BIO. `one`: it is one record, not of the handshake, so that nothing is left behind it. */
  #read(handle: Handle, one: boolean): void {
    const openssl = this.#openssl;
    const ssl = this.#ssl[handle];
    const life = this.#lives[handle];
    const incoming = this.#incoming;
    for (;;) {
      const shaking = (this.#state[handle] & HANDSHAKING) !== 0;
      if (!one) openssl.clearErrors();
      let n = openssl.read(ssl, this.#plainAddress, PLAIN_BYTES);
      // Records that have come together are told together: their answers leave in one send, and as few records.
      let more = n;
      if (!one && !shaking) {
        while (more > 0 && n <= PLAIN_BYTES - RECORD_BYTES && openssl.bioPending(incoming) > 0) {
          more = openssl.read(ssl, this.#plainAddress + n, PLAIN_BYTES - n);
          if (more > 0) n += more;
        }
      }
      // Asked at once: whoever learns that the handshake is done may write, and then the answer is another. SSL_want would
      // not do: it says what was last waited for, also of a connection that has failed meanwhile.
      const waits = more <= 0 && openssl.error(ssl, more) === WANTS_READING;
      const reason = more <= 0 && !waits ? openssl.takeError() : "";
      // Its part of a handshake, the answer to a new key or to a wish to renegotiate: one record of data brings none.
      const spoke = !one || n <= 0;
      if (spoke && !this.#speak(handle, ssl, life, shaking)) {
        openssl.bioReset(incoming);
        return;
      }
      if (n > 0) {
        this.#sinks[handle]?.received(handle, this.#plain, 0, n);
        if (this.#ssl[handle] !== ssl || this.#lives[handle] !== life) {
          openssl.bioReset(incoming);
          return;
        }
        if (one) return;
      }
      if (more <= 0) return this.#stopped(handle, ssl, waits, reason, n > 0);
      // OpenSSL takes no byte beyond the record that it reads.
      this.#state[handle] &= ~MIDWAY;
      const left = openssl.bioPending(incoming);
      if (left === 0) return;
      if ((this.#state[handle] & READING) === 0) return this.#takeOut(handle, left);
    }
  }

  /**
   * There is nothing more to be read: for now (`waits`), or for good, with OpenSSL's `reason` if that was an error. `told`:
   * the sink has just got what came before.
   */
  #stopped(handle: Handle, ssl: Pointer, waits: boolean, reason: string, told: boolean): void {
    const openssl = this.#openssl;
    if (waits && openssl.bioPending(this.#incoming) === 0) {
      this.#state[handle] |= MIDWAY;
      return;
    }
    openssl.bioReset(this.#incoming);
    // OpenSSL takes a fatal alert for an end as well, but with an error.
    if (reason !== "" || (openssl.shutdownState(ssl) & PEER_CLOSED) === 0) return this.#broken(handle, ssl, reason);
    // Who has paused learns of the end when he reads on: OpenSSL says it again.
    if (told && (this.#state[handle] & READING) === 0) return this.#hold(handle, new Uint8Array(0));
    this.#state[handle] &= ~READING;
    this.#sinks[handle]?.ended(handle);
  }

  #broken(handle: Handle, ssl: Pointer, reason: string): void {
    const state = this.#state[handle];
    // What was wrong with a client's certificate. Whoever is the client has his own words for a server's.
    if (reason === "certificate verify failed" && (state & CLIENT) === 0) {
      reason += `: ${opensslCertificates().refusal(ssl)}`;
    }
    // The alert that says what was wrong.
    this.#flush(handle);
    this.#state[handle] |= BROKEN;
    if (state & HANDSHAKING) return this.#owner.handshakeFailed(handle, reason);
    this.reason = reason;
    this.#sinks[handle]?.failed(handle, this.constants.errno.EPROTO);
    this.reason = "";
  }

  /** What OpenSSL says by itself goes out. False when the connection is no longer ours. */
  #speak(handle: Handle, ssl: Pointer, life: number, shaking: boolean): boolean {
    const sent = this.#flush(handle);
    if (shaking && this.#openssl.handshaken(ssl)) {
      if (this.#state[handle] & COUNTED) this.#open.count--;
      this.#state[handle] &= ~(HANDSHAKING | COUNTED);
      this.#openssl.forgetPeerKey(ssl);
      this.#owner.secured(handle);
      if (this.#ssl[handle] !== ssl || this.#lives[handle] !== life) return false;
      if ((this.#state[handle] & READING) === 0) this.#poller.pause(handle);
    }
    if (sent >= 0) return true;
    this.#state[handle] |= BROKEN;
    this.#sinks[handle]?.failed(handle, -sent);
    return false;
  }

  #noTls(handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    if (this.#state[handle] & CLIENT) {
      this.#state[handle] |= BROKEN;
      const said = Buffer.from(bytes.subarray(start, Math.min(end, start + MAX_QUOTED))).toString("latin1");
      const line = /^[\x20-\x7e]+/.exec(said)?.[0];
      return this.#owner.handshakeFailed(
        handle,
        line === undefined ? NO_TLS : `${NO_TLS} (it says ${JSON.stringify(line)})`,
      );
    }
    const upper = (at: number): boolean => at < end && bytes[at] >= 0x41 && bytes[at] <= 0x5a;
    if (upper(start) && upper(start + 1) && upper(start + 2)) {
      this.release(handle, false);
      return this.#owner.spokePlain(handle);
    }
    this.#state[handle] |= BROKEN;
    this.#owner.handshakeFailed(handle, "what came is no TLS");
  }

  sent(handle: Handle): void {
    this.#state[handle] &= ~BLOCKED;
    this.#sinks[handle]?.sent(handle);
  }
  blocked(handle: Handle): void {
    this.#state[handle] |= BLOCKED;
    this.#sinks[handle]?.blocked?.(handle);
  }
  ended(handle: Handle): void {
    this.#state[handle] &= ~READING;
    this.#sinks[handle]?.ended(handle);
  }
  hungUp(handle: Handle): void {
    this.#sinks[handle]?.hungUp(handle);
  }
  failed(handle: Handle, errno: number): void {
    this.#state[handle] |= BROKEN;
    this.#sinks[handle]?.failed(handle, errno);
  }
  expired(handle: Handle): void {
    this.#sinks[handle]?.expired(handle);
  }
  accepted(): void {}
  connected(): void {}
  datagram(): void {}

  // ---- what waits for a reader

  #hold(handle: Handle, bytes: Uint8Array): void {
    const before = this.#held.get(handle);
    this.#held.set(handle, before === undefined ? bytes : Buffer.concat([before, bytes]));
  }

  /** The reader has paused with records still to be read. */
  #takeOut(handle: Handle, left: number): void {
    const bytes = new Uint8Array(left);
    for (let at = 0; at < left; ) {
      const n = this.#openssl.bioRead(this.#incoming, this.#plainAddress, Math.min(PLAIN_BYTES, left - at));
      if (n <= 0) break;
      bytes.set(this.#plain.subarray(0, n), at);
      at += n;
    }
    this.#hold(handle, bytes);
  }

  #deliverHeld(handle: Handle, life: number): void {
    const bytes = this.#held.get(handle);
    if (bytes === undefined || this.#lives[handle] !== life || (this.#state[handle] & READING) === 0) return;
    if (this.#state[handle] & HANDSHAKING) return;
    this.#held.delete(handle);
    try {
      this.received(handle, bytes, 0, bytes.length);
    } catch (error) {
      this.#poller.onSinkError(handle, error);
    }
    if (this.#lives[handle] === life && this.#state[handle] & READING) this.#poller.receive(handle);
  }

  // ---- Transport

  get onSinkError(): Poller["onSinkError"] {
    return this.#poller.onSinkError;
  }
  fd(handle: Handle): number {
    return this.#poller.fd(handle);
  }
  setSink(handle: Handle, sink: Sink): void {
    this.#sinks[handle] = sink;
  }

  receive(handle: Handle): void {
    if (this.#ssl[handle] === 0) return;
    this.#state[handle] |= READING;
    if (this.#held.size === 0 || !this.#held.has(handle)) return this.#poller.receive(handle);
    const life = this.#lives[handle];
    queueMicrotask(() => this.#deliverHeld(handle, life));
  }

  pause(handle: Handle): void {
    this.#state[handle] &= ~READING;
    if ((this.#state[handle] & HANDSHAKING) === 0) this.#poller.pause(handle);
  }

  sendOutgoing(handle: Handle, start: number, end: number): number {
    const ssl = this.#ssl[handle];
    if (ssl === 0 || this.#openssl.write(ssl, this.#outgoingAddress + start, end - start) <= 0) return this.#unsent();
    return this.#flush(handle);
  }

  send(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    let result = SENT;
    while (start < end) {
      const n = this.#encrypt(handle, bytes, start, end);
      if (n < 0) return n;
      start += n;
      result = this.#flush(handle);
      if (result < 0) return result;
    }
    return result;
  }

  sendSome(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    if (this.#state[handle] & BLOCKED) return -this.constants.errno.EAGAIN;
    const n = this.#encrypt(handle, bytes, start, end);
    if (n < 0) return n;
    const result = this.#flush(handle);
    return result < 0 ? result : n;
  }

  /** The kernel has no key: the file is to be read. */
  sendFile(): number {
    return -this.constants.errno.EINVAL;
  }

  outstanding(handle: Handle): number {
    return this.#poller.outstanding(handle);
  }

  shutdown(handle: Handle): number {
    this.#notify(handle, this.#ssl[handle]);
    return this.#poller.shutdown(handle);
  }

  /** As much as leaves at once; how much that was. */
  #encrypt(handle: Handle, bytes: Uint8Array, start: number, end: number): number {
    const length = Math.min(OUT_BYTES, end - start);
    const some = start === 0 ? bytes : bytes.subarray(start, start + length);
    const ssl = this.#ssl[handle];
    return ssl === 0 || this.#openssl.writeBytes(ssl, some, length) <= 0 ? this.#unsent() : length;
  }

  /** Gives the poller what OpenSSL has written; the result of `send`. */
  #flush(handle: Handle): number {
    let result = this.#state[handle] & BLOCKED ? SENDING : SENT;
    const poller = this.#poller;
    for (;;) {
      freed(poller.outgoing);
      const n = this.#openssl.bioRead(this.#outgoingBio, poller.outgoingAddress, this.#rawCapacity);
      if (n <= 0) return result;
      result = poller.sendOutgoing(handle, 0, n);
      if (result < 0) {
        this.#openssl.bioReset(this.#outgoingBio);
        return result;
      }
      if (result === SENDING) this.#state[handle] |= BLOCKED;
      if (n < this.#rawCapacity) return result;
    }
  }

  #unsent(): number {
    this.#openssl.takeError();
    this.#openssl.bioReset(this.#outgoingBio);
    return -this.constants.errno.EPIPE;
  }

  #notify(handle: Handle, ssl: Pointer): void {
    if (ssl === 0 || this.#state[handle] & (HANDSHAKING | BROKEN)) return;
    // Errors that stay would be taken for those of whoever uses OpenSSL next in this thread.
    if (this.#openssl.shutdown(ssl) < 0) this.#openssl.takeError();
    this.#flush(handle);
  }
}
