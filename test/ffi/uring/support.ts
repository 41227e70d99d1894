/**
 * Tests of io_uring's poller by itself: real sockets, one end of each on a `UringPoller`, the other by plain system calls,
 * and a table of what was heard. Where the kernel refuses io_uring each test is skipped, with its sentence.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { linuxSystem } from "../../../ffi/libc-linux.ts";
import { type Handle, SENT, type Sink } from "../../../ffi/poller.ts";
import type { LinuxSystem } from "../../../ffi/system.ts";
import { UringPoller } from "../../../ffi/uring.ts";
import { uringCalls } from "../../../ffi/uring-calls.ts";
import { skip } from "../../support/skip.ts";
import { faultyRing } from "../ring-faults.ts";

export const sys: LinuxSystem = linuxSystem();
const { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_LINGER, SHUT_WR, errno } = sys.constants;

export { errno, SENT };

const SO_SNDBUF = 7;
const SO_RCVBUF = 8;

export const newPoller = (calls = uringCalls(), on = sys): UringPoller => new UringPoller(on, calls);

/** Why io_uring does not work here, "" when it does. */
export const refused: string = (() => {
  try {
    newPoller().dispose();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
})();

/** A suite whose tests get a poller each; after each of them nothing may be left of it. */
export function uring(name: string) {
  const test = suite(name);
  const one = (title: string, run: (poller: UringPoller) => void | Promise<void>): void => {
    if (refused !== "") return skip(test, title, refused);
    test(title, async () => {
      const before = descriptors();
      const poller = newPoller();
      poller.onSinkError = (_handle, error) => {
        throw error;
      };
      await run(poller);
      assert.is(poller.openCount, 0, "the test closes its handles");
      poller.dispose();
      assert.equal(descriptors(), before, "no descriptor is left");
    });
  };
  return Object.assign(one, { run: () => test.run(), skip: () => test.skip() });
}

/** Sockets, rings and eventfds of this process. */
export function descriptors(): string[] {
  const list: string[] = [];
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      if (/^socket:|io_uring/.test(target)) list.push(`${fd} ${target.replace(/\d+/, "")}`);
    } catch {
      // The descriptor that read the directory is gone.
    }
  }
  return list.sort();
}

