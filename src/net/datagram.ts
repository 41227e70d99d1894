/** Datagrams, UDP and Unix, in Deno's shape. */
import type { Handle, Sink } from "../../ffi/poller.ts";
import { errnoError } from "../runtime/errno.ts";
import { BadResource, Interrupted } from "../runtime/errors.ts";
import type { Runtime } from "../runtime/turn.ts";
import {
  type Addr,
  checkPort,
  checkText,
  DATAGRAM,
  decodeAddress,
  encodeIp,
  encodeUnix,
  mapToV6,
  packAddress,
  SOCKADDR_MAX,
  showAddress,
  unpackAddress,
} from "./address.ts";
import { MulticastV4, MulticastV6 } from "./multicast.ts";
import { resolve } from "./names.ts";
import { dequeue, enqueue, type Link } from "./pending.ts";
import type { SocketFile } from "./socket_file.ts";

interface PendingReceive extends Link<PendingReceive> {
  readonly buffer: Uint8Array | undefined;
  readonly resolve: (datagram: [Uint8Array, Addr]) => void;
  readonly reject: (error: Error) => void;
}

interface PendingSend extends Link<PendingSend> {
  readonly bytes: Uint8Array;
  readonly to: Uint8Array;
  readonly resolve: (count: number) => void;
  readonly reject: (error: Error) => void;
}

/** Which family a socket speaks; a Unix one has no ports. */
export type DatagramFamily = "v4" | "v6" | "unix";

/** A datagram socket. Made by `listenDatagram`. */
export class DatagramConn<A extends Addr = Addr> implements AsyncIterable<[Uint8Array, A]>, Disposable {
  /** Where it receives; still known after `close`. */
  readonly addr: A;
  readonly #runtime: Runtime;
  readonly #family: DatagramFamily;
  readonly #file: SocketFile | undefined;
  /** -1 when closed. */
  #handle: Handle;
  #receives: PendingReceive | undefined;
  #sends: PendingSend | undefined;
  /** Received though nobody waited any more; a completion kernel may do that after a pause. */
  #early: [Uint8Array, Addr][] = [];
  #referenced = true;
  #holding = false;

