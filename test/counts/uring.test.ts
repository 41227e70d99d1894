/** What a request costs on io_uring: at most so many calls, turns and events, and so many bytes. */
import { checkCosts } from "./check.ts";

/**
 * What has come lies in the queue when the loop wakes: the one enter sends what is to go. One that finds the next request
 * in it needs no turn of its own.
 */
const once = { calls: { io_uring_enter: 1 }, turns: 1, events: 1 };
const later = { ...once, turns: 2 };

checkCosts(
  "uring",
  {
    plaintext: { ...once, bytes: 560 },
    "pipelined 16": { ...once, bytes: 2450 },
    "JSON, 12 headers read": { ...once, bytes: 3350 },
    "async handler": { ...later, bytes: 2400 },
    "body of 100 bytes echoed": { ...later, bytes: 5150 },
    "new connection per request": {
      // It is accepted with its request, which is read at once.
      calls: { accept4: 2, epoll_wait: 1, io_uring_enter: 2, recv: 1 },
      turns: 2,
      events: 2,
      bytes: 1500,
    },
    // 990 with few turns; each turn makes some 330 of its own, and a busy machine makes two of one.
    "raw echo": { calls: { io_uring_enter: 1, send: 1 }, turns: 2, events: 1, bytes: 1300 },
    "raw echo, new connection each": {
      calls: { accept4: 2, epoll_wait: 1, getpeername: 1, getsockname: 1, io_uring_enter: 4, send: 1 },
      turns: 5,
      events: 5,
      bytes: 3900,
    },
  },
  false,
);