/** Polls until it holds; ten seconds are more than anything takes here. */
export function until(poller: UringPoller, holds: () => boolean, what: string): void {
  const end = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within 10 s: ${what}`);
    poller.poll(20);
  }
}

/** Everything that was under way is over: three looks in a row find nothing. */
export function settle(poller: UringPoller): void {
  for (let quiet = 0; quiet < 3; ) quiet = poller.poll(1) === 0 && !poller.pending ? quiet + 1 : 0;
}

/** Our end of a connection: a handle, and what its sink heard. */
export class Near implements Sink {
  readonly handle: Handle;
  readonly heard: string[] = [];
  readonly #chunks: Uint8Array[] = [];
  readonly accepted_: number[] = [];
  length = 0;
  /** Called behind each note. */
  also: (what: string) => void = () => {};
  readonly #poller: UringPoller;

  constructor(poller: UringPoller, fd: number) {
    this.#poller = poller;
    this.handle = poller.open(fd, this);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
  count(what: string): number {
    return this.heard.filter((heard) => heard === what).length;
  }
  accepted(_listener: Handle, fd: number): void {
    this.accepted_.push(fd);
    this.#note("accepted");
  }
  connected(): void {
    this.#note("connected");
  }
  received(_handle: Handle, bytes: Uint8Array, start: number, end: number): void {
    this.#chunks.push(bytes.slice(start, end));
    this.length += end - start;
    this.#note("received");
  }
  datagram(): void {
    this.#note("datagram");
  }
  sent(): void {
    this.#note("sent");
  }
  ended(): void {
    this.#note("ended");
  }
  hungUp(): void {
    this.#note("hungUp");
  }
  failed(_handle: Handle, code: number): void {
    this.#note(`failed ${code}`);
  }
  expired(): void {}

  #note(what: string): void {
    this.heard.push(what);
    this.also(what);
  }

  /** Sends by way of `outgoing`, as answers are. */
  answer(bytes: Uint8Array): number {
    this.#poller.outgoing.set(bytes);
    return this.#poller.sendOutgoing(this.handle, 0, bytes.length);
  }
}

const memory = refused === "" ? sys.allocate(1 << 20) : undefined;

/** The other end: a descriptor that is read and written by plain calls. */
export class Far {
  readonly fd: number;
  /** How it ended: 0 for FIN, else an errno. */
  end: number | undefined;
  readonly #chunks: Uint8Array[] = [];
  length = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
  send(bytes: Uint8Array): number {
    return sys.send(this.fd, bytes);
  }
  /** Reads what there is, at most so much; whether that was anything. */
  read(most = Number.POSITIVE_INFINITY): boolean {
    if (memory === undefined) return false;
    const before = this.length;
    while (this.end === undefined && this.length - before < most) {
      const n = sys.receive(this.fd, memory.address, Math.min(1 << 20, most - (this.length - before)));
      if (n === -errno.EAGAIN) break;
      if (n <= 0) this.end = -n;
      else {
        this.#chunks.push(new Uint8Array(memory.buffer, 0, n).slice());
        this.length += n;
      }
    }
    return this.length > before || this.end !== undefined;
  }
  finish(): void {
    sys.shutdown(this.fd, SHUT_WR);
  }
  close(): void {
    sys.close(this.fd);
  }
  /** Closes with a reset. */
  reset(): void {
    linger0(this.fd);
    sys.close(this.fd);
  }
}

export function linger0(fd: number): void {
  sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(new Int32Array([1, 0]).buffer));
}

/** As small as they get, so that they fill at once. */
export function smallBuffers(fd: number): void {
  for (const name of [SO_SNDBUF, SO_RCVBUF]) sys.setsockopt(fd, SOL_SOCKET, name, new Uint8Array(4));
}

const address = (port: number): Uint8Array =>
  new Uint8Array([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);

export { address };

/** A TCP socket that listens on loopback. */
export function listening(port = 0, backlog = 4096): { fd: number; port: number; error: number } {
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  const error = sys.bind(fd, address(port)) || sys.listen(fd, backlog);
  const bound = new Uint8Array(128);
  sys.getsockname(fd, bound);
  return { fd, port: (bound[2] << 8) | bound[3], error };
}

/** A TCP connection over loopback, as two descriptors. */
export function tcp(prepare: (fd: number) => void = () => {}): [near: number, far: number] {
  const listener = listening();
  const far = sys.socket(AF_INET, SOCK_STREAM, 0);
  prepare(far);
  sys.connect(far, address(listener.port));
  let near = -1;
  // Over loopback the handshake is done within connect(2).
  while (near < 0) near = sys.accept(listener.fd);
  prepare(near);
  sys.close(listener.fd);
  return [near, far];
}

/** A pair of Unix sockets. */
export function unix(prepare: (fd: number) => void = () => {}): [near: number, far: number] {
  const fds = new Int32Array(2);
  assert.is(sys.socketpair(SOCK_STREAM, fds), 0);
  for (const fd of fds) prepare(fd);
  return [fds[0], fds[1]];
}

/** Both ends of one connection. */
export function connection(poller: UringPoller, fds: readonly [number, number] = tcp()): { near: Near; far: Far } {
  return { near: new Near(poller, fds[0]), far: new Far(fds[1]) };
}

/** Bytes that depend on where they are, so that none can be lost, doubled or moved unnoticed. */
export function pattern(length: number, salt = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i + salt, 2654435761) >>> 11) & 255;
  return bytes;
}

export function same(got: Uint8Array, expected: Uint8Array, what: string): void {
  assert.is(got.length, expected.length, `${what}: ${got.length} of ${expected.length} bytes`);
  assert.is(Buffer.compare(got, expected), 0, `${what}: the same bytes`);
}

/** Why io_uring's faults can't be injected: IORING_OP_NOP that ends with a given result is of Linux 6.10. */
export const faultsRefused: string = (() => {
  if (refused !== "") return refused;
  const { calls, arm } = faultyRing((call) => (call === "ringReceive" ? "ECONNRESET" : undefined));
  const poller = new UringPoller(sys, calls);
  arm();
  const { near, far } = connection(poller, unix());
  poller.receive(near.handle);
  for (let looks = 0; looks < 3; looks++) poller.poll(0);
  const works = near.heard.includes(`failed ${errno.ECONNRESET}`);
  poller.close(near.handle);
  poller.dispose();
  far.close();
  return works ? "" : "this kernel's IORING_OP_NOP can't be told its result";
})();
