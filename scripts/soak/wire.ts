/**
 * A client's end of one connection, made of node:net: it sends the bytes it is given and reads responses as they come,
 * by the letter of RFC 9112. It retries nothing, and tells how a connection ended.
 */
import { connect as connectSocket, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  /** The whole head, as it came. */
  readonly head: string;
  /** The server said that this is the connection's last answer. */
  readonly close: boolean;
  readonly body: Buffer;
}

/** The connection ended before what was waited for. */
export class Ended extends Error {
  /** "FIN", or the errno's name. */
  readonly how: string;
  /** The worker thread that had it, as far as it was known. */
  readonly worker: string | undefined;
  constructor(how: string, when: string, worker?: string) {
    super(`${how} ${when}`);
    this.how = how;
    this.worker = worker;
  }
}

/** What came is no HTTP, or not what was asked for: always the server's fault. */
export class Wrong extends Error {}

interface Waiter {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

const HEAD = 0;
const LENGTH = 1;
const CHUNK_SIZE = 2;
const CHUNK_DATA = 3;
const CHUNK_END = 4;
const TRAILER = 5;
const UNTIL_CLOSE = 6;

export class Wire {
  readonly socket: Socket;
  /** Told of body bytes as they come, for answers without an end. */
  onBody: ((chunk: Buffer) => void) | undefined;
  /** How it ended; undefined while it lives. */
  how: string | undefined;
  /** Bytes that came in all. */
  received = 0;
  /** The worker thread that answers, once it has said so. */
  worker: string | undefined;
  #state = HEAD;
  #pending: Buffer = Buffer.alloc(0);
  #left = 0;
  #status = 0;
  #head = "";
  #close = false;
  #body: Buffer[] = [];
  readonly #answers: Answer[] = [];
  readonly #waiters: Waiter[] = [];
  #wrong: Wrong | undefined;
  readonly #gone = Promise.withResolvers<string>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received += chunk.length;
      try {
        this.#feed(chunk);
      } catch (error) {
        this.#wrong = error as Wrong;
        this.#over("WRONG");
        socket.destroy();
      }
    });
    socket.on("end", () => {
      if (this.#state === UNTIL_CLOSE) this.#answer();
      this.#over("FIN");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => this.#over(error.code ?? error.message));
    socket.on("close", () => this.#over("closed"));
  }

  /** The next final answer; rejects with `Ended` when the connection ends before, with `Wrong` for what is none. */
  answer(): Promise<Answer> {
    const ready = this.#answers.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.how !== undefined) return Promise.reject(this.#ended());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Resolves with how the connection ended. */
  gone(): Promise<string> {
    return this.#gone.promise;
  }

  write(data: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  /** Writes and waits until the kernel has it, or the connection is gone. */
  send(data: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (!this.socket.writable) return resolve();
      this.socket.write(data, () => resolve());
    });
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }
  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #over(how: string): void {
    if (this.how !== undefined) return;
    this.how = how;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#ended());
    this.#gone.resolve(how);
  }

  #ended(): Error {
    const when = this.#state === HEAD && this.#pending.length === 0 ? "between answers" : "inside an answer";
    return this.#wrong ?? new Ended(this.how ?? "", when, this.worker);
  }

  #feed(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#step());
  }

  /** One step of reading; false when more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case HEAD: {
        const end = this.#pending.indexOf("\r\n\r\n", 0, "latin1");
        if (end < 0) return false;
        this.#begin(this.#take(end + 4).toString("latin1", 0, end));
        return true;
      }
      case LENGTH:
      case CHUNK_DATA: {
        if (this.#left > 0 && this.#pending.length === 0) return false;
        const part = this.#take(Math.min(this.#left, this.#pending.length));
        this.#left -= part.length;
        this.#keep(part);
        if (this.#left > 0) return false;
        if (this.#state === CHUNK_DATA) this.#state = CHUNK_END;
        else this.#answer();
        return true;
      }
      case UNTIL_CLOSE:
        this.#keep(this.#take(this.#pending.length));
        return false;
      default: {
        const end = this.#pending.indexOf("\r\n", 0, "latin1");
        if (end < 0) return false;
        const line = this.#take(end + 2).toString("latin1", 0, end);
        if (this.#state === CHUNK_SIZE) {
          if (!/^[0-9a-f]+$/.test(line)) throw new Wrong(`malformed chunk size ${JSON.stringify(line)}`);
          this.#left = Number.parseInt(line, 16);
          this.#state = this.#left > 0 ? CHUNK_DATA : TRAILER;
        } else if (line !== "") throw new Wrong(`no end of a chunk: ${JSON.stringify(line)}`);
        else if (this.#state === TRAILER) this.#answer();
        else this.#state = CHUNK_SIZE;
        return true;
      }
    }
  }

  #begin(head: string): void {
    const match = /^HTTP\/1\.1 ([1-5]\d\d) [^\r\n]*(?:\r\n[^\r\n:]+:[^\r\n]*)*$/.exec(head);
    if (match === null) throw new Wrong(`malformed head ${JSON.stringify(head.slice(0, 300))}`);
    this.#status = Number(match[1]);
    if (this.#status < 200) return;
    this.#head = head;
    this.#close = /^connection:.*\bclose\b/im.test(head);
    this.worker = /^x-worker: (\d+)$/im.exec(head)?.[1] ?? this.worker;
    const length = /^content-length: *(\d+) *$/im.exec(head);
    if (/^transfer-encoding: *chunked *$/im.test(head)) this.#state = CHUNK_SIZE;
    else if (this.#status === 204 || this.#status === 304) this.#answer();
    else if (length !== null) {
      this.#left = Number(length[1]);
      this.#state = LENGTH;
    } else this.#state = UNTIL_CLOSE;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    if (this.onBody !== undefined) this.onBody(part);
    else this.#body.push(part);
  }

  #answer(): void {
    const answer = { status: this.#status, head: this.#head, close: this.#close, body: Buffer.concat(this.#body) };
    this.#state = HEAD;
    this.#body = [];
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter.resolve(answer);
    else this.#answers.push(answer);
  }

  #take(count: number): Buffer {
    const part = this.#pending.subarray(0, count);
    this.#pending = this.#pending.subarray(count);
    return part;
  }
}

/** Connects to a port of this machine; rejects with `Ended`. */
export function connect(port: number): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const failed = (error: NodeJS.ErrnoException): void => reject(new Ended(error.code ?? error.message, "connecting"));
    socket.once("error", failed);
    socket.once("connect", () => {
      socket.off("error", failed);
      resolve(new Wire(socket));
    });
  });
}

export const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: soak\r\n\r\n`;
