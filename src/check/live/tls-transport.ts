/** The same transport under TLS, by Node's own client. The certificate is not verified here: that is a check of its own. */
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { showAddressOf, type Target } from "./target.ts";
import type { Transport } from "./wire.ts";

/** A finished handshake with `address`, or the error that ended it. */
export function handshake(
  target: Target,
  address: string,
  ms: number,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port: target.port,
      servername: target.serverName,
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
      ...options,
    });
    const limit = setTimeout(() => socket.destroy(new Error(`no TLS handshake within ${ms / 1000} s`)), ms);
    socket.once("secureConnect", () => {
      clearTimeout(limit);
      socket.removeListener("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(limit);
      reject(error);
    });
  });
}

export async function connectTls(target: Target, address: string, ms: number): Promise<Transport> {
  let socket: TLSSocket;
  try {
    socket = await handshake(target, address, ms);
  } catch (error) {
    throw new Error(explain(error as NodeJS.ErrnoException, showAddressOf(target, address)), { cause: error });
  }
  return new TlsTransport(socket);
}

/** Why there is no connection, and what to do: in the words that our own connect() has for it, on one line. */
function explain({ code = "", errno = 0, message }: NodeJS.ErrnoException, shown: string): string {
  if (code === "ECONNREFUSED")
    return `Connection refused (os error ${-errno}): connect to ${shown}; nothing listens there`;
  const plain = "if it speaks plain HTTP, write http://";
  // What OpenSSL makes of the first bytes of an HTTP answer.
  if (/^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/.test(code)) {
    return `${shown} does not answer in TLS; ${plain}`;
  }
  if (code === "ECONNRESET") return `${shown} ended the connection in the TLS handshake; ${plain}`;
  return `TLS handshake with ${shown}: ${message.trim().replace(/\s*\n\s*/g, " ")}`;
}

class TlsTransport implements Transport {
  readonly #socket: TLSSocket;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    const wake = (): void => {
      this.#wake?.();
      this.#wake = undefined;
    };
    socket.on("readable", wake);
    socket.on("end", () => {
      this.#ended = true;
      wake();
    });
    socket.on("error", (error) => {
      this.#error = error;
      wake();
    });
    socket.on("close", wake);
  }

  async read(p: Uint8Array): Promise<number | null> {
    for (;;) {
      const size = Math.min(p.length, this.#socket.readableLength);
      const chunk: Buffer | null = size > 0 ? this.#socket.read(size) : this.#socket.read();
      if (chunk !== null) {
        if (chunk.length > p.length) this.#socket.unshift(chunk.subarray(p.length));
        p.set(chunk.subarray(0, p.length));
        return Math.min(chunk.length, p.length);
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended || this.#socket.destroyed) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  write(p: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error("the connection was closed"));
      this.#socket.write(p, (error) => (error ? reject(error) : resolve(p.length)));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }
}
