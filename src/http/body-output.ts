/**
 * Bytes of a body on their way out, of any number: pieces are given to the kernel as it takes them, and
 * nothing is copied for a client that is slow. Each call resolves when the last byte has left; when the connection
 * ends meanwhile it resolves or rejects, and the connection has said why.
 */
import { type Handle, SENDING, type Transport } from "../../ffi/poller.ts";
import { BadResource } from "../runtime/errors.ts";
import type { DiskFile, FileSource } from "../runtime/file-source.ts";
import { madeGarbage } from "../runtime/young-garbage.ts";
import { keptBytes } from "./blob-bytes.ts";
import { type Outgoing, outgoingBuffer } from "./outgoing.ts";

/**
 * Bytes given to the kernel at once. Of 256 KiB each costs half as much again (measured, 64 MiB to each of 4 clients:
 * 0.67 of the throughput of Go with 256 KiB, 0.79 with 1 MiB, 0.98 with 2 MiB, which are half a millisecond).
 */
const SLICE = 2 * 1024 * 1024;
/** Of a file: each of the kernel's calls behind one sendfile(2) is of 64 KiB anyhow. */
const FILE_SLICE = 1024 * 1024;
/** What a MiB of a file or of a stream costs, in MiB of memory. */
export const DEARER = 2;
/** What one response may send before all others get their turn. */
const BURST = 2 * 1024 * 1024;
/** Bytes of a Blob that are copied at once. Larger ones are read in parts: 400–650 µs of CPU per MiB, smaller parts cost more. */
export const BLOB_PART = 1024 * 1024;
/** Bytes of a file that are read at once where sendfile(2) can't. */
const READ = 256 * 1024;
/** How far apart it is looked whether a file is in memory. */
const LOOK = 256 * 1024;
/** Files that are read and sent with their head. */
const SMALL = 32 * 1024;
/** Bytes of a file that are read ahead by another thread when they are not in memory. */
const PREFETCH = 1024 * 1024;

type Bytes = Uint8Array<ArrayBufferLike>;

const encoder = new TextEncoder();

/** The connection that a body leaves on: a server's or a client's. */
export interface OutputOwner {
  readonly host: { readonly poller: Transport };
  readonly handle: Handle;
  readonly closed: boolean;
  /** So many bytes go to the kernel. */
  sending(bytes: number): void;
  /** Resolves when the poller has sent all that it kept. */
  drained(): Promise<void>;
  /** A send returned an errno. */
  broken(result: number): void;
}

export class BodyOutput {
  readonly connection: OutputOwner;
  readonly out: Outgoing;
  /** Since the others had their turn. */
  #spent = 0;

  constructor(connection: OutputOwner) {
    this.connection = connection;
    this.out = outgoingBuffer(connection.host.poller.outgoing);
  }

  /** Sends `out[0, end)`. What a full socket leaves over is kept by the poller, and is to be waited for. */
  flush(end: number): Promise<void> | undefined {
    const { connection } = this;
    connection.sending(end);
    const result = connection.host.poller.sendOutgoing(connection.handle, 0, end);
    if (result < 0) connection.broken(result);
    return result === SENDING ? connection.drained() : undefined;
  }

  /** Sends the head, which is `out[0, end)`, and the bytes behind it. */
  async headAndBytes(end: number, bytes: Bytes): Promise<void> {
    const first = Math.min(bytes.length, this.out.length - end);
    this.out.set(first < bytes.length ? bytes.subarray(0, first) : bytes, end);
    await this.flush(end + first);
    await this.bytes(bytes, first);
  }

