/** What a request costs on epoll: exactly so many calls, turns and events, and so many bytes at the most. */
import { checkCosts } from "./check.ts";

/** One turn that looks at the poller once, reads once and writes once. */
const once = { calls: { epoll_wait: 1, recv: 1, send: 1 }, turns: 1, events: 1 };
/**
 * The turns of a connection: it is accepted (and the queue looked at again, to see that it is empty), it becomes
 * writable, which the kernel tells once, its request comes, its end comes.
 */
const connection = {
  calls: { accept4: 2, close: 1, epoll_ctl: 1, recv: 2, send: 1 },
  turns: 4,
  events: 4,
};

checkCosts(
  "epoll",
  {
    plaintext: { ...once, bytes: 450 },
    "pipelined 16": { ...once, bytes: 2500 },
    "JSON, 12 headers read": { ...once, bytes: 3180 },
    "async handler": { ...once, bytes: 2400 },
    "body of 100 bytes echoed": { ...once, bytes: 4600 },
    // It is accepted with its request, and answered before it is watched.
    "new connection per request": { ...connection, turns: 3, bytes: 1100 },
    "raw echo": { ...once, bytes: 1300 },
    // Its addresses are asked for at once: after a reset the kernel does not know them any more.
    "raw echo, new connection each": {
      ...connection,
      calls: { ...connection.calls, getpeername: 1, getsockname: 1 },
      bytes: 2700,
    },
  },
  true,
);
