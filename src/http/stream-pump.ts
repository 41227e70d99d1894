/**
 * Sends a stream's chunks, one after the other: the next is asked for when the last has left, or lies in the batch.
 *
 * Small chunks gather in a batch. It leaves when it is full, and at the latest when the microtasks of this moment are
 * done: then nothing more comes without somebody having waited for something. So events that are enqueued in one go,
 * and a short stream with its head, cost one send (a send for each was 25 ms of CPU per MiB of events).
 */
import { logError } from "../runtime/log.ts";
import { type BodyOutput, DEARER } from "./body-output.ts";
import { fieldLines, type TrailerFields, trailerFields } from "./extras.ts";
import { newBatch, type Outgoing } from "./outgoing.ts";
import { CHUNKED } from "./response-head.ts";
import { writeChunkSize } from "./simple-response.ts";

/** Bytes that wait for more of them. */
const BATCH = 32 * 1024;
/** Chunks above this are not copied into a batch that they don't fit. */
const LARGE = BATCH / 4;
/** A chunk's size in hex (13 digits stay below 2^53) and two line ends. */
const FRAMING = 17;
/** What a chunk counts beside its bytes before others get their turn: reading it from the stream takes 0.5–1 µs. */
const CHUNK_COST = 4 * 1024;
/** Batches kept for whoever needs one next. Who waits for a chunk holds none. */
const SPARES = 8;
const CR = 0x0d;
const LF = 0x0a;
const LAST_CHUNK = "0\r\n\r\n";
export const TOO_LONG = "a body's stream gave more bytes than its content-length";

const spares: Outgoing[] = [];
type Result = ReadableStreamReadResult<Uint8Array>;

export class StreamPump {
  /** The stream is being waited for. */
  waiting = false;
  readonly #output: BodyOutput;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #chunked: boolean;
  readonly #trailers: TrailerFields | undefined;
  readonly #cuts: boolean;
  /** Bytes that the content-length still promises; -1 where it says nothing. */
  #left: number;
  #batch: Outgoing | undefined;
  #end = 0;
  #scheduled = false;
  /** The socket is full. */
  #full: Promise<void> | undefined;
  #over = false;
  readonly #done = Promise.withResolvers<void>();

  /** `trailers` are for chunks alone. `cuts`: what is beyond the content-length is left out, and no error. */
  constructor(
    output: BodyOutput,
    reader: ReadableStreamDefaultReader<Uint8Array>,
    framing: number,
    trailers?: TrailerFields,
    cuts = false,
  ) {
    this.#cuts = cuts;
    this.#trailers = trailers;
    this.#output = output;
    this.#reader = reader;
    this.#chunked = framing === CHUNKED;
    this.#left = framing >= 0 ? framing : -1;
    this.#done.promise.catch(() => {});
  }

  /**
   * Sends `out[0, head)`, and the stream behind it, of which `first` was read already. Resolves when all of it has
   * left, or the pump was stopped.
   */
  run(head: number, first: Result | undefined): Promise<void> {
    const { out } = this.#output;
    if (head <= BATCH) {
      this.#reserve().set(out.subarray(0, head));
      this.#end = head;
      // Not from here: a tick that is queued outside of a microtask comes before all of those.
      queueMicrotask(this.#schedule);
    } else this.#full = this.#output.flush(head);
    if (first !== undefined) this.#took(first);
    else this.#ask();
    return this.#done.promise;
  }

  /** Nobody waits for it any more. */
  stop(): void {
    this.#over = true;
    this.#release();
    this.#done.resolve();
  }

  #ask(): void {
    this.waiting = true;
    this.#reader.read().then(this.#took, this.#failed);
  }

