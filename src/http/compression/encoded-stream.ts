/**
 * A body as it is compressed: a stream over a stream, read only as far as it is read itself.
 *
 * What comes without a pause is gathered up to 64 KiB and given to the encoder in one go; as soon as nothing more has
 * come when everybody had a turn, what there is goes, and comes out whole (every write flushes). So an event leaves at
 * once, and a body that flows is not cut into crumbs. The encoder works in another thread.
 */
import type { Transform } from "node:stream";
import type { Coding } from "./accept-encoding.ts";
import { compressionCounters } from "./counters.ts";
import { openEncoder } from "./encoders.ts";

/** Bytes that are given to the encoder at once. */
const GATHERED = 64 * 1024;

type Result = ReadableStreamReadResult<Uint8Array>;

/** `release` gives back the encoder's memory, however it ends. */
export function encodedStream(
  source: ReadableStream<Uint8Array>,
  coding: Coding,
  release: () => void,
): ReadableStream<Uint8Array> {
  const encoding = new Encoding(source, coding, release);
  return new ReadableStream<Uint8Array>(
    { pull: (controller) => encoding.give(controller), cancel: (reason) => encoding.cancel(reason) },
    { highWaterMark: 0 },
  );
}

class Encoding {
  readonly #source: ReadableStream<Uint8Array>;
  readonly #coding: Coding;
  readonly #release: () => void;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #encoder: Transform | undefined;
  /** What was gathered. */
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** A read is under way; its result, once that is there. */
  #asked = false;
  #result: Result | undefined;
  /** Nothing has come for a turn. */
  #quiet = false;
  /** The encoder works on what it was given. */
  #busy = false;
  #sourceEnded = false;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #changed: (() => void) | undefined;

  constructor(source: ReadableStream<Uint8Array>, coding: Coding, release: () => void) {
    this.#source = source;
    this.#coding = coding;
    this.#release = release;
  }

  /** The next piece, or the end. */
  async give(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (;;) {
      const piece: Buffer | null = this.#encoder?.read() ?? null;
      if (piece !== null) {
        compressionCounters.after += piece.length;
        return controller.enqueue(new Uint8Array(piece.buffer as ArrayBuffer, piece.byteOffset, piece.length));
      }
      if (this.#ended) {
        this.#release();
        return controller.close();
      }
      // What came before an error may still leave.
      if (this.#failure !== undefined && !this.#busy && this.#size === 0) {
        this.#stop();
        throw this.#failure.error;
      }
      if (!this.#step()) {
        await new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
      }
    }
  }

  cancel(reason: unknown): Promise<void> {
    this.#failure ??= { error: reason };
    this.#chunks = [];
    this.#size = 0;
    this.#stop();
    this.#tell();
    return this.#reader === undefined ? this.#source.cancel(reason) : this.#reader.cancel(reason);
  }

  /** Does what can be done now; false when something has to come first. */
  #step(): boolean {
    if (this.#result !== undefined) {
      this.#take(this.#result);
      return true;
    }
    const over = this.#sourceEnded || this.#failure !== undefined;
    if (!this.#busy && (this.#size >= GATHERED || (this.#size > 0 && (this.#quiet || over)))) {
      this.#encode();
      return true;
    }
    if (!this.#busy && this.#size === 0 && this.#sourceEnded && this.#failure === undefined) {
      this.#busy = true;
      this.#open().end();
      return true;
    }
    if (over || this.#asked || this.#size >= GATHERED) return false;
    this.#ask();
    return true;
  }

  #ask(): void {
    this.#asked = true;
    this.#quiet = false;
    this.#reader ??= this.#source.getReader();
    this.#reader.read().then(
      (result) => {
        this.#result = result;
        this.#tell();
      },
      (error: unknown) => this.#fail(error),
    );
    if (this.#size === 0) return;
    setImmediate(() => {
      if (this.#result !== undefined) return;
      this.#quiet = true;
      this.#tell();
    });
  }

  #take({ done, value }: Result): void {
    this.#asked = false;
    this.#result = undefined;
    if (done) this.#sourceEnded = true;
    else if (!(value instanceof Uint8Array)) {
      const error = new TypeError("a body's stream must give Uint8Arrays");
      this.#reader?.cancel(error).catch(() => {});
      this.#fail(error);
    } else if (value.length > 0 && this.#failure === undefined) {
      this.#chunks.push(value);
      this.#size += value.length;
    }
  }

  #encode(): void {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#size);
    compressionCounters.before += this.#size;
    this.#chunks = [];
    this.#size = 0;
    this.#busy = true;
    this.#open().write(bytes, () => {
      this.#busy = false;
      this.#tell();
    });
  }

  #open(): Transform {
    if (this.#encoder !== undefined) return this.#encoder;
    const encoder = openEncoder(this.#coding);
    encoder.on("readable", () => this.#tell());
    encoder.on("end", () => {
      this.#ended = true;
      this.#tell();
    });
    encoder.on("error", (error: Error) => {
      this.#busy = false;
      this.#fail(error);
      this.#reader?.cancel(error).catch(() => {});
    });
    return (this.#encoder = encoder);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#tell();
  }

  #stop(): void {
    this.#encoder?.destroy();
    this.#release();
  }

  #tell(): void {
    this.#changed?.();
    this.#changed = undefined;
  }
}
