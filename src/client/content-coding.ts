/**
 * Content codings (RFC 9110, 8.4.1) of responses, undone as the body is read: nothing is decompressed that nobody asks
 * for, so what a small body grows to is the reader's to bound.
 */
import type { Transform } from "node:stream";
import type { NetworkBody } from "../fetch/mod.ts";
import { HeadFields } from "../fetch/mod.ts";
import { bodyFailed } from "./errors.ts";

type Zlib = typeof import("node:zlib");

/** More than one is rare, more than these are an attack. */
const MOST_CODINGS = 5;

const DECODERS: Readonly<Record<string, (zlib: Zlib) => Transform>> = {
  gzip: (zlib) => zlib.createGunzip(),
  "x-gzip": (zlib) => zlib.createGunzip(),
  br: (zlib) => zlib.createBrotliDecompress(),
  zstd: (zlib) => zlib.createZstdDecompress(),
  // By name zlib's format (RFC 9110, 8.4.1.2); many servers send what is in it, without the wrapper.
  deflate: (zlib) => zlib.createInflate(),
};

/** The codings in the order in which they were applied; undefined where one is unknown: then the body is left as it is. */
export function codingsOf(head: string, fieldsStart: number): readonly string[] | undefined {
  const value = new HeadFields(head, fieldsStart).get("content-encoding") ?? "";
  const codings = value.split(",").map((coding) => coding.trim().toLowerCase());
  return codings.length <= MOST_CODINGS && codings.every((coding) => Object.hasOwn(DECODERS, coding))
    ? codings
    : undefined;
}

export class DecodedBody implements NetworkBody {
  readonly #inner: NetworkBody;
  readonly #codings: readonly string[];
  readonly #url: string;

  constructor(inner: NetworkBody, codings: readonly string[], url: string) {
    this.#inner = inner;
    this.#codings = codings;
    this.#url = url;
  }

  openBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#codings
      .toReversed()
      .reduce((stream, coding) => decode(stream, coding, this.#url), this.#inner.openBody()) as ReadableStream<
      Uint8Array<ArrayBuffer>
    >;
  }

  async readAll(): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    const reader = this.openBody().getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) chunks.push(read.value);
    const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}

/** One coding undone. The stream is read only as far as the decoder has room. */
function decode(stream: ReadableStream<Uint8Array>, coding: string, url: string): ReadableStream<Uint8Array> {
  const decoding = new Decoding(stream.getReader(), coding, url);
  return new ReadableStream<Uint8Array>(
    { pull: (controller) => decoding.give(controller), cancel: (reason) => decoding.cancel(reason) },
    { highWaterMark: 0 },
  );
}

class Decoding {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #coding: string;
  readonly #url: string;
  #decoder: Transform | undefined;
  #begun = false;
  #ended = false;
  #failure: unknown;
  /** Who waits for something to give, and who for room in the decoder. */
  #changed: (() => void) | undefined;
  #drained: (() => void) | undefined;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, coding: string, url: string) {
    this.#reader = reader;
    this.#coding = coding;
    this.#url = url;
  }

  async give(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (!this.#begun) {
      this.#begun = true;
      void this.#pump();
    }
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk: Buffer | null = this.#decoder?.read() ?? null;
      if (chunk !== null) return controller.enqueue(new Uint8Array(chunk));
      if (this.#ended) return controller.close();
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  cancel(reason: unknown): Promise<void> {
    this.#failure = reason ?? new DOMException("the body was cancelled", "AbortError");
    this.#decoder?.destroy();
    this.#tell();
    return this.#reader.cancel(reason);
  }

  async #pump(): Promise<void> {
    try {
      for (let read = await this.#reader.read(); !read.done; read = await this.#reader.read()) {
        this.#decoder ??= this.#open(read.value);
        if (!this.#decoder.write(read.value)) {
          await new Promise<void>((resolve) => {
            this.#drained = resolve;
          });
        }
        if (this.#failure !== undefined) return;
      }
      // No byte is no coded body, and nobody's mistake.
      if (this.#decoder === undefined) this.#end();
      else this.#decoder.end();
    } catch (error) {
      this.#fail(error);
      this.#decoder?.destroy();
    }
  }

  #open(first: Uint8Array): Transform {
    const zlib = process.getBuiltinModule("node:zlib");
    // The low four bits are zlib's method, always 8 (RFC 1950, 2.2).
    const raw = this.#coding === "deflate" && (first[0] & 0x0f) !== 8;
    const decoder = raw ? zlib.createInflateRaw() : DECODERS[this.#coding](zlib);
    decoder.on("readable", () => this.#tell());
    decoder.on("end", () => this.#end());
    decoder.on("drain", () => {
      this.#drained?.();
      this.#drained = undefined;
    });
    decoder.on("error", (error: Error) => {
      const what = `the response is not what its Content-Encoding ${this.#coding} says (${error.message})`;
      this.#fail(bodyFailed(this.#url, what, error));
      this.#reader.cancel(error).catch(() => {});
    });
    return decoder;
  }

  #end(): void {
    this.#ended = true;
    this.#tell();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#tell();
    this.#drained?.();
  }

  #tell(): void {
    this.#changed?.();
    this.#changed = undefined;
  }
}
