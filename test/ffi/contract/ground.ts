/**
 * What a run's programs share: the sockets that are nobody's but the test's, by plain calls of the seam, and memory. There
 * is nothing of one kernel here.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelMemory, System } from "../../../ffi/system.ts";
import { encodeIp } from "../../../src/net/address.ts";
import { pattern } from "./model.ts";

const LOOPBACK = { bytes: new Uint8Array([127, 0, 0, 1]), zone: "" };
const READ = 1 << 20;
/** sys/socket.h; winsock2.h has the numbers of BSD. */
const BUFFERS = { linux: [7, 8], others: [0x1001, 0x1002] } as const;
const SMALL = 8192;
const PATIENCE_MS = 5000;

export class Ground {
  readonly system: System;
  /** A plain listener, and a port where nobody listens. */
  readonly listener: { readonly fd: number; readonly port: number };
  readonly #silent: { readonly fd: number; readonly port: number };
  readonly #memory: KernelMemory;
  readonly #free = new Map<number, KernelMemory[]>();
  #file: { readonly fd: number; readonly folder: string } | undefined;

  constructor(system: System) {
    this.system = system;
    this.#memory = system.allocate(READ);
    this.listener = this.#bound(true);
    this.#silent = this.#bound(false);
  }

  get silentPort(): number {
    return this.#silent.port;
  }

  /** A file with the pattern in it. */
  get file(): number {
    if (this.#file === undefined) {
      const folder = mkdtempSync(join(tmpdir(), "slipway-contract-"));
      const path = join(folder, "pattern");
      writeFileSync(path, pattern);
      this.#file = { fd: openSync(path, "r"), folder };
    }
    return this.#file.fd;
  }

  dispose(): void {
    this.system.close(this.listener.fd);
    this.system.close(this.#silent.fd);
    if (this.#file === undefined) return;
    closeSync(this.#file.fd);
    rmSync(this.#file.folder, { recursive: true, force: true });
  }

  /**
   * `system`, whose memory is used again by the next poller: it is never freed, and thousands of pollers would need
   * gigabytes. `release` says that nobody uses it any more.
   */
  recycling(system: System): { readonly system: System; release(): void } {
    const taken: KernelMemory[] = [];
    const allocate = (bytes: number): KernelMemory => {
      const memory = this.#free.get(bytes)?.pop() ?? system.allocate(bytes);
      new Uint8Array(memory.buffer).fill(0);
      taken.push(memory);
      return memory;
    };
    const release = (): void => {
      for (const memory of taken.splice(0)) {
        const size = memory.buffer.byteLength;
        const free = this.#free.get(size);
        if (free === undefined) this.#free.set(size, [memory]);
        else free.push(memory);
      }
    };
    return { system: { ...system, allocate }, release };
  }

  address(port: number): Uint8Array<ArrayBuffer> {
    return encodeIp(this.system.constants, LOOPBACK, port);
  }
  localPort(fd: number): number {
    const address = new Uint8Array(128);
    checked(this.system.getsockname(fd, address), "getsockname");
    return (address[2] << 8) | address[3];
  }
  /** 0 when it is gone already. */
  peerPort(fd: number): number {
    const address = new Uint8Array(128);
    return this.system.getpeername(fd, address) < 0 ? 0 : (address[2] << 8) | address[3];
  }

  tcp(): number {
    const { AF_INET, SOCK_STREAM } = this.system.constants;
    return checked(this.system.socket(AF_INET, SOCK_STREAM, 0), "socket");
  }
  /** A datagram socket with an address. */
  udp(): number {
    const { AF_INET, SOCK_DGRAM } = this.system.constants;
    const fd = checked(this.system.socket(AF_INET, SOCK_DGRAM, 0), "socket");
    checked(this.system.bind(fd, this.address(0)), "bind");
    return fd;
  }
  unixPair(): [number, number] {
    const pair = new Int32Array(2);
    checked(this.system.socketpair(this.system.constants.SOCK_STREAM, pair), "socketpair");
    return [pair[0], pair[1]];
  }
  /** A listening one, for the poller. */
  listening(): { readonly fd: number; readonly port: number } {
    return this.#bound(true);
  }

  /** Two ends of a connection over loopback. `stranger` takes what somebody else has connected meanwhile. */
  tcpPair(small: boolean, stranger: (fd: number) => void): [number, number] {
    const { system, listener } = this;
    const fd = this.tcp();
    if (small) this.smallBuffers(fd);
    const connected = system.connect(fd, this.address(listener.port));
    const { EINPROGRESS, EAGAIN } = system.constants.errno;
    if (connected < 0 && connected !== -EINPROGRESS && connected !== -EAGAIN) checked(connected, "connect");
    const port = this.localPort(fd);
    const end = performance.now() + PATIENCE_MS;
    while (performance.now() < end) {
      const accepted = system.accept(listener.fd);
      if (accepted < 0) continue;
      if (this.peerPort(accepted) === port) {
        if (small) this.smallBuffers(accepted);
        return [fd, accepted];
      }
      stranger(accepted);
    }
    throw new Error("a connection over loopback did not come to be within 5 s");
  }

  smallBuffers(fd: number): void {
    const { SOL_SOCKET, system: name } = this.system.constants;
    const size = new Uint8Array(new Int32Array([SMALL]).buffer);
    for (const option of name === "linux" ? BUFFERS.linux : BUFFERS.others) {
      this.system.setsockopt(fd, SOL_SOCKET, option, size);
    }
  }
  /** Its close will be a reset. */
  linger0(fd: number): void {
    const { SOL_SOCKET, SO_LINGER, system: name } = this.system.constants;
    // struct linger: ints, on Windows shorts.
    const value = (name as string) === "win32" ? new Int16Array([1, 0]) : new Int32Array([1, 0]);
    this.system.setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(value.buffer));
  }

  /** Reads what there is, a piece: bytes, which are lent, 0 for FIN, or a negated errno. */
  read(fd: number, most = READ): Uint8Array | number {
    const n = this.system.receive(fd, this.#memory.address, Math.min(most, READ));
    return n > 0 ? new Uint8Array(this.#memory.buffer, 0, n) : n;
  }
  /** Likewise a datagram. */
  readFrom(fd: number): { readonly bytes: Uint8Array; readonly from: Uint8Array } | number {
    const from = new Uint8Array(128);
    const length = new Uint32Array(1);
    const n = this.system.receiveFrom(fd, this.#memory.address, READ, from, length);
    if (n < 0) return n;
    return { bytes: new Uint8Array(this.#memory.buffer, 0, n), from: from.subarray(0, length[0]) };
  }

  /** Connections to the plain listener that nobody waits for. */
  refuseRest(): void {
    for (let fd = this.system.accept(this.listener.fd); fd >= 0; fd = this.system.accept(this.listener.fd)) {
      this.system.close(fd);
    }
  }

  #bound(listens: boolean): { readonly fd: number; readonly port: number } {
    const fd = this.tcp();
    checked(this.system.bind(fd, this.address(0)), "bind");
    if (listens) checked(this.system.listen(fd, 128), "listen");
    return { fd, port: this.localPort(fd) };
  }
}

function checked(result: number, call: string): number {
  if (result < 0) throw new Error(`the test's own ${call} failed with errno ${-result}`);
  return result;
}
