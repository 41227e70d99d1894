/**
 * The server that the soak is about: a route for each kind of request and answer, every one with an answer that a
 * client can check, and `/state`, which tells what must be nothing again at the end.
 */
import { createHash } from "node:crypto";
import { getHeapStatistics } from "node:v8";
import { threadId } from "node:worker_threads";
import { koffi } from "../../ffi/koffi.ts";
import { beside } from "./handler-beside.ts";

/** Handlers at work: from the call until the response is out, or nobody wants it any more. */
let running = 0;

interface Info {
  readonly completed: Promise<void>;
}

export default {
  async fetch(request: Request, info: Info): Promise<Response> {
    running++;
    const done = (): void => void running--;
    info.completed.then(done, done);
    const response = await route(request);
    if (threadId > 0) response.headers.set("x-worker", String(threadId));
    return response;
  },
};

const { file, datagramPort } = beside((request) => route(request));

async function route(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const number = (name: string, otherwise: number): number => Number(url.searchParams.get(name) ?? otherwise);
  const mark = url.searchParams.get("mark") ?? "";
  switch (url.pathname) {
    case "/hello":
      return new Response(`hello ${mark}`);
    case "/hash":
      return new Response(await hash(request));
    case "/text":
      return new Response(
        createHash("sha256")
          .update(await request.bytes())
          .digest("hex"),
      );
    case "/echo":
      return new Response(request.body);
    case "/bytes":
      return new Response(pattern(number("size", 1000), mark));
    case "/stream":
      return new Response(stream(pattern(number("size", 1000), mark)));
    case "/events":
      return new Response(events(number("count", 10), number("ms", 50), request.signal), {
        headers: { "content-type": "text/event-stream" },
      });
    case "/slow":
      await pause(number("ms", 100), request.signal);
      return new Response(`slow ${mark}`);
    case "/file":
      return new Response(await file());
    case "/udp":
      return new Response(String(datagramPort));
    case "/spin":
      for (const until = performance.now() + number("ms", 100); performance.now() < until; );
      return new Response("spun");
    case "/die":
      setTimeout(deaths[url.searchParams.get("how") ?? ""], 20);
      return new Response("dies");
    case "/state":
      return Response.json(state(url.searchParams.has("gc")));
    case "/trim":
      return new Response(trim());
    default:
      return new Response("no such route\n", { status: 404 });
  }
}

/** Ends of the thread. */
const deaths: Readonly<Record<string, () => void>> = {
  throw() {
    throw new Error("thrown on purpose");
  },
  reject: () => void Promise.reject(new Error("rejected on purpose")),
  memory() {
    for (const held: unknown[] = []; ; ) held.push(new Array(10_000).fill(held.length));
  },
};

async function hash(request: Request): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of request.body ?? []) digest.update(chunk);
  return digest.digest("hex");
}

/** What clients compute as well: bytes that depend on the mark. */
function pattern(size: number, mark: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.alloc(size, `${mark}·`));
}

function stream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const end = Math.min(bytes.length, at + 50_000);
      if (end > at) controller.enqueue(bytes.slice(at, end));
      at = end;
      if (at === bytes.length) controller.close();
    },
  });
}

function events(count: number, ms: number, signal: AbortSignal): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let sent = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        await pause(ms, signal);
        controller.enqueue(encoder.encode(`data: ${sent}\n\n`));
        if (++sent === count) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** malloc_trim(3): whatever malloc keeps free, in all its arenas, is the kernel's again. */
function trim(): string {
  return String(koffi.load(null).func("malloc_trim", "int", ["size_t"])(0));
}

/** `gc` is there because the soak starts the server with --expose-gc. */
function state(collect: boolean): Record<string, number> {
  const { gc } = globalThis as { gc?: () => void };
  if (collect) gc?.();
  // Not process.memoryUsage, which opens a file in /proc: the soak leaves no descriptor for that at times.
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  // One may be the runtime's own, by which it holds the process (src/runtime/poller-wait.ts): there or not by chance.
  const timers = Math.max(0, process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length - 1);
  return { thread: threadId, running, timers, heap, external };
}
