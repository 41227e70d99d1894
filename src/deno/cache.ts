/**
 * `caches`, the Cache API (https://w3c.github.io/ServiceWorker/#cache-objects), as far as Deno has it: `open`, `has`,
 * `delete`, `keys` and `match` of the storage, `put`, `match`, `delete` and `keys` of a cache, one response for a URL.
 *
 * Deno keeps them on the disk without a bound; here they are in this thread's memory, within `cacheMaxBytes`: what was
 * used least recently goes first.
 */
import { logLine } from "../runtime/log.ts";

/** How many bytes all caches together may take: of bodies, headers and URLs. */
export const cacheSettings: { maxBytes: number } = { maxBytes: 64 << 20 };

interface Entry {
  readonly of: Map<string, Entry>;
  readonly url: string;
  readonly asked: Headers;
  readonly init: { readonly status: number; readonly statusText: string; readonly headers: [string, string][] };
  readonly body: Uint8Array<ArrayBuffer> | null;
  readonly bytes: number;
}

/** Each cache's entries by URL, in the order in which they came. */
const storage = new Map<string, Map<string, Entry>>();
/** All of them, the least recently used first. */
const byUse = new Set<Entry>();
let bytes = 0;

let makes = false;

/** Nobody but we construct these. */
class Branded {
  constructor() {
    if (!makes) throw new TypeError("Illegal constructor");
  }
}

function make<T>(of: new () => T): T {
  makes = true;
  try {
    return new of();
  } finally {
    makes = false;
  }
}

type Key = string | URL | Request;

export class CacheStorage extends Branded {
  async open(...args: [name: string]): Promise<Cache> {
    needs(args, 1, "open", "CacheStorage");
    const name = String(args[0]);
    let entries = storage.get(name);
    if (entries === undefined) storage.set(name, (entries = new Map()));
    const cache = make(Cache);
    setEntries(cache, entries);
    return cache;
  }

  async has(...args: [name: string]): Promise<boolean> {
    needs(args, 1, "has", "CacheStorage");
    return storage.has(String(args[0]));
  }

  async delete(...args: [name: string]): Promise<boolean> {
    needs(args, 1, "delete", "CacheStorage");
    for (const entry of storage.get(String(args[0]))?.values() ?? []) forget(entry);
    return storage.delete(String(args[0]));
  }

  async keys(): Promise<string[]> {
    return [...storage.keys()];
  }

  async match(...args: [key: Key, options?: { cacheName?: string }]): Promise<Response | undefined> {
    needs(args, 1, "match", "CacheStorage");
    const [key, options] = args;
    const only = options?.cacheName;
    const caches = only === undefined ? [...storage.values()] : [storage.get(String(only))];
    const request = requestOf(key);
    for (const entries of caches) {
      const entry = entries && find(entries, request);
      if (entry !== undefined) return responseOf(entry);
    }
    return undefined;
  }

  get [Symbol.toStringTag](): string {
    return "CacheStorage";
  }
}

let setEntries: (cache: Cache, entries: Map<string, Entry>) => void;

export class Cache extends Branded {
  #entries: Map<string, Entry> = new Map();

  static {
    setEntries = (cache, entries) => {
      cache.#entries = entries;
    };
  }

