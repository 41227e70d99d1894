/**
 * Whether this kernel's io_uring does what `uring.ts` relies on, found out by doing it to a pair of sockets: versions do
 * not tell, since distributions carry fixes back and sandboxes forbid single operations. Some ten system calls.
 *
 *   - a multishot receive waits on a non-blocking socket, and goes on after the first bytes
 *   - a send that goes whole is not told of
 *   - one that would have to wait ends, and says how far it came
 */
import type { KernelMemory, System } from "./system.ts";
import type { ProvidedBuffers } from "./uring-buffers.ts";
import {
  BUFFER_SELECT,
  CQE_SKIP_SUCCESS,
  F_BUFFER,
  F_MORE,
  LENGTH,
  MSG_WAITALL,
  OP_FLAGS,
  OP_RECV,
  OP_SEND,
  RECV_MULTISHOT,
  type Ring,
} from "./uring-ring.ts";

const RECEIVED = 1;
const SENT_WHOLE = 2;
const SENT_PART = 3;
/** More than the smallest send buffer holds. */
const TOO_MUCH = 64 * 1024;
const A_FEW = 16;
const SO_SNDBUF = 7;

/** Throws one sentence when it does not. `memory` may be sent from. */
export function probe(system: System, ring: Ring, buffers: ProvidedBuffers, memory: KernelMemory): void {
  const pair = new Int32Array(2);
  const made = system.socketpair(system.constants.SOCK_STREAM, pair);
  if (made < 0) throw new Error(`no sockets to try io_uring with: errno ${-made}`);
  try {
    for (const fd of pair) system.setsockopt(fd, system.constants.SOL_SOCKET, SO_SNDBUF, new Uint8Array(4));
    const seen = new Int32Array(64);
    /** What came, as one completion: its kind, result and flags; undefined unless it is one. */
    const one = (): readonly [kind: number, result: number, flags: number] | undefined => {
      ring.enter(0);
      return ring.take(seen, 0) === 4 ? [seen[1], seen[2], seen[3]] : undefined;
    };
    const flags = system.constants.MSG_NOSIGNAL | system.constants.MSG_DONTWAIT | MSG_WAITALL;
    const send = (fd: number, length: number, kind: number): void => {
      const at = ring.request(OP_SEND, fd, 0, kind);
      ring.address(at, memory.address);
      ring.words[at + LENGTH] = length;
      ring.words[at + OP_FLAGS] = flags;
      ring.flag(at, CQE_SKIP_SUCCESS);
    };
    const receive = ring.request(OP_RECV, pair[1], 0, RECEIVED);
    ring.flag(receive, BUFFER_SELECT);
    ring.priority(receive, RECV_MULTISHOT);
    ring.bufferGroup(receive, buffers.group);
    if (one() !== undefined) throw new Error("receiving does not wait");
    send(pair[0], A_FEW, SENT_WHOLE);
    const [kind, length, more] = one() ?? one() ?? [0, 0, 0];
    if (more & F_BUFFER) buffers.give(more >>> 16);
    if (kind !== RECEIVED || length !== A_FEW || (more & F_MORE) === 0) {
      throw new Error(`receiving does not go on, or a send that went whole is told of (${kind}: ${length})`);
    }
    send(pair[1], TOO_MUCH, SENT_PART);
    const [which, result] = one() ?? [0, 0];
    if (which !== SENT_PART || result <= 0 || result >= TOO_MUCH) {
      throw new Error(`a send that would have to wait does not end (${which}: ${result})`);
    }
    // The receive ends with what it receives from: nothing of this is left when handles make requests.
    system.shutdown(pair[0], system.constants.SHUT_WR);
    const last = one() ?? one();
    if (last === undefined || last[2] & F_MORE) throw new Error("a receive does not end with its connection");
    buffers.tell();
  } finally {
    system.close(pair[0]);
    system.close(pair[1]);
  }
}
