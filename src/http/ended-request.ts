/** What is noted of a request that has ended: histograms, and the record for the access log. */
import type { Addr } from "../net/mod.ts";
import { monotonicNow } from "../runtime/clock.ts";
import type { HttpCounters } from "./counters.ts";
import type { Exchange } from "./exchange.ts";
import { type ExchangeRecord, type HttpVersion, observer } from "./observer.ts";

const VERSIONS: readonly HttpVersion[] = ["1.0", "1.1", "2"];
/** Where a minor version of HTTP/1 would stand. */
export const HTTP_2 = 2;

/** `sentBytes` is the response with its head of `headBytes`; `watched` says that there is an observer to be told. */
export function noteRequest(
  counters: HttpCounters,
  watched: boolean,
  exchange: Exchange | undefined,
  began: number,
  status: number,
  bytesIn: number,
  sentBytes: number,
  headBytes: number,
  aborted: boolean,
  minor: number,
): void {
  const durationMs = monotonicNow() - began;
  if (counters.timed) {
    counters.duration.observe(durationMs / 1000);
    counters.requestSize.observe(bytesIn);
    counters.responseSize.observe(Math.max(0, sentBytes - headBytes));
  }
  if (!watched || exchange === undefined || observer === undefined) return;
  observer.ended(new EndedRequest(exchange, minor, status, bytesIn, sentBytes, durationMs, aborted));
}

/** A head that was refused, or never came whole: of the request nothing can be said for sure, only of its client. */
export function noteRefusedHead(watched: boolean, status: number, bytesOut: number, remoteAddr: () => Addr): void {
  if (!watched || observer === undefined) return;
  observer.ended({
    method: "_OTHER",
    target: "",
    version: "1.1",
    status,
    bytesIn: 0,
    bytesOut,
    durationMs: 0,
    remoteAddr: remoteAddr(),
    head: "",
    fieldsStart: 0,
    requestId: undefined,
    aborted: false,
  });
}

/** What needs a syscall or a string of its own is made for those who look: most of a flood's lines are not written. */
class EndedRequest implements ExchangeRecord {
  readonly version: HttpVersion;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly aborted: boolean;
  readonly #exchange: Exchange;

  constructor(
    exchange: Exchange,
    minor: number,
    status: number,
    bytesIn: number,
    bytesOut: number,
    durationMs: number,
    aborted: boolean,
  ) {
    this.#exchange = exchange;
    this.version = VERSIONS[minor];
    this.status = status;
    this.bytesIn = bytesIn;
    this.bytesOut = bytesOut;
    this.durationMs = durationMs;
    this.aborted = aborted;
  }

  get method(): string {
    return this.#exchange.method;
  }
  get target(): string {
    return this.#exchange.target;
  }
  get remoteAddr(): Addr {
    return this.#exchange.remoteAddress;
  }
  get head(): string {
    return this.#exchange.head;
  }
  get fieldsStart(): number {
    return this.#exchange.fieldsStart;
  }
  get requestId(): string | undefined {
    return this.#exchange.requestId;
  }
}
