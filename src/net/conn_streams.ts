/** A connection's two streams (WHATWG Streams), made when first touched. */
import type { Conn } from "./conn.ts";

interface Source {
  /** A chunk in a buffer of just its size, or null at the end. */
  readChunk(): Promise<Uint8Array<ArrayBuffer> | null>;
}

export class ConnStreams {
  readonly #conn: Conn;
  readonly #source: Source;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;
  #readDone = false;
  #writeDone = false;

  constructor(conn: Conn, source: Source) {
    this.#conn = conn;
    this.#source = source;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return (this.#readable ??= new ReadableStream(
      {
        type: "bytes",
        pull: async (controller) => {
          try {
            if (await this.#pull(controller)) return;
          } catch (error) {
            this.#done("read");
            throw error;
          }
          this.#done("read");
        },
        // As in Deno: a peer whose bytes nobody wants must not wait for us to read them.
        cancel: () => this.#conn.close(),
      },
      // Nothing is read ahead: the kernel's window closes, and the peer waits, until somebody asks.
      { highWaterMark: 0 },
    ));
  }

  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream({
      write: async (chunk) => {
        try {
          await this.#conn.write(chunk);
        } catch (error) {
          this.#done("write");
          throw error;
        }
      },
      close: async () => {
        try {
          await this.#conn.closeWrite();
        } finally {
          this.#done("write");
        }
      },
      // The peer must not take half a message for a whole one; so, as in Deno, the connection ends.
      abort: () => this.#conn.close(),
    }));
  }

  /** One step of the readable stream; false at the end. */
  async #pull(controller: ReadableByteStreamController): Promise<boolean> {
    const view = controller.byobRequest?.view;
    if (view) {
      const n = await this.#conn.read(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
      if (n !== null) {
        controller.byobRequest?.respond(n);
        return true;
      }
    } else {
      const chunk = await this.#source.readChunk();
      if (chunk !== null) {
        controller.enqueue(chunk);
        return true;
      }
    }
    controller.close();
    // A reader that lent its buffer gets it back only so (Streams, ReadableByteStreamControllerClose).
    controller.byobRequest?.respond(0);
    return false;
  }

  #done(side: "read" | "write"): void {
    if (side === "read") this.#readDone = true;
    else this.#writeDone = true;
    if (this.#readDone && this.#writeDone) this.#conn.close();
  }
}
