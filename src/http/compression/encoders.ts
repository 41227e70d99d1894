/**
 * The encoders, and how much each is asked to do. Bodies are compressed while somebody waits, so levels are those behind
 * which more CPU buys little (docs/compression.md has the figures): zstd 3 is the cheapest and shrinks as far as brotli 3;
 * gzip 4 is half the CPU of zlib's own 6 for 3 % more bytes.
 */
import type { Transform } from "node:stream";
import type { Coding } from "./accept-encoding.ts";
import { compressionCounters } from "./counters.ts";

type Zlib = typeof import("node:zlib");

/**
 * Windows of streams: a window of 128 KiB finds nearly all that one of megabytes finds in text, and an encoder takes half
 * a MiB, not two. RFC 9659 allows zstd 8 MiB in HTTP.
 */
const WINDOW = 17;

/** What an encoder of a stream takes at most, measured: its window, tables and the pieces on their way. */
const SIZES: Readonly<Record<Coding, number>> = { zstd: 576 * 1024, br: 640 * 1024, gzip: 352 * 1024 };
/** What all of them may take in a thread. Who comes when that is used gets its answer as it is. */
export const MOST_MEMORY = 64 * 1024 * 1024;

/** Makes one whose every write gives back all that was written: who writes has gathered before. */
const STREAMS: Readonly<Record<Coding, (zlib: Zlib) => Transform>> = {
  gzip: ({ createGzip, constants }) => createGzip({ level: 4, flush: constants.Z_SYNC_FLUSH }),
  br: ({ createBrotliCompress, constants }) =>
    createBrotliCompress({
      flush: constants.BROTLI_OPERATION_FLUSH,
      params: { [constants.BROTLI_PARAM_QUALITY]: 3, [constants.BROTLI_PARAM_LGWIN]: WINDOW },
    }),
  zstd: ({ createZstdCompress, constants }) =>
    createZstdCompress({
      flush: constants.ZSTD_e_flush,
      params: {
        [constants.ZSTD_c_compressionLevel]: 3,
        [constants.ZSTD_c_windowLog]: WINDOW,
        [constants.ZSTD_c_hashLog]: 15,
        [constants.ZSTD_c_chainLog]: 15,
      },
    }),
};

/** Loaded with the first response that is compressed. */
function zlib(): Zlib {
  return process.getBuiltinModule("node:zlib");
}

/** A place for one more encoder; undefined where there is none left. To be given back once. */
export function reserve(coding: Coding): (() => void) | undefined {
  const size = SIZES[coding];
  if (compressionCounters.memory + size > MOST_MEMORY) {
    compressionCounters.refused++;
    return undefined;
  }
  compressionCounters.memory += size;
  let given = false;
  return () => {
    if (given) return;
    given = true;
    compressionCounters.memory -= size;
  };
}

export function openEncoder(coding: Coding): Transform {
  return STREAMS[coding](zlib());
}

/**
 * A whole body at once, here: 1.5 KiB are 20 to 30 µs, 16 KiB some 50 to 60, less than what a stream and a way to another thread
 * cost. Most of it for small ones is memory to begin with, so they get a window, and room for what comes out, of their own size.
 */
export function encodeNow(coding: Coding, bytes: Uint8Array): Uint8Array {
  const { gzipSync, brotliCompressSync, zstdCompressSync, constants } = zlib();
  const { length } = bytes;
  const chunkSize = Math.min(16 * 1024, Math.max(64, length));
  switch (coding) {
    case "gzip":
      return gzipSync(bytes, { level: 4, chunkSize });
    case "br": {
      const params: Record<number, number> = {
        [constants.BROTLI_PARAM_QUALITY]: 3,
        [constants.BROTLI_PARAM_SIZE_HINT]: length,
      };
      if (length <= 4096) params[constants.BROTLI_PARAM_LGWIN] = 12;
      return brotliCompressSync(bytes, { chunkSize, params });
    }
    case "zstd":
      return zstdCompressSync(bytes, {
        chunkSize,
        pledgedSrcSize: length,
        params: { [constants.ZSTD_c_compressionLevel]: 3 },
      });
  }
}