  async put(...args: [key: Key, response: Response]): Promise<void> {
    needs(args, 2, "put", "Cache");
    const [key, response] = args;
    const request = requestOf(key);
    const url = new URL(request.url);
    if (!/^https?:$/.test(url.protocol)) {
      throw new TypeError(`Request url protocol must be 'http:' or 'https:': received '${url.protocol}'`);
    }
    if (request.method !== "GET") throw new TypeError("Request method must be GET");
    const { status, statusText, headers } = response;
    if (status === 206) throw new TypeError("Response status must not be 206");
    if (varies(headers).includes("*")) throw new TypeError("Vary header must not contain '*'");
    if (response.bodyUsed || response.body?.locked) throw new TypeError("Response body is already used");
    const body = response.body === null ? null : await read(response.body);
    // Larger than all that may be kept: as if it were gone again by now.
    if (body === undefined) return;
    const pairs = [...headers];
    const init = { status, statusText, headers: pairs };
    const asked = new Headers(request.headers);
    const name = withoutFragment(url);
    const text = [...pairs, ...asked].reduce((sum, [field, value]) => sum + field.length + value.length, name.length);
    const size = (body?.byteLength ?? 0) + text;
    const old = this.#entries.get(name);
    if (old !== undefined) forget(old);
    const entry = { of: this.#entries, url: name, asked, init, body, bytes: size };
    this.#entries.set(name, entry);
    byUse.add(entry);
    bytes += size;
    for (const least of byUse) {
      if (bytes <= cacheSettings.maxBytes) break;
      forget(least);
    }
  }

  async match(...args: [key: Key, options?: object]): Promise<Response | undefined> {
    needs(args, 1, "match", "Cache");
    const entry = find(this.#entries, requestOf(args[0]));
    return entry && responseOf(entry);
  }

  async delete(...args: [key: Key, options?: object]): Promise<boolean> {
    needs(args, 1, "delete", "Cache");
    const request = requestOf(args[0]);
    const entry = request.method === "GET" ? this.#entries.get(withoutFragment(new URL(request.url))) : undefined;
    if (entry !== undefined) forget(entry);
    return entry !== undefined;
  }

  async keys(key?: Key): Promise<Request[]> {
    let found = [...this.#entries.values()];
    if (key !== undefined) {
      const { url, method } = requestOf(key);
      const name = withoutFragment(new URL(url));
      found = found.filter((entry) => method === "GET" && entry.url === name);
    }
    return found.map(({ url, asked }) => new Request(url, { headers: asked }));
  }

  get [Symbol.toStringTag](): string {
    return "Cache";
  }
}

/** `globalThis.caches`. */
export function cacheStorage(): CacheStorage {
  return make(CacheStorage);
}

function requestOf(key: Key): Request {
  return key instanceof Request ? key : new Request(key);
}

function withoutFragment(url: URL): string {
  url.hash = "";
  return url.href;
}

/** The entry for a request, if it was put for one that is alike in what the response varies with (RFC 9111, 4.1). */
function find(entries: Map<string, Entry>, request: Request): Entry | undefined {
  if (request.method !== "GET") return undefined;
  const entry = entries.get(withoutFragment(new URL(request.url)));
  if (entry === undefined) return undefined;
  const fields = varies(new Headers(entry.init.headers));
  if (fields.some((field) => entry.asked.get(field) !== request.headers.get(field))) return undefined;
  byUse.delete(entry);
  byUse.add(entry);
  return entry;
}

function varies(headers: Headers): string[] {
  const fields = headers.get("vary");
  return fields === null ? [] : fields.split(",").map((field) => field.trim());
}

function responseOf({ body, init }: Entry): Response {
  return new Response(body, init);
}

function forget(entry: Entry): void {
  if (!byUse.delete(entry)) return;
  entry.of.delete(entry.url);
  bytes -= entry.bytes;
}

let said = false;

/** The whole body; undefined when it is more than may be kept, of which no more is read. */
async function read(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks, size);
    size += value.byteLength;
    chunks.push(value);
    if (size > cacheSettings.maxBytes) {
      void reader.cancel().catch(() => {});
      if (!said && cacheSettings.maxBytes > 0)
        logLine(
          `caches: a response was too large to be kept: more than ${cacheSettings.maxBytes} bytes (--cache-max-bytes)`,
        );
      said = true;
      return undefined;
    }
  }
}

function needs(args: readonly unknown[], count: number, method: string, of: string): void {
  if (args.length >= count) return;
  throw new TypeError(
    `Failed to execute '${method}' on '${of}': ${count} argument${count === 1 ? "" : "s"} required, but only ${args.length} present`,
  );
}
