/**
 * Content codings (RFC 9110, 8.4.1) of responses, undone as the body is read: nothing is decompressed that nobody asks
 * for, so what a small body grows to is the reader's to bound.
 */
import type { Transform } from "node:stream";
import type { NetworkBody } from "../fetch/mod.ts";
import { HeadFields } from "../fetch/mod.ts";
import { fetchFailed } from "./errors.ts";

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

/** One coding undone. The stream is read only as far as its own reader asks for more than the decoder holds. */
function decode(stream: ReadableStream<Uint8Array>, coding: string, url: string): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let decoder: Transform | undefined;
  let failure: unknown;
  let told: (() => void) | undefined;
  const tell = (): void => {
    told?.();
    told = undefined;
  };
  const open = (first: Uint8Array | undefined): Transform => {
    const zlib = process.getBuiltinModule("node:zlib");
    const raw = coding === "deflate" && first !== undefined && first.length > 0 && (first[0] & 0x0f) !== 8;
    const opened = raw ? zlib.createInflateRaw() : DECODERS[coding](zlib);
    opened.on("error", (error: Error) => {
      failure = fetchFailed(
        url,
        `the response is not what its Content-Encoding ${coding} says (${error.message})`,
        error,
      );
      tell();
    });
    opened.on("readable", tell);
    opened.on("end", tell);
    return opened;
  };
  /** Gives the decoder what it may have; resolves when it may have something to give. */
  const feed = async (): Promise<void> => {
    const { done, value } = await reader.read();
    decoder ??= open(value);
    const changed = new Promise<void>((resolve) => (told = resolve));
    if (done) {
      decoder.end();
      await changed;
    } else if (!decoder.write(value)) await changed;
    else tell();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        for (;;) {
          if (failure !== undefined) {
            reader.cancel(failure).catch(() => {});
            throw failure;
          }
          const chunk: Buffer | null = decoder?.read() ?? null;
          if (chunk !== null) return controller.enqueue(new Uint8Array(chunk));
          if (decoder?.readableEnded) {
            return controller.close();
          }
          await feed();
        }
      },
      cancel(reason) {
        decoder?.destroy();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
