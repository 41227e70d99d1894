/** Random programs, from a seed. Likely are those that meet: what was just made is used next, and often closed. */
import type { Random } from "../../http/support/random.ts";
import type { Call, Kind as FaultKind } from "../single-fault.ts";
import type { Heard, Kind, Op, Parked, Program, Way } from "./program.ts";

/** What a machine can be asked for. */
export interface Possible {
  /** socketpair(2). */
  readonly unix: boolean;
  readonly sendFile: boolean;
  /** `Poller.attend`, and a descriptor that can be watched. */
  readonly attend: boolean;
  readonly faults: readonly { readonly call: Call; readonly passes: readonly FaultKind[]; readonly breaks: readonly FaultKind[] }[]; // biome-ignore format: one line
}

/** Sizes about which code has opinions: one byte, a batched send, a scratch buffer, a full socket. */
const SIZES = [0, 1, 2, 100, 700, 4096, 16_384, 16_385, 65_535, 65_536, 65_537, 131_072, 300_000];
const HEARD: readonly Heard[] = ["received", "received", "received", "sent", "ended", "hungUp", "failed", "connected", "accepted", "datagram"]; // biome-ignore format: one line
const CONNECTIONS = 8;

export function randomProgram(random: Random, possible: Possible): Program {
  const parked: Parked = possible.attend ? random.pick(["poll", "wait", "watch"]) : "poll";
  const ops: Op[] = [];
  const ends: string[] = [];
  const sockets: string[] = [];
  const listeners: number[] = [];
  let connections = 0;
  const faulty = random.chance(0.5) && possible.faults.length > 0;
  /** A fault that ends connections leaves less to be said about them: rare. */
  const breaking = faulty && random.chance(0.15);
  const calls = faulty
    ? [random.pick(possible.faults), random.pick(possible.faults), random.pick(possible.faults)]
    : [];

  const size = (): number => (random.chance(0.4) ? 1 + random.below(3000) : random.pick(SIZES));
  const kind = (): Kind => (random.chance(0.6) ? "handle" : "plain");
  /** The last ones are the likeliest. */
  const recent = <T>(list: readonly T[]): T => list[Math.max(0, list.length - 1 - Math.floor(random.next() ** 2 * 6))];

  const made = (): Op => {
    const conn = connections++;
    const what = random.below(10);
    if (what < 2 && listeners.length < 3) {
      connections--;
      const listener = listeners.length;
      listeners.push(listener);
      return { do: "listen", listener };
    }
    if (what < 3 && sockets.length < 3) {
      connections--;
      sockets.push(`u${sockets.length}`);
      return { do: "socket", socket: sockets.length - 1, kind: random.chance(0.8) ? "handle" : "plain" };
    }
    ends.push(`a${conn}`, `b${conn}`);
    if (what < 5 && listeners.length > 0) {
      const bytes = random.chance(0.5) ? size() : 0;
      return { do: "dial", conn, listener: random.pick(listeners), bytes, spoke: random.chance(bytes > 0 ? 0.7 : 0.2) };
    }
    if (what < 6) {
      const to = random.pick<number | "plain" | "refused">(["plain", "refused", ...listeners]);
      return { do: "connect", conn, to };
    }
    const a = kind();
    const b = a === "plain" ? "handle" : kind();
    return { do: "join", conn, family: possible.unix && random.chance(0.5) ? "unix" : "tcp", a, b, small: random.chance(0.4) }; // biome-ignore format: one line
  };

  const sent = (): Op => {
    if (sockets.length > 0 && random.chance(0.2)) {
      return { do: "sendTo", from: random.pick(sockets), to: random.pick(sockets), bytes: random.below(1500) };
    }
    const ways: readonly Way[] = ["send", "sendOutgoing", "sendOutgoing", "sendSome", possible.sendFile ? "sendFile" : "send"]; // biome-ignore format: one line
    return { do: "send", to: recent(ends), way: random.pick(ways), bytes: size() };
  };

  const target = (): string => {
    if (sockets.length > 0 && random.chance(0.1)) return random.pick(sockets);
    if (listeners.length > 0 && random.chance(0.1)) return `l${random.pick(listeners)}`;
    return recent(ends);
  };

  /** What may be done from within a sink as well. */
  const simple = (): Op => {
    const what = random.below(100);
    if (ends.length === 0 || (what < 10 && connections < CONNECTIONS)) return made();
    if (what < 45) return sent();
    if (what < 62) return { do: "receive", to: target() };
    if (what < 72) return { do: "pause", to: target() };
    if (what < 80) return { do: "finish", to: recent(ends) };
    if (what < 89) return { do: random.chance(0.2) ? "closeAtOnce" : "close", to: target() };
    if (what < 92) return { do: "reset", to: recent(ends) };
    if (what < 96) return { do: "setSink", to: target() };
    return { do: random.pick(["wake", "retry"]) };
  };

  const length = 5 + random.below(40);
  for (let i = 0; i < 1 + random.below(3); i++) ops.push(made());
  while (ops.length < length) {
    const what = random.below(100);
    if (calls.length > 0 && what < 12) {
      const { call, passes, breaks } = random.pick(calls);
      const kinds = breaking && breaks.length > 0 && random.chance(0.4) ? breaks : passes;
      if (kinds.length === 0) continue;
      ops.push({ do: "fault", call, kind: random.pick(kinds), after: random.below(4), times: 1 + random.below(3) });
    } else if (what < 20 && ends.length > 0) {
      const run = random.chance(0.1) ? ({ do: "throw" } as const) : simple();
      ops.push({ do: "on", to: target(), heard: random.pick(HEARD), run });
    } else if (what < 40) ops.push({ do: "poll" });
    else if (what < 44) ops.push({ do: "settle" });
    else if (what < 46 && possible.attend) ops.push({ do: random.pick(["wait", "attend"]) });
    else ops.push(simple());
  }
  return { parked, ops };
}
