/** Programs that broke the contract once, on one backend or another, as small as they were made: run on each. */
import type { Op, Program } from "./program.ts";

const one = (...ops: readonly Op[]): Program => ({ parked: "poll", ops });
const join = (family: "tcp" | "unix", a: "handle" | "plain", b: "handle" | "plain", small = false): Op => ({
  do: "join",
  conn: 0,
  family,
  a,
  b,
  small,
});

export const known: readonly (readonly [what: string, program: Program])[] = [
  [
    "hungUp is told of a connection that was made and never received on",
    one({ do: "connect", conn: 0, to: "plain" }, { do: "settle" }, { do: "finish", to: "b0" }, { do: "settle" }),
  ],
  [
    "hungUp is told of a connection whose peer is gone before it is looked at",
    one(join("tcp", "handle", "handle"), { do: "close", to: "a0" }, { do: "settle" }),
  ],
  [
    "hungUp is told to who pauses before he has read FIN",
    one(
      join("tcp", "handle", "plain"),
      { do: "send", to: "b0", way: "send", bytes: 1 },
      { do: "on", to: "a0", heard: "received", run: { do: "pause", to: "a0" } },
      { do: "receive", to: "a0" },
      { do: "finish", to: "b0" },
      { do: "settle" },
    ),
  ],
  [
    "and to who pauses later, with more to read than a turn reads",
    one(
      join("tcp", "handle", "plain"),
      { do: "send", to: "b0", way: "send", bytes: 600_000 },
      { do: "finish", to: "b0" },
      { do: "receive", to: "a0" },
      { do: "poll" },
      { do: "pause", to: "a0" },
      { do: "settle" },
    ),
  ],
  [
    "a reset that a send has met is not told as FIN",
    one(
      join("tcp", "handle", "plain"),
      { do: "receive", to: "a0" },
      { do: "reset", to: "b0" },
      { do: "send", to: "a0", way: "sendOutgoing", bytes: 1 },
      { do: "settle" },
    ),
  ],
  [
    "nor to one that had spoken",
    one(
      { do: "listen", listener: 0 },
      { do: "dial", conn: 0, listener: 0, bytes: 0, spoke: true },
      { do: "poll" },
      { do: "reset", to: "a0" },
      { do: "send", to: "b0", way: "sendOutgoing", bytes: 1 },
      { do: "settle" },
    ),
  ],
  ...(["tcp", "unix"] as const).flatMap((family): readonly (readonly [string, Program])[] => [
    [
      `${family}: blocked by a peer that has sent FIN, it comes to rest`,
      one(
        join(family, "handle", "handle", true),
        { do: "finish", to: "b0" },
        { do: "send", to: "a0", way: "send", bytes: 300_000 },
        { do: "settle" },
      ),
    ],
    [
      `${family}: and what waits then is sent, and told, once`,
      one(
        join(family, "handle", "handle", true),
        { do: "finish", to: "a0" },
        { do: "send", to: "b0", way: "sendOutgoing", bytes: 65_536 },
        { do: "receive", to: "a0" },
        { do: "settle" },
        { do: "send", to: "b0", way: "sendOutgoing", bytes: 16_384 },
        { do: "settle" },
      ),
    ],
    [
      `${family}: closed with bytes that wait so, nothing is left`,
      one(
        join(family, "plain", "handle", true),
        { do: "send", to: "b0", way: "send", bytes: 300_000 },
        { do: "finish", to: "a0" },
        { do: "poll" },
        { do: "close", to: "b0" },
      ),
    ],
  ]),
  [
    "nothing is sent when nothing is to be, so that cannot fail",
    one(
      join("unix", "plain", "handle"),
      { do: "send", to: "b0", way: "sendOutgoing", bytes: 0 },
      { do: "close", to: "a0" },
      { do: "settle" },
    ),
  ],
];
