/** What a request costs on io_uring: at most so many calls, turns and events, and so many bytes. */
import { checkCosts } from "./check.ts";

/** One enter sends the answer and waits for the next request. */
const once = { calls: { io_uring_enter: 1 }, turns: 1, events: 1 };

checkCosts(
  "uring",
  {
    plaintext: { ...once, bytes: 450 },
    "pipelined 16": { ...once, bytes: 2500 },
    "JSON, 12 headers read": { ...once, bytes: 3180 },
    "async handler": { ...once, bytes: 2400 },
    "body of 100 bytes echoed": { ...once, bytes: 4600 },
    "new connection per request": {
      // It is accepted with its request, which is read at once.
      calls: { accept4: 2, io_uring_enter: 3, recv: 1 },
      turns: 2,
      events: 2,
      bytes: 1100,
    },
    "raw echo": { calls: { io_uring_enter: 1, send: 1 }, turns: 1, events: 1, bytes: 1300 },
    "raw echo, new connection each": {
      calls: { accept4: 2, getpeername: 1, getsockname: 1, io_uring_enter: 4, send: 1 },
      turns: 5,
      events: 4,
      bytes: 2700,
    },
  },
  false,
);
