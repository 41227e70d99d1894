/**
 * The programs of the contract test: lists of operations on a poller, sockets and their peers, as data. What an operation
 * names may be gone, or never have been: then it does nothing; so any part of a program is a program, which is what makes
 * shrinking one simple (`shrink.ts`).
 *
 * Connection 3 has the ends `a3` and `b3`; each is a handle of the poller under test, or plain: a descriptor that the test
 * reads and writes itself. `l1` is a listener of the poller's, `u2` a datagram socket.
 */
import type { Call, Kind as FaultKind } from "../single-fault.ts";

export type Kind = "handle" | "plain";
export type Way = "send" | "sendOutgoing" | "sendSome" | "sendFile";
export type Heard = "received" | "sent" | "ended" | "hungUp" | "failed" | "connected" | "accepted" | "datagram";

export type Op =
  /** A connection whose ends are there at once. `small`: so are its buffers. */
  | {
      readonly do: "join";
      readonly conn: number;
      readonly family: "tcp" | "unix";
      readonly a: Kind;
      readonly b: Kind;
      readonly small: boolean;
    }
  | { readonly do: "listen"; readonly listener: number }
  /** A plain end connects to a listener, and sends; its other end is opened as it is accepted. */
  | {
      readonly do: "dial";
      readonly conn: number;
      readonly listener: number;
      readonly bytes: number;
      readonly spoke: boolean;
    }
  /** A handle connects. */
  | { readonly do: "connect"; readonly conn: number; readonly to: number | "plain" | "refused" }
  | { readonly do: "socket"; readonly socket: number; readonly kind: Kind }
  | { readonly do: "send"; readonly to: string; readonly way: Way; readonly bytes: number }
  | { readonly do: "sendTo"; readonly from: string; readonly to: string; readonly bytes: number }
  | {
      readonly do: "receive" | "pause" | "finish" | "close" | "closeAtOnce" | "reset" | "setSink";
      readonly to: string;
    }
  /** `poll` looks once, `settle` goes on until all that is due has come, `wait` looks and must deliver nothing. */
  | { readonly do: "poll" | "settle" | "wait" | "wake" | "attend" | "retry" | "throw" }
  /** The call fails so, `times` in a row, after `after` that do not. */
  | {
      readonly do: "fault";
      readonly call: Call;
      readonly kind: FaultKind;
      readonly after: number;
      readonly times: number;
    }
  /** From within the sink, when it hears so for the next time. */
  | { readonly do: "on"; readonly to: string; readonly heard: Heard; readonly run: Op };

/** How the poller is waited for: by its own calls, or by the host's loop, which watches its descriptor. */
export type Parked = "poll" | "wait" | "watch";

export interface Program {
  readonly parked: Parked;
  readonly ops: readonly Op[];
}

/** One line for a person. */
export function say(op: Op): string {
  switch (op.do) {
    case "join": {
      const small = op.small ? ", with small buffers" : "";
      return `connection ${op.conn} over ${op.family}: a${op.conn} is ${article(op.a)}, b${op.conn} is ${article(op.b)}${small}`;
    }
    case "listen":
      return `l${op.listener} listens, and accepts`;
    case "dial": {
      const sends = op.bytes > 0 ? ` and sends ${op.bytes} bytes` : "";
      const spoke = op.spoke ? ", opened as one that spoke" : "";
      return `connection ${op.conn}: plain a${op.conn} connects to l${op.listener}${sends}; b${op.conn} is what is accepted${spoke}`;
    }
    case "connect":
      return `connection ${op.conn}: handle a${op.conn} connects to ${connectsTo(op.to)}`;
    case "socket":
      return `u${op.socket}, a datagram socket, is ${article(op.kind)}`;
    case "send":
      return `${op.to} ${op.way} ${op.bytes} bytes`;
    case "sendTo":
      return `${op.from} sendTo ${op.to} ${op.bytes} bytes`;
    case "fault": {
      const after = op.after > 0 ? `, after ${op.after} that do not` : "";
      return `fault: the next ${op.call} fails with ${op.kind}, ${op.times} times${after}`;
    }
    case "on":
      return `within ${op.to}'s next ${op.heard}: ${say(op.run)}`;
    default:
      return "to" in op ? `${op.to} ${op.do}` : op.do;
  }
}

function article(kind: Kind): string {
  return kind === "handle" ? "a handle" : "plain";
}

function connectsTo(to: number | "plain" | "refused"): string {
  if (to === "plain") return "a plain listener";
  return to === "refused" ? "a port where nobody listens" : `l${to}`;
}

export function sayAll({ parked, ops }: Program): string {
  const lines = ops.map((op, i) => `${String(i + 1).padStart(4)}  ${say(op)}`);
  return [`      parked by ${parked === "watch" ? "watching its descriptor" : parked}`, ...lines].join("\n");
}
