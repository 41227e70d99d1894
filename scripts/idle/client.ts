// Thousands of connections from one process that costs next to nothing itself: bare descriptors, and no poller, so
// that whatever the kernel has of pollers is the server's.
import { setNonBlockingCloexec } from "../../ffi/fcntl.ts";
import { system } from "../../ffi/libc.ts";
import { encodeIp } from "../../src/net/address.ts";
import { parseIp } from "../../src/net/ip.ts";
import type { Kind } from "./kinds.ts";

/** Opened at a time: fewer than the server's queue takes. */
const BATCH = 100;

export class Client {
  readonly #system = system();
  readonly #memory = this.#system.allocate(4096);
  readonly #address: Uint8Array;
  readonly #open: number[] = [];

  constructor(port: number) {
    const loopback = parseIp("127.0.0.1");
    if (loopback === undefined) throw new Error("127.0.0.1 is no address here");
    this.#address = encodeIp(this.#system.constants, loopback, port);
  }

  /** Opens connections until there are `count`; each has sent what its kind sends, and has an answer if there is one. */
  async openTo(count: number, kind: Kind): Promise<void> {
    const bytes = new TextEncoder().encode(kind.sends);
    while (this.#open.length < count) {
      const batch = Array.from({ length: Math.min(BATCH, count - this.#open.length) }, () => this.#connect());
      for (const fd of batch) await this.#until(() => this.#system.send(fd, bytes), "send");
      if (kind.answered) for (const fd of batch) await this.#until(() => this.#receive(fd), "recv");
      this.#open.push(...batch);
    }
  }

  /** How many the server has closed. */
  closed(): number {
    return this.#open.filter((fd) => {
      // HTTP/2 answers in several pieces, of which only the first was waited for.
      let received = this.#receive(fd);
      while (received > 0) received = this.#receive(fd);
      return received !== -this.#system.constants.errno.EAGAIN;
    }).length;
  }

  /** Ends all of them by a reset, which leaves no port in TIME-WAIT. */
  end(): void {
    for (const fd of this.#open.splice(0)) this.#system.close(fd);
  }

  #connect(): number {
    const { AF_INET, SOCK_STREAM, SOL_SOCKET, SO_LINGER, errno } = this.#system.constants;
    const fd = this.#system.socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) throw new Error(`socket: errno ${-fd}; raise the limit with "ulimit -n"`);
    setNonBlockingCloexec(this.#system.constants, fd);
    this.#system.setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(new Int32Array([1, 0]).buffer));
    const failed = this.#system.connect(fd, this.#address);
    if (failed < 0 && failed !== -errno.EINPROGRESS) throw new Error(`connect: errno ${-failed}`);
    return fd;
  }

  #receive(fd: number): number {
    return this.#system.receive(fd, this.#memory.address, 4096);
  }

  async #until(call: () => number, what: string): Promise<void> {
    for (let i = 0; i < 10_000; i++) {
      const result = call();
      if (result > 0) return;
      if (result === 0) throw new Error("the server closed a connection");
      if (result !== -this.#system.constants.errno.EAGAIN) throw new Error(`${what}: errno ${-result}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`${what}: nothing for ten seconds`);
  }
}