  /** Sends `bytes[at, …)`. With `more`, what follows is sent as soon as this resolves. */
  async bytes(bytes: Bytes, at = 0, more = false): Promise<void> {
    const { connection } = this;
    const { poller } = connection.host;
    while (at < bytes.length && !connection.closed) {
      const n = poller.sendSome(connection.handle, bytes, at, Math.min(bytes.length, at + SLICE), more);
      if (n < 0) {
        if (!(await this.#room(n))) return;
        continue;
      }
      at += n;
      connection.sending(n);
      const others = this.spend(n);
      if (others !== undefined) await others;
    }
  }

  /** Sends of `bytes[0, end)` what the socket takes at once, and returns how much; the rest is for `bytes`. */
  some(bytes: Bytes, end: number, more: boolean): number {
    const { connection } = this;
    if (connection.closed) return 0;
    const n = connection.host.poller.sendSome(connection.handle, bytes, 0, end, more);
    // Full, or broken: `bytes` finds out which.
    if (n < 0) return 0;
    connection.sending(n);
    return n;
  }

  /**
   * Sends the head, which is `out[0, end)`, and a string, encoded as it leaves: a client that stalls does not make a copy
   * of the whole wait with it.
   */
  async headAndText(end: number, text: string): Promise<void> {
    const { out } = this;
    for (let at = 0; at < text.length && !this.connection.closed; end = 0) {
      let to = Math.min(text.length, at + out.length - end);
      // A pair of surrogates is one character.
      const last = text.charCodeAt(to - 1);
      if (to < text.length && last >= 0xd800 && last < 0xdc00) to--;
      const { read, written } = encoder.encodeInto(text.slice(at, to), end === 0 ? out : out.subarray(end));
      at += read;
      await this.flush(end + written);
      const others = this.spend(end + written);
      if (others !== undefined) await others;
    }
  }

  /**
   * Sends the head, which is `out[0, end)`, and a large Blob, part by part. Its own stream gives what it was made of, whole:
   * of 64 MiB a copy of 64 MiB, for which everybody waits (measured: 200 ms).
   */
  async headAndBlob(end: number, blob: Blob): Promise<void> {
    const bytes = keptBytes(blob);
    if (bytes !== undefined) return this.headAndBytes(end, bytes);
    await this.flush(end);
    let sent = 0;
    for (let at = 0; at < blob.size && !this.connection.closed; at += BLOB_PART) {
      const reader = blob
        .slice(at, at + BLOB_PART)
        .stream()
        .getReader();
      for (let read = await reader.read(); !read.done && !this.connection.closed; read = await reader.read()) {
        sent += read.value.length;
        madeGarbage(read.value.length);
        await this.bytes(read.value);
      }
    }
    if (sent < blob.size && !this.connection.closed) throw new TypeError("a Blob gave fewer bytes than its size");
  }

  /** Sends the head, which is `out[0, end)`, and `length` bytes of a file. */
  async headAndFile(end: number, source: DiskFile, length: number): Promise<void> {
    // One read and one send are less than the send of the head and sendfile(2), which costs as much as three reads.
    if (length <= SMALL && end + length <= this.out.length && this.#inMemory(source, length)) {
      const n = source.readNow(this.out, end, length);
      await this.flush(end + n);
      if (n < length) throw fileTooShort(length - n);
      return;
    }
    await this.flush(end);
    await this.#file(source, length);
  }

  /** By sendfile(2) as long as that goes, else what is read from it. */
  async #file(source: DiskFile, length: number): Promise<void> {
    const { connection } = this;
    const { poller } = connection.host;
    const { EAGAIN } = poller.constants.errno;
    let buffer: Uint8Array | undefined;
    /** Up to where the file was in memory when that was looked for. */
    let known = source.position;
    while (length > 0 && !connection.closed) {
      const { fd } = source;
      if (fd < 0) throw new BadResource("the file was closed while it was being sent");
      let n: number;
      if (buffer === undefined) {
        const { position } = source;
        if (position >= known) {
          const size = Math.min(length, FILE_SLICE);
          const warm = this.#inMemory(source, size);
          known = position + (warm ? size : PREFETCH);
          if (!warm) {
            await source.prefetch(position, Math.min(length, PREFETCH));
            continue;
          }
        }
        n = poller.sendFile(connection.handle, fd, position, Math.min(length, known - position));
        if (n === -EAGAIN) {
          await connection.drained();
          continue;
        }
        if (n < 0) {
          // Not from this file. If it is the connection that is broken, the next send says so.
          buffer = new Uint8Array(Math.min(length, READ));
          continue;
        }
        source.position = position + n;
        connection.sending(n);
      } else {
        n = (await source.read(buffer.subarray(0, Math.min(length, buffer.length)))) ?? 0;
        await this.bytes(buffer.subarray(0, n));
      }
      if (n === 0) throw fileTooShort(length);
      length -= n;
      const others = this.spend(n * DEARER);
      if (others !== undefined) await others;
    }
  }

  /**
   * Whether the next bytes of a file are there. sendfile(2) and read(2) would wait for the disk, and everybody with them.
   * Looking each 256 KiB is 1 % of the CPU.
   */
  #inMemory({ fd, position }: DiskFile, length: number): boolean {
    const { system, constants } = this.connection.host.poller;
    const cold = -constants.errno.EAGAIN;
    for (let at = 0; at < length; at += LOOK) if (system.peekFile(fd, position + at) === cold) return false;
    return system.peekFile(fd, position + length - 1) !== cold;
  }

  /**
   * A body that always has more, and a client that always takes it, would go on in microtasks for ever, and nobody else
   * would be served (measured: 4 s, for as long as the client read). So the others get a turn now and then.
   */
  spend(cost: number): Promise<void> | undefined {
    this.#spent += cost;
    if (this.#spent < BURST) return undefined;
    this.#spent = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** After a send that took nothing; false when the connection is broken. */
  async #room(result: number): Promise<boolean> {
    const { connection } = this;
    if (result === -connection.host.poller.constants.errno.EAGAIN) await connection.drained();
    else connection.broken(result);
    return !connection.closed;
  }
}

export function fileTooShort(missing: number): TypeError {
  return new TypeError(`a file ended ${missing} bytes before what the response's content-length says`);
}

/** What is left of a file; -1 when it is closed. */
export function sizeOf(file: FileSource): number {
  return file.kind === "disk" ? file.left() : (file.left()?.length ?? -1);
}
