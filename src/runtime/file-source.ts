/**
 * Files behind streams: `Deno.open(…).readable` is a stream like any other, but who sends one that nobody has read from
 * (src/http) may ask here for the file, and let the kernel send it.
 */

/** A file that a stream would read from. */
export type FileSource = DiskFile | MemoryFile;

/** A regular file on a disk. */
export interface DiskFile {
  readonly kind: "disk";
  /** -1 once the file is closed. To be asked anew before each use: a closed descriptor's number gets a new owner. */
  readonly fd: number;
  /** Where the stream would go on reading. */
  position: number;
  /** Bytes from there to the file's end, as it is now; -1 when it is closed. */
  left(): number;
  /** Reads from the position, and moves it; null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** The same at once, of what is in memory; 0 at the end. */
  readNow(buffer: Uint8Array, at: number, length: number): number;
  /** Has a part of the file read from the disk, so that it is in memory. Never rejects. */
  prefetch(offset: number, length: number): Promise<void>;
}

/** A file inside a compiled program. */
export interface MemoryFile {
  readonly kind: "memory";
  /** What the stream would give, as it is now; undefined when the file is closed. */
  left(): Uint8Array | undefined;
}

const sources = new WeakMap<ReadableStream, FileSource>();

/** Says that `stream` gives what is left of a file, and nothing else. Whoever cancels the stream closes the file. */
export function noteFile(stream: ReadableStream, source: FileSource): void {
  sources.set(stream, source);
}

/** The file that the stream would read, if it would. The caller knows that nobody has begun to. */
export function fileBehind(stream: ReadableStream): FileSource | undefined {
  return sources.get(stream);
}
