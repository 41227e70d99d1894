// What the kernel has of connections: an object each of some of its slab caches, whose share of their pages is in
// /sys/kernel/slab (only root may read it); and how often a process was put on a core.
//
// How many objects a machine has of a cache says slabinfo(5) too, but everybody's come and go among them, and caches of
// one object size are one. So the objects are listed here, and only the sockets are counted, to see that they are.
import { readdirSync, readFileSync } from "node:fs";

/** A socket, its open file, its inode, its directory entry, and what security modules add to these. */
const SOCKET = ["TCP", "filp", "sock_inode_cache", "dentry", "lsm_inode_cache", "lsm_file_cache"];
/** An item of the set, its place in the socket's wait queue, and the socket's list of such items. */
const EPOLL = ["eventpoll_epi", "eventpoll_pwq", "ep_head"];
/** A multishot receive, its place in the wait queue (struct async_poll), and what recvmsg wants (struct io_async_msghdr). */
const URING = ["io_kiocb", "kmalloc-96", "kmalloc-512"];

export interface KernelCost {
  /** Bytes of a socket. */
  readonly socket: number;
  /** Bytes of its poller's. */
  readonly poller: number;
}

/** What an idle connection has in the kernel, without what is not on this kernel; undefined where nobody tells. */
export function kernelCost(uring: boolean): KernelCost | undefined {
  const socket = SOCKET.reduce((sum, name) => sum + pageShare(name), 0);
  const poller = (uring ? URING : EPOLL).reduce((sum, name) => sum + pageShare(name), 0);
  return socket === 0 ? undefined : { socket, poller };
}

/** The pages of a slab, shared among its objects: 32 KiB hold 13 TCP sockets of 2,368 bytes. */
function pageShare(cache: string): number {
  const read = (file: string): number => Number(readFileSync(`/sys/kernel/slab/${cache}/${file}`, "latin1"));
  try {
    return (4096 << read("order")) / read("objs_per_slab");
  } catch {
    return 0;
  }
}

/** TCP sockets that the kernel has now; undefined where nobody tells. */
export function tcpSockets(): number | undefined {
  try {
    const count = /^TCP +(\d+)/m.exec(readFileSync("/proc/slabinfo", "latin1"))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}

/** How often threads of the processes were put on a core so far (/proc/PID/task/TID/schedstat, its third number). */
export function timeslices(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[2]);
    }
  }
  return sum;
}
