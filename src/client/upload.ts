/**
 * A request's body that does not leave with its head: it is large, or a stream. How the bytes get out is what it is for
 * a response's (src/http/body-output.ts, stream-pump.ts); the response may come meanwhile.
 */
import type { Handle, Transport } from "../../ffi/poller.ts";
import type { LightBody } from "../fetch/mod.ts";
import { BodyOutput, type OutputOwner } from "../http/body-output.ts";
import type { TrailerFields } from "../http/extras.ts";
import { StreamPump } from "../http/stream-pump.ts";

/** The connection that it leaves on. */
interface Carrier {
  readonly host: { readonly poller: Transport };
  readonly handle: Handle;
  uploading(): void;
  uploaded(): void;
  uploadFailed(error: unknown): void;
  uploadBroken(): void;
}

export class Upload implements OutputOwner {
  readonly host: { readonly poller: Transport };
  readonly handle: Handle;
  readonly #carrier: Carrier;
  #closed = false;
  #drained: PromiseWithResolvers<void> | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #pump: StreamPump | undefined;

  /** `outgoing[0, head)` leaves first. `framing` is the body's length, or CHUNKED. `full`: the socket is. */
  constructor(
    carrier: Carrier,
    head: number,
    body: NonNullable<LightBody>,
    framing: number,
    full = false,
    trailers?: TrailerFields,
  ) {
    this.host = carrier.host;
    this.handle = carrier.handle;
    this.#carrier = carrier;
    carrier.uploading();
    const send = () => this.#send(head, body, framing, trailers);
    const sent = full ? this.drained().then(send) : send();
    sent.then(
      () => {
        if (!this.#closed) this.#ended(() => carrier.uploaded());
      },
      (error: unknown) => {
        if (!this.#closed) this.#ended(() => carrier.uploadFailed(error));
      },
    );
  }

  /** Its own stream is being waited for, not the server. */
  get waiting(): boolean {
    return this.#pump?.waiting === true;
  }

  async #send(head: number, body: NonNullable<LightBody>, framing: number, trailers?: TrailerFields): Promise<void> {
    const output = new BodyOutput(this);
    if (typeof body === "string") return output.headAndText(head, body);
    if (body instanceof Uint8Array) return output.headAndBytes(head, body);
    if (body instanceof Blob) return output.headAndBlob(head, body);
    this.#reader = body.getReader();
    this.#pump = new StreamPump(output, this.#reader, framing, trailers);
    await this.#pump.run(head, undefined);
  }

  #ended(tell: () => void): void {
    this.#closed = true;
    this.#reader = undefined;
    tell();
  }

  // ---- what the output asks

  get closed(): boolean {
    return this.#closed;
  }
  sending(): void {
    this.#carrier.uploading();
  }
  drained(): Promise<void> {
    return (this.#drained ??= Promise.withResolvers()).promise;
  }
  broken(): void {
    if (this.#closed) return;
    this.stop();
    this.#carrier.uploadBroken();
    this.cancel(new DOMException("the server takes no more of the request", "AbortError"));
  }

  // ---- what the connection tells

  sent(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    this.#carrier.uploading();
    drained?.resolve();
  }

  stop(): void {
    this.#closed = true;
    this.#pump?.stop();
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** The stream is told that nobody reads it. */
  cancel(reason: unknown): void {
    this.#reader?.cancel(reason).catch(() => {});
    this.#reader = undefined;
  }
}