  readonly #took = (result: Result): void => {
    this.waiting = false;
    if (this.#over) return;
    try {
      const wait = this.#full === undefined ? this.#handle(result) : this.#whenThereIsRoom(() => this.#handle(result));
      if (wait !== undefined) wait.then(this.#goOn, this.#failed);
      else if (!this.#over) this.#ask();
    } catch (error) {
      this.#failed(error);
    }
  };

  readonly #goOn = (): void => {
    if (!this.#over) this.#ask();
  };

  readonly #failed = (error: unknown): void => {
    this.waiting = false;
    if (this.#over) return;
    this.#over = true;
    const end = (): void => this.#done.reject(error);
    this.#leave().then(end, end);
  };

  /** What has come before an error still leaves: the client may make something of it. */
  async #leave(): Promise<void> {
    await this.#full;
    this.#flush();
    await this.#full;
  }

  /** One chunk, or the end. Returns what the next chunk has to wait for. */
  #handle(result: Result): Promise<void> | undefined {
    if (result.done) return this.#finish();
    const chunk: unknown = result.value;
    if (!(chunk instanceof Uint8Array)) {
      throw this.#cancel(new TypeError("a body's stream must give Uint8Arrays: expected typed ArrayBufferView"));
    }
    const { length } = chunk;
    if (length === 0) return undefined;
    if (this.#left >= 0 && (this.#left -= length) < 0) {
      if (!this.#cuts) throw this.#cancel(new TypeError(TOO_LONG));
      return this.#tooLong(chunk.subarray(0, length + this.#left));
    }
    const room = BATCH - this.#end - FRAMING;
    if (length > room && (length > LARGE || length > BATCH - FRAMING)) return this.#large(chunk);
    if (length > room) {
      this.#flush();
      if (this.#full !== undefined) {
        return this.#whenThereIsRoom(() => {
          this.#append(chunk);
          return undefined;
        });
      }
    }
    this.#append(chunk);
    return this.#output.spend(length * DEARER + CHUNK_COST);
  }

  /** What was announced is what the client gets, and no byte of the next response's place is taken (RFC 9112, 6.3). */
  async #tooLong(last: Uint8Array): Promise<void> {
    logError("the rest of a stream was left out", this.#cancel(new TypeError(TOO_LONG)));
    this.#left = last.length;
    await this.#handle({ done: false, value: last });
    if (!this.#over) await this.#finish();
  }

  #append(chunk: Uint8Array): void {
    const batch = this.#reserve();
    let at = this.#chunked ? writeChunkSize(batch, this.#end, chunk.length) : this.#end;
    batch.set(chunk, at);
    at += chunk.length;
    if (this.#chunked) {
      batch[at++] = CR;
      batch[at++] = LF;
    }
    this.#end = at;
    this.#schedule();
  }

  /**
   * A chunk that goes by itself, behind the batch, which is mostly its size and goes with it. As long as the socket takes
   * all of it no promise is made.
   */
  #large(chunk: Uint8Array): Promise<void> | undefined {
    const output = this.#output;
    if (this.#chunked) {
      if (this.#end + FRAMING > BATCH) {
        this.#flush();
        if (this.#full !== undefined) return this.#whenThereIsRoom(() => this.#large(chunk));
      }
      this.#end = writeChunkSize(this.#reserve(), this.#end, chunk.length);
    }
    const batch = this.#batch;
    const end = this.#end;
    if (batch !== undefined && end > 0) {
      const sent = output.some(batch, end, true);
      // A copy: the batch is the next one's as soon as it is released, and a Buffer's slice is a view.
      if (sent < end) return this.#rest(Uint8Array.prototype.slice.call(batch, sent, end), chunk, 0);
      this.#release();
    }
    const sent = output.some(chunk, chunk.length, false);
    if (sent < chunk.length) return this.#rest(undefined, chunk, sent);
    this.#endLine();
    return output.spend((end + sent) * DEARER);
  }

  /** What the socket did not take of the batch and of the chunk behind it. */
  async #rest(head: Uint8Array | undefined, chunk: Uint8Array, at: number): Promise<void> {
    this.#release();
    if (head !== undefined) await this.#output.bytes(head, 0, true);
    await this.#output.bytes(chunk, at);
    if (!this.#over) this.#endLine();
  }

  /** The end of a large chunk's line waits in the next batch. */
  #endLine(): void {
    if (!this.#chunked) return;
    const batch = this.#reserve();
    batch[this.#end++] = CR;
    batch[this.#end++] = LF;
    this.#schedule();
  }

  async #finish(): Promise<void> {
    if (this.#left > 0) throw new TypeError("a body's stream gave fewer bytes than its content-length");
    if (this.#chunked) {
      let last = LAST_CHUNK;
      if (this.#trailers !== undefined) {
        this.waiting = true;
        const fields = await trailerFields(this.#trailers);
        this.waiting = false;
        if (this.#over) return;
        last = `0\r\n${fieldLines(fields)}\r\n`;
      }
      if (this.#end + last.length > BATCH) {
        this.#flush();
        await this.#full;
        if (this.#over) return;
      }
      this.#end += this.#reserve().latin1Write(last, this.#end);
    }
    this.#flush();
    if (this.#full !== undefined) await this.#full;
    this.stop();
  }

  readonly #schedule = (): void => {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    process.nextTick(this.#tick);
  };

  readonly #tick = (): void => {
    this.#scheduled = false;
    if (!this.#over && this.#full === undefined) this.#flush();
  };

  /** Sends the batch. If that fills the socket, `#full` is there until it has room. */
  #flush(): void {
    const batch = this.#batch;
    const end = this.#end;
    if (batch === undefined || end === 0) return;
    const output = this.#output;
    // Through the poller's own memory: io_uring sends what lies there together with everybody else's.
    output.out.set(batch.subarray(0, end));
    this.#release();
    if (output.connection.closed) return;
    const full = output.flush(end);
    if (full === undefined) return;
    this.#full = full.then(() => {
      this.#full = undefined;
      if (this.#end > 0) this.#schedule();
    });
    // Its end is told by the connection.
    this.#full.catch(() => {});
  }

  async #whenThereIsRoom(then: () => Promise<void> | undefined): Promise<void> {
    await this.#full;
    if (!this.#over) await then();
  }

  #cancel(error: Error): Error {
    this.#reader.cancel(error).catch(() => {});
    return error;
  }

  #reserve(): Outgoing {
    return (this.#batch ??= spares.pop() ?? newBatch(BATCH));
  }

  #release(): void {
    if (this.#batch !== undefined && spares.length < SPARES) spares.push(this.#batch);
    this.#batch = undefined;
    this.#end = 0;
  }
}