  /** @internal Use `listenDatagram`. */
  constructor(rt: Runtime, fd: number, family: DatagramFamily, file: SocketFile | undefined) {
    const { system, constants } = rt.poller;
    const scratch = new Uint8Array(SOCKADDR_MAX);
    const length = system.getsockname(fd, scratch);
    if (length < 0) {
      system.close(fd);
      file?.remove();
      throw errnoError(constants, -length, "listen for datagrams");
    }
    this.addr = decodeAddress(constants, scratch, length, DATAGRAM) as A;
    this.#runtime = rt;
    this.#family = family;
    this.#file = file;
    this.#handle = rt.open(fd, this.#sink());
    if (this.#handle < 0) {
      file?.remove();
      throw errnoError(constants, -this.#handle, `listen on ${showAddress(this.addr)}`);
    }
    rt.release();
  }

  /**
   * Waits for a datagram; its bytes, and who sent it. With `p` the bytes are put there, and what does not fit is lost, as
   * recvfrom(2) has it; without, they come in an array of just their size.
   */
  receive(p?: Uint8Array): Promise<[Uint8Array, A]> {
    if (p !== undefined && !(p instanceof Uint8Array)) {
      return Promise.reject(new TypeError("receive takes a Uint8Array to fill, or nothing"));
    }
    if (this.#handle < 0) return Promise.reject(closedError());
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve([fill(p, early[0]), early[1] as A]);
    return new Promise((resolve, reject) => {
      const first = this.#receives === undefined;
      const item = {
        buffer: p,
        resolve: resolve as PendingReceive["resolve"],
        reject,
        next: undefined,
        last: undefined,
      };
      this.#receives = enqueue(this.#receives, item);
      if (!first) return;
      this.#runtime.poller.receiveDatagrams(this.#handle);
      this.#hold();
    });
  }

  /** Sends `p` as one datagram; its length. Datagrams that have to wait for room go out in the order of the calls. */
  async send(p: Uint8Array, addr: Addr): Promise<number> {
    if (!(p instanceof Uint8Array)) throw new TypeError("send takes a Uint8Array");
    if (this.#handle < 0) throw closedError();
    const to = "path" in addr || this.#family === "unix" ? this.#unixTarget(addr) : await this.#ipTarget(addr);
    if (this.#handle < 0) throw closedError();
    const { poller } = this.#runtime;
    if (this.#sends === undefined) {
      const n = poller.sendTo(this.#handle, p, to);
      if (n >= 0) return n;
      if (n !== -poller.constants.errno.EAGAIN) throw this.#sendError(-n, to);
    }
    return new Promise((resolve, reject) => {
      this.#sends = enqueue(this.#sends, { bytes: p, to, resolve, reject, next: undefined, last: undefined });
      this.#hold();
    });
  }

  /** Closes the socket; whoever waits gets `Interrupted`. A second call does nothing. */
  close(): void {
    if (this.#handle < 0) return;
    const handle = this.#handle;
    const receives = this.#receives;
    const sends = this.#sends;
    if (!this.#holding) this.#runtime.hold();
    this.#holding = false;
    this.#handle = -1;
    this.#receives = undefined;
    this.#sends = undefined;
    this.#early = [];
    this.#runtime.close(handle);
    this.#file?.remove();
    for (let item = receives; item !== undefined; item = dequeue(item)) item.reject(interruptedError());
    for (let item = sends; item !== undefined; item = dequeue(item)) item.reject(interruptedError());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Each datagram as it comes; ends when the socket is closed. Leaving the loop closes it, as in Deno. */
  async *[Symbol.asyncIterator](): AsyncGenerator<[Uint8Array, A], undefined, undefined> {
    try {
      while (this.#handle >= 0) yield await this.receive();
    } catch (error) {
      if (this.#handle >= 0 || !(error instanceof BadResource || error instanceof Interrupted)) throw error;
    } finally {
      this.close();
    }
  }

  /** Joins an IPv4 multicast group on the interface with this address ("0.0.0.0": the system's choice). */
  async joinMulticastV4(group: string, networkInterface: string): Promise<MulticastV4> {
    return new MulticastV4(this.#runtime.poller, () => this.#fd(), group, networkInterface);
  }

  /** Joins an IPv6 multicast group on the interface with this index (0: the system's choice). */
  async joinMulticastV6(group: string, networkInterface: number): Promise<MulticastV6> {
    return new MulticastV6(this.#runtime.poller, () => this.#fd(), group, networkInterface);
  }

  /** Lets operations that wait keep the process alive, as they do by default. */
  ref(): void {
    this.#referenced = true;
    this.#hold();
  }

  /** Lets the process end although operations wait. */
  unref(): void {
    this.#referenced = false;
    this.#hold();
  }

  #fd(): number {
    if (this.#handle < 0) throw closedError();
    return this.#runtime.poller.fd(this.#handle);
  }

  #unixTarget(addr: Addr): Uint8Array {
    if (!("path" in addr) || this.#family !== "unix") {
      throw new TypeError(`cannot send from ${showAddress(this.addr)} to ${showAddress(addr)}: the transports differ`);
    }
    return encodeUnix(this.#runtime.poller.constants, checkText("path", addr.path));
  }

  async #ipTarget(addr: Addr): Promise<Uint8Array> {
    const { hostname, port } = addr as { hostname: unknown; port: unknown };
    const name = checkText("hostname", hostname);
    const ips = await resolve(name);
    // An IPv4 socket reaches IPv4 only; an IPv6 socket reaches IPv4 through mapped addresses.
    const ip = this.#family === "v4" ? ips.find(({ bytes }) => bytes.length === 4) : ips[0];
    if (ip === undefined) {
      throw new TypeError(`cannot send from ${showAddress(this.addr)} to ${name}: it has no IPv4 address`);
    }
    const mapped = this.#family === "v6" ? mapToV6(ip) : ip;
    return encodeIp(this.#runtime.poller.constants, mapped, checkPort(port));
  }

  #sendError(errno: number, to: Uint8Array): Error {
    const { constants } = this.#runtime.poller;
    const shown = showAddress(unpackAddress(constants, packAddress(to, to.length), DATAGRAM));
    return errnoError(constants, errno, `send to ${shown}`);
  }

  #hold(): void {
    const wanted = this.#referenced && this.#handle >= 0 && (this.#receives !== undefined || this.#sends !== undefined);
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.#runtime.hold();
    else this.#runtime.release();
  }

  #datagram(bytes: Uint8Array, start: number, end: number, from: Uint8Array): void {
    const addr = decodeAddress(this.#runtime.poller.constants, from, from.length, DATAGRAM);
    const item = this.#receives;
    if (item === undefined) {
      this.#early.push([bytes.slice(start, end), addr]);
      return;
    }
    this.#receives = dequeue(item);
    if (this.#receives === undefined) {
      this.#runtime.poller.pause(this.#handle);
      this.#hold();
    }
    const datagram = bytes.subarray(start, end);
    item.resolve([item.buffer === undefined ? datagram.slice() : fill(item.buffer, datagram), addr]);
  }

  /** There is room again. */
  #sent(): void {
    const { poller } = this.#runtime;
    let item = this.#sends;
    while (item !== undefined) {
      const n = poller.sendTo(this.#handle, item.bytes, item.to);
      if (n === -poller.constants.errno.EAGAIN) return;
      if (n >= 0) item.resolve(n);
      else item.reject(this.#sendError(-n, item.to));
      item = dequeue(item);
      this.#sends = item;
    }
    this.#hold();
  }

  #sink(): Sink {
    const nothing = (): void => {};
    return {
      datagram: (_handle, bytes, start, end, from) => this.#datagram(bytes, start, end, from),
      sent: () => this.#sent(),
      // What the network says about an earlier datagram (ICMP) is no failure of the socket: datagrams get lost.
      failed: nothing,
      accepted: nothing,
      connected: nothing,
      received: nothing,
      ended: nothing,
      hungUp: nothing,
      expired: nothing,
    };
  }
}

/** The bytes in the caller's array, as much as fits; in their own where it gave none. */
function fill(buffer: Uint8Array | undefined, bytes: Uint8Array): Uint8Array {
  if (buffer === undefined) return bytes;
  const n = Math.min(buffer.length, bytes.length);
  buffer.set(bytes.subarray(0, n));
  return buffer.subarray(0, n);
}

function closedError(): BadResource {
  return new BadResource("Socket has been closed");
}

function interruptedError(): Interrupted {
  return Object.assign(new Interrupted("operation canceled: the socket was closed"), { code: "EINTR" });
}
