/**
 * Whether this kernel's io_uring does what `uring.ts` relies on, found out by doing it to a pair of sockets: versions do
 * not tell, since distributions carry fixes back and sandboxes forbid single operations. Eight system calls.
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
/** Words of a completion, and which is which. */
const WORDS = 4;
const KIND = 1;
const RESULT = 2;
const FLAGS = 3;

/** Throws one sentence when it does not. `memory` may be sent from. */
export function probe(system: System, ring: Ring, buffers: ProvidedBuffers, memory: KernelMemory): void {
  const pair = new Int32Array(2);
  const made = system.socketpair(system.constants.SOCK_STREAM, pair);
  if (made < 0) throw new Error(`no sockets to try io_uring with: errno ${-made}`);
  try {
    for (const fd of pair) system.setsockopt(fd, system.constants.SOL_SOCKET, SO_SNDBUF, new Uint8Array(4));
    const receive = ring.request(OP_RECV, pair[1], 0, RECEIVED);
    ring.flag(receive, BUFFER_SELECT);
    ring.priority(receive, RECV_MULTISHOT);
    ring.bufferGroup(receive, buffers.group);
    send(system, ring, pair[0], memory, A_FEW, SENT_WHOLE);
    send(system, ring, pair[1], memory, TOO_MUCH, SENT_PART);
    ring.enter(0);
    const seen = new Int32Array(64);
    let end = ring.take(seen, 0);
    // The receive may be due only now.
    ring.enter(0);
    end = ring.take(seen, end);
    const received = find(seen, end, RECEIVED);
    const part = find(seen, end, SENT_PART);
    const length = seen[received + RESULT];
    const flags = seen[received + FLAGS];
    if (received >= 0 && flags & F_BUFFER) buffers.give(flags >>> 16);
    if (received < 0 || length !== A_FEW || (flags & F_MORE) === 0) {
      throw new Error(`receiving does not wait, or does not go on (${seen.subarray(0, end)})`);
    }
    if (part < 0 || seen[part + RESULT] <= 0 || seen[part + RESULT] >= TOO_MUCH) {
      throw new Error(`a send that would have to wait does not end (${seen.subarray(0, end)})`);
    }
    if (end !== 2 * WORDS) throw new Error(`a send that went whole is told of (${seen.subarray(0, end)})`);
    // The receive ends with what it receives from: nothing of this is left when handles make requests.
    system.shutdown(pair[0], system.constants.SHUT_WR);
    ring.enter(0);
    end = ring.take(seen, 0);
    if (end !== WORDS || seen[FLAGS] & F_MORE) throw new Error("a receive does not end with its connection");
    buffers.tell();
  } finally {
    system.close(pair[0]);
    system.close(pair[1]);
  }
}

function send(system: System, ring: Ring, fd: number, memory: KernelMemory, length: number, kind: number): void {
  const at = ring.request(OP_SEND, fd, 0, kind);
  ring.address(at, memory.address);
  ring.words[at + LENGTH] = length;
  ring.words[at + OP_FLAGS] = system.constants.MSG_NOSIGNAL | system.constants.MSG_DONTWAIT | MSG_WAITALL;
  ring.flag(at, CQE_SKIP_SUCCESS);
}

function find(seen: Int32Array, end: number, kind: number): number {
  for (let at = 0; at < end; at += WORDS) if (seen[at + KIND] === kind) return at;
  return -1;
}
