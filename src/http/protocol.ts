/**
 * A protocol beside HTTP/1.1 on the connections of a server: what it asks of the server, and what the server asks of it.
 * It has the connection's sink from its first byte on; the server goes on to count the connection, and ends it.
 */
import type { Handle } from "../../ffi/poller.ts";
import type { TurnShares } from "../runtime/turn-shares.ts";
import type { ClockHost } from "./connection-clocks.ts";
import type { HttpCounters, LimitName } from "./counters.ts";
import type { Exchange, ExchangeHost } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import type { Refusal } from "./refusals.ts";

export interface Protocol {
  /** Takes over a connection that nothing was said on yet, but for what stands in `bytes[start, end)`. */
  start(handle: Handle, bytes: Uint8Array, start: number, end: number): void;
}

/** A connection that speaks it. */
export interface OtherConnection {
  /** Requests that are being answered. */
  readonly requests: number;
  /** Those of its streams that have left HTTP. */
  readonly tunnels: number;
  /** `name`: of what it has become. */
  visitRequests(visit: (startedAt: number, name?: string) => void): void;
  /** The server wants to end: with `last`, whatever was not begun by now is not served. */
  drain(last: boolean): void;
  /** It is closed: whoever works for it is told why. */
  closeWith(reason?: unknown): void;
}

/** What was answered, for those who count and log. */
export interface Answered {
  readonly startedAt: number;
  /** 0: nothing was sent. */
  readonly status: number;
  readonly sentBytes: number;
  readonly headBytes: number;
  /** Of HTTP/1, or HTTP_2. */
  readonly minor: number;
}

export interface ProtocolHost extends ExchangeHost, ClockHost {
  readonly limits: Limits;
  readonly counters: HttpCounters;
  readonly draining: boolean;
  /** The second half of the drain: connections end as soon as they may. */
  readonly ending: boolean;
  /** Somebody is told of each request. */
  readonly watched: boolean;
  readonly others: Map<Handle, OtherConnection>;
  /** Where input waits that is more than a connection's share of a turn. */
  readonly shares: TurnShares;
  /** Requests whose connection is gone, and whose handler has not noticed yet, with when they began. */
  readonly abandoned: Map<Exchange, number>;
  serialOf(handle: Handle): number;
  /** A request's head is whole: it is counted. True when the connection has had all that it may have. */
  requestCame(handle: Handle): boolean;
  /** Between head and handler. `length`: what the body announces, -1 for nothing. Throws what the limits hook throws. */
  admit(exchange: Exchange, handle: Handle, length: number): Refusal | undefined;
  /** Calls the handler; gives what it returned, or the answer to what it threw. */
  call(exchange: Exchange): unknown;
  failure(error: unknown, exchange: Exchange, what?: string): unknown;
  cutOff(error: unknown, exchange: Exchange): void;
  lastResort(error: unknown): Response;
  /** An answer of ours, in plain text. */
  plain(status: number, reason: string): Response;
  exchangeEnded(answered: Answered, exchange: Exchange, aborted: boolean): void;
  /** A head that was refused, and is no exchange. */
  headRefused(handle: Handle, status: number, sent: number): void;
  fired(limit: LimitName, handle: Handle, what: string): void;
  closeNow(handle: Handle): void;
  /** Closes after FIN and what the client still says. */
  part(handle: Handle, clean: boolean): void;
}
