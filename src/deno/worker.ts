/**
 * The web's `Worker`: a module in a thread of its own, with Deno's scope in it.
 * https://html.spec.whatwg.org/multipage/workers.html#dedicated-workers-and-the-worker-interface
 *
 * Here is what a program sees; where the thread comes from, `workerHost` knows (src/cli/web-worker), since that takes a
 * bundler or an executable's payload. As in Deno the process lives as long as a worker does.
 */
import type { MessagePort } from "node:worker_threads";
import { defineHandlers } from "./event-handlers.ts";
import { dispatchEvent } from "./global-events.ts";

/** What the two sides say to each other, in one order: nothing overtakes a message. */
export type Frame =
  | { readonly type: "message"; readonly data: unknown; readonly ports: readonly MessagePort[] }
  | WorkerError;

/** An error that nobody caught in the worker. Without a place it could not be loaded. */
export interface WorkerError {
  readonly type: "error";
  readonly message: string;
  readonly fileName?: string;
  readonly line?: number;
  readonly column?: number;
}

/** What is to run. */
export interface Wanted {
  readonly url: URL;
  readonly name: string;
  /** What a blob: URL stood for as the worker was made; it may be revoked since. */
  readonly blob: Blob | undefined;
  /** The worker's end. */
  readonly port: MessagePort;
}

/** Told by the thread's host. */
export interface ThreadEvents {
  failed(error: WorkerError): void;
  /** It is gone. */
  exited(): void;
}

export interface WorkerThread {
  end(): void;
}

/** Starts the threads; and resolves names in a worker's own scope, where there is a location. */
export const workerHost: {
  start?: (wanted: Wanted, events: ThreadEvents) => Promise<WorkerThread>;
  location?: string;
} = {};

export interface WorkerOptions {
  readonly type?: "classic" | "module";
  readonly name?: string;
  readonly deno?: unknown;
  readonly env?: unknown;
  readonly workerData?: unknown;
}

type Transfer = readonly object[] | { readonly transfer?: readonly object[] };

export class Worker extends EventTarget {
  #state: "running" | "closed" | "terminated" = "running";
  readonly #port: MessagePort;
  #thread: WorkerThread | undefined;

  constructor(specifier: string | URL, options: WorkerOptions = {}) {
    super();
    const { type = "classic", name = "" } = options ?? {};
    const ignored = (["env", "workerData"] as const).filter((key) => options?.[key] !== undefined);
    if (ignored.length > 0) {
      console.warn(
        `Warning: ${ignored.join(", ")} option(s) are not supported for web Workers and will be ignored. Use the node:worker_threads module instead.`,
      );
    }
    if (type !== "classic" && type !== "module") {
      throw new TypeError(`The provided value '${String(type)}' is not a valid enum value of type WorkerType`);
    }
    if (type === "classic") throw new DOMException("Classic workers are not supported.", "NotSupportedError");
    const url = locate(String(specifier));
    const blob = url.protocol === "blob:" ? blobAt(url) : undefined;
    const { MessageChannel } = process.getBuiltinModule("node:worker_threads");
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on("message", (frame: Frame) => this.#told(frame));
    port1.on("messageerror", (data: unknown) => this.dispatchEvent(new MessageEvent("messageerror", { data })));
    void this.#start({ url, name: String(name), blob, port: port2 });
  }

  postMessage(message: unknown, transferOrOptions?: Transfer): void;
  postMessage(...args: readonly unknown[]): void {
    if (args.length === 0) {
      throw new TypeError("Failed to execute 'postMessage' on 'Worker': 1 argument required, but only 0 present");
    }
    if (this.#state === "running") post(this.#port, args[0], args[1]);
  }

  terminate(): void {
    if (this.#state === "terminated") return;
    this.#state = "terminated";
    this.#port.close();
    this.#thread?.end();
  }

  get [Symbol.toStringTag](): string {
    return "Worker";
  }

  async #start(wanted: Wanted): Promise<void> {
    const { start } = workerHost;
    try {
      if (start === undefined) throw new TypeError("threads are not to be had here");
      const thread = await start(wanted, {
        failed: (error) => this.#failed(error),
        exited: () => this.#exited(),
      });
      this.#thread = thread;
      if (this.#state === "terminated") thread.end();
    } catch (error) {
      this.#failed({ type: "error", message: (error as Error).message });
    }
  }

  #told(frame: Frame): void {
    if (this.#state === "terminated") return;
    if (frame.type === "error") return this.#failed(frame);
    this.dispatchEvent(new MessageEvent("message", { data: frame.data, ports: [...frame.ports] as never }));
  }

  #failed({ message, fileName, line, column }: WorkerError): void {
    if (this.#state === "terminated") return;
    this.#state = "closed";
    const event = new ErrorEvent("error", {
      cancelable: true,
      message,
      filename: fileName ?? "",
      lineno: line ?? 0,
      colno: column ?? 0,
      error: null,
    });
    this.dispatchEvent(event);
    if (fileName !== undefined && !event.defaultPrevented) dispatchEvent(event);
    if (this.#thread === undefined) this.#port.close();
    if (!event.defaultPrevented) void Promise.reject(unhandled());
  }

  /** What it said before its end is heard first. */
  #exited(): void {
    const { receiveMessageOnPort } = process.getBuiltinModule("node:worker_threads");
    for (;;) {
      const received = this.#state === "terminated" ? undefined : receiveMessageOnPort(this.#port);
      if (received === undefined) break;
      this.#told(received.message as Frame);
    }
    if (this.#state === "running") this.#state = "closed";
    this.#port.close();
  }
}

defineHandlers(Worker.prototype, ["message", "messageerror", "error"]);

/** Both sides' `postMessage`. */
export function post(port: MessagePort, data: unknown, given: unknown): void {
  const { MessagePort } = process.getBuiltinModule("node:worker_threads");
  const asked = given as Iterable<object> | { transfer?: Iterable<object> } | null | undefined;
  const transfer = [...(asked == null ? [] : Symbol.iterator in asked ? asked : (asked.transfer ?? []))];
  const ports = transfer.filter((one) => one instanceof MessagePort);
  port.postMessage({ type: "message", data, ports } satisfies Frame, transfer as never);
}

function unhandled(): Error {
  const error = new Error("Unhandled error in child worker.");
  // Where we noticed helps nobody: the worker has said where it was.
  error.stack = String(error);
  return error;
}

function locate(specifier: string): URL {
  const url = URL.parse(specifier, workerHost.location);
  if (url === null) {
    throw new TypeError(
      `Invalid worker URL "${specifier}": write new URL(${JSON.stringify(specifier)}, import.meta.url)`,
    );
  }
  if (/^https?:$/.test(url.protocol)) {
    throw new TypeError(
      `Cannot load the worker "${url}": nothing is fetched from the network; save the file beside the program, and name it with new URL("./…", import.meta.url)`,
    );
  }
  if (!/^(?:file|data|blob):$/.test(url.protocol)) {
    throw new TypeError(`Unsupported scheme "${url.protocol.slice(0, -1)}" of the worker "${url}"`);
  }
  return url;
}

function blobAt(url: URL): Blob | undefined {
  return process.getBuiltinModule("node:buffer").resolveObjectURL(url.href) as Blob | undefined;
}
