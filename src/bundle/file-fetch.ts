/**
 * fetch("file:…") reads the file, as in Deno; Node's own fetch knows no file: URLs. `fetch(new URL("./page.html",
 * import.meta.url))` then does the same under `run` as when compiled, where node:fs answers for what is inside.
 */
import { isEmbedded } from "../runtime/assets.ts";

let installed = false;

/** Puts the wrapper around globalThis.fetch, once. */
export function installFileFetch(): void {
  if (installed) return;
  installed = true;
  const original = globalThis.fetch;
  globalThis.fetch = function fetch(input, init) {
    const url = typeof input === "string" ? input : input instanceof URL ? input.href : input?.url;
    if (typeof url !== "string" || !/^\s*file:/i.test(url)) return original(input, init);
    return read(new URL(url), { ...(typeof input === "object" && "method" in input ? pick(input) : {}), ...init });
  };
}

function pick({ method, signal }: Request): RequestInit {
  return { method, signal };
}

async function read(url: URL, { method = "GET", signal }: RequestInit): Promise<Response> {
  signal?.throwIfAborted();
  if (method.toUpperCase() !== "GET") throw new TypeError(`fetch of a file supports only GET, not ${method}: ${url}`);
  url.search = "";
  url.hash = "";
  const { promises, readFileSync } = process.getBuiltinModule("node:fs");
  const { Readable } = process.getBuiltinModule("node:stream");
  try {
    // In memory already.
    if (isEmbedded(url)) return new Response(new Uint8Array(readFileSync(url)));
    const file = await promises.open(url);
    if (!(await file.stat()).isFile()) {
      await file.close();
      throw new Error(`${url} is not a file`);
    }
    const stream = file.createReadStream(signal ? { signal } : {});
    return new Response(Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array<ArrayBuffer>>);
  } catch (error) {
    throw new TypeError("fetch failed", { cause: error });
  }
}
