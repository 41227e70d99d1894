/** Who is told of every request that ends: the access log. While nobody is, requests are not looked at. */
import type { Addr } from "../net/mod.ts";

/** As OpenTelemetry's network.protocol.version has it. */
export type HttpVersion = "1.0" | "1.1" | "2";

/** One request that has ended. */
export interface ExchangeRecord {
  readonly method: string;
  /** The request's target as it came (RFC 9112, 3.2), unescaped: clients choose these bytes. */
  readonly target: string;
  readonly version: HttpVersion;
  /** 0: the client was gone before there was an answer. */
  readonly status: number;
  /** Bytes of the request's body, and of the response with its head. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** From the head's arrival until the response was handed to the kernel, in milliseconds. */
  readonly durationMs: number;
  /** To be read while `ended` runs: later the peer may be forgotten. */
  readonly remoteAddr: Addr;
  /** The request's head, one latin1 character a byte; its fields begin at `fieldsStart`. */
  readonly head: string;
  readonly fieldsStart: number;
  /** What `requestId` gave. */
  readonly requestId: string | undefined;
  /** The response did not leave whole. */
  readonly aborted: boolean;
}

export interface ExchangeObserver {
  /**
   * The id that a request goes by, sent back as `x-request-id` unless the handler sets that field itself. Called once,
   * before the handler, with the head as in the record.
   */
  requestId(head: string, fieldsStart: number): string | undefined;
  ended(record: ExchangeRecord): void;
}

/** Installed by `setObserver`; read at every request. */
export let observer: ExchangeObserver | undefined;

/** Installs the observer of all servers of this process but the admin port's; undefined takes it away. */
export function setObserver(next: ExchangeObserver | undefined): void {
  observer = next;
}
