/** A request and its response, as streams of HTTP/2 are counted; and who is told of what comes. */
import type { ClientHttp2 } from "./client-connection.ts";

/** How a stream was lost. */
export interface Loss {
  /** The server has not looked at the request: anything may be sent again (RFC 9113, 8.7). */
  readonly unprocessed: boolean;
  /** Not a byte of an answer has come. */
  readonly untouched: boolean;
  /** The server wants it over HTTP/1.1 (RFC 9113, 7: HTTP_1_1_REQUIRED). */
  readonly http1?: boolean;
  readonly cause?: unknown;
}

export interface StreamOwner {
  /** Bytes of the body that nobody has read, and whether they are so many that no more should come. */
  readonly unread: number;
  readonly paused: boolean;
  /** A head, as HTTP/1.1 would have it. Answers what is wrong with it, "" when nothing is; so do `data` and `ended`. */
  head(bytes: Buffer, ends: boolean): string;
  data(bytes: Uint8Array, start: number, end: number): string;
  ended(): string;
  /** The body may go on. */
  mayWrite(): void;
  /** The server has answered without it. */
  uploadRefused(): void;
  lost(why: string, loss: Loss): void;
  /** What came is not HTTP/2, or no response. */
  broken(why: string): void;
}

export class ClientStream {
  readonly connection: ClientHttp2;
  readonly id: number;
  readonly owner: StreamOwner;
  /** What we may send, and the server may. */
  window: number;
  left: number;
  /** Its final head has come; all of it has; all of ours has been sent. */
  answered = false;
  ended = false;
  sentAll = false;
  interim = 0;

  constructor(connection: ClientHttp2, id: number, owner: StreamOwner, window: number, left: number) {
    this.connection = connection;
    this.id = id;
    this.owner = owner;
    this.window = window;
    this.left = left;
  }
}
