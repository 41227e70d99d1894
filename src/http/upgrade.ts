/**
 * Connections that leave HTTP (RFC 9110, 7.8): after a 101 the bytes are another protocol's. Here is what the two ask of
 * each other: a `Successor` is told what comes, and says through its `Channel` what goes. The server keeps counting the
 * connection, and its drain waits for it as for a request.
 *
 * Whoever carries a protocol over something else than a connection of its own (a stream of HTTP/2: RFC 8441) implements
 * `Channel`, and nothing of the protocol changes.
 */
import type { Addr } from "../net/mod.ts";
import type { Outgoing } from "./outgoing.ts";

/** What a protocol asks of that which carries its bytes. Results of sending are the poller's: SENT, SENDING, -errno. */
export interface Channel {
  /** Milliseconds of the clock, as deadlines count. */
  readonly now: number;
  readonly remoteAddr: Addr;
  /** Lent memory to write a message into, valid until anything else is called. */
  readonly out: Outgoing;
  /** Sends `out[0, end)`. */
  sendOut(end: number): number;
  send(bytes: Uint8Array, start: number, end: number): number;
  /** Bytes that the peer has not acknowledged. It may cost a system call. */
  outstanding(): number;
  /** Stops and begins `received`; what was in flight may come once more. */
  pause(): void;
  receive(): void;
  /** When `expired` is told; 0 for never. */
  setDeadline(at: number): void;
  /** Ends so that what was sent arrives; the successor hears nothing more. */
  finish(): void;
  /** Ends at once, with a reset: what still waits is lost. */
  cut(): void;
}

/** Who carries on where HTTP has ended. */
export interface Successor {
  /** In the table of tasks. */
  readonly name: string;
  /** The 101 is on its way; `sending`: it waits to be sent, and `sent` will follow. */
  begin(channel: Channel, sending: boolean): void;
  /** The request was answered with something else, or its client is gone. */
  refused(reason: unknown): void;
  /** `bytes[start, end)` came; they are lent for the call, and may be written to. */
  received(bytes: Uint8Array, start: number, end: number): void;
  /** What waited has been sent. */
  sent(): void;
  /** What had been taken as sent waits: so many bytes of it, as far as that is known. */
  blocked(bytes: number): void;
  /** The peer's FIN. */
  ended(): void;
  /** The connection broke: it is closed when this returns. */
  failed(error: Error): void;
  expired(): void;
  /** The server ends: say goodbye now, and be done soon. */
  drain(): void;
  /** The server has ended: the connection is closed when this returns. */
  closed(reason: unknown): void;
}

/** A request that may lead out of HTTP; an Exchange is one. */
export interface Upgradable {
  /** Settles when the answer has left, be it the upgrade or another one. */
  readonly completed: Promise<void>;
  /** It came on a stream of HTTP/2 that is to carry the other protocol (RFC 8441), and is answered with 200 there. */
  readonly tunnel: boolean;
  /** Why it may not, as the request stands; undefined when it may. */
  upgradeFault(): string | undefined;
}

export function isUpgradable(request: object | null): request is object & Upgradable {
  return request !== null && "upgradeFault" in request;
}

/** What a handler's answer with status 101 stands for. */
export interface Upgrade {
  /** The request that it answers. */
  readonly request: Upgradable;
  readonly successor: Successor;
}

const upgrades = new WeakMap<object, Upgrade>();

/** Says what the answer, of status 101, means. */
export function promise(response: Response, upgrade: Upgrade): void {
  upgrades.set(response, upgrade);
}

export function promised(response: Response): Upgrade | undefined {
  return upgrades.get(response);
}

/** Fields of the head that are not the handler's to choose. */
const OURS = new Set(["connection", "content-length", "transfer-encoding", "keep-alive", "date"]);
const CONTROLS = /[\0-\x08\x0a-\x1f\x7f]/g;

/** The head of a 101 (RFC 9110, 15.2.2), in which the fields name the protocol. Returns its end, -1 where it is too large. */
export function writeSwitch(out: Outgoing, fields: readonly string[], requestId: string | undefined): number {
  let text = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n";
  for (let i = 0; i < fields.length; i += 2) {
    if (!OURS.has(fields[i])) text += `${fields[i]}: ${fields[i + 1].replace(CONTROLS, " ")}\r\n`;
  }
  if (requestId !== undefined) text += `x-request-id: ${requestId}\r\n`;
  text += `date: ${new Date().toUTCString()}\r\n\r\n`;
  return text.length > out.length ? -1 : out.latin1Write(text, 0);
}
