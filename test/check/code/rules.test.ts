/** Each rule fires where it should, at the right line, and is silent on what only looks like it. */
import { suite } from "uvu";
import { assertClean, assertMarked } from "./support/marked.ts";

const handler = (body: string, head = "") => `${head}
export default {
  async fetch(request: Request, info: any): Promise<Response> {
${body}
    return new Response("ok");
  },
};
`;

const fetches = suite("fetch-without-timeout");

fetches("fires for every spelling of the global fetch", () =>
  assertMarked({
    "server.ts": `import { load } from "./upstream.ts";
const init = { method: "POST" };
const alias = fetch;
export default {
  async fetch(request: Request) {
    await fetch("https://api.example.com/a"); // ! fetch-without-timeout
    await globalThis.fetch("https://api.example.com/b", { method: "POST" }); // ! fetch-without-timeout
    await fetch(\`https://api.example.com/\${request.url}\`, init); // ! fetch-without-timeout
    await fetch(new Request("https://api.example.com/c", init)); // ! fetch-without-timeout
    await alias("https://api.example.com/d", { ...init, headers: {} }); // ! fetch-without-timeout
    await fetch("https://api.example.com/e", { signal: undefined }); // ! fetch-without-timeout
    await Promise.all([fetch("https://api.example.com/f"), load("g")]); // ! fetch-without-timeout
    return fetch("https://api.example.com/h"); // ! fetch-without-timeout
  },
};
`,
    "upstream.ts": `export const load = (path: string) => fetch("https://api.example.com/" + path); // ! fetch-without-timeout
`,
  }),
);

fetches("is silent where there is a signal, or somebody else's fetch", () =>
  assertClean(`import { fetch as theirs } from "some-client";
const quick = { signal: AbortSignal.timeout(1000) };
async function get(url: string, init: RequestInit) {
  return await fetch(url, init);
}
export default {
  async fetch(request: Request, env: { ASSETS: { fetch(request: Request): Promise<Response> } }) {
    await fetch("https://api.example.com", { signal: request.signal });
    await fetch("https://api.example.com", quick);
    await fetch("https://api.example.com", { ...quick, method: "PUT" });
    await fetch(new Request("https://api.example.com", quick));
    await fetch(new Request("https://api.example.com", request));
    await fetch(new URL("./page.html", import.meta.url));
    await fetch("data:text/plain,hello");
    await Promise.race([fetch("https://api.example.com"), deadline()]);
    await theirs("https://api.example.com");
    await get("https://api.example.com", quick);
    if (request.method === "GET") return await env.ASSETS.fetch(request);
    return await fetch(request);
  },
};
async function deadline() {
  await new Promise((_, reject) => setTimeout(reject, 1000));
}
`),
);
fetches.run();

const bodies = suite("body-without-bound");

bodies("fires when maxBodyBytes bounds nothing", () =>
  assertMarked(`export default {
  maxBodyBytes: "none", // ! unlimited-option
  async fetch(request: Request) {
    return Response.json(await request.json()); // ! body-without-bound
  },
};
`),
);

bodies("fires for what gathers a body, in each style", () =>
  assertMarked(`import { createServer } from "node:http";
export default {
  async fetch(request: Request) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body!) {
      chunks.push(chunk); // ! body-without-bound
    }
    let text = "";
    const reader = request.body!.getReader();
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value; // ! body-without-bound
    }
    return new Response(text);
  },
};
createServer((req, res) => {
  let body = "";
  req.on("data", (chunk) => {
    body += chunk; // ! body-without-bound
  });
  req.on("end", () => res.end(body));
});
`),
);

bodies("is silent with a bound, and where nothing is kept", () =>
  assertClean(`export default {
  async fetch(request: Request) {
    if (request.method === "POST") return Response.json(await request.json());
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of request.body!) {
      size += chunk.byteLength;
      if (size > 1_000_000) return new Response(null, { status: 413 });
      chunks.push(chunk);
    }
    let rest = "";
    for await (const chunk of request.body!.pipeThrough(new TextDecoderStream())) {
      rest += chunk;
      const lines = rest.split("\\n");
      rest = lines.pop() ?? "";
      for (const line of lines) console.log(line);
    }
    return new Response(String(size));
  },
};
`),
);

bodies("response-without-bound: only of a host that the client chooses", () =>
  assertMarked(
    handler(`    const url = new URL(request.url).searchParams.get("url")!;
    const theirs = await fetch(url, { signal: request.signal });
    const copy = await theirs.arrayBuffer(); // ! response-without-bound
    const ours = await fetch(\`https://api.example.com/\${url}\`, { signal: request.signal });
    const known = await ours.json();
    console.log(copy, known);`),
  ),
);
bodies.run();

const promises = suite("floating-promise");

promises("fires for calls that nobody awaits", () =>
  assertMarked({
    "server.ts": `import { writeFile } from "node:fs/promises";
import { record } from "./record.ts";
class Store {
  async save(key: string) {
    await writeFile("data", key);
  }
}
const store = new Store();
export default {
  async fetch(request: Request) {
    record(request.url); // ! floating-promise
    void record(request.url); // ! floating-promise
    store.save(request.url); // ! floating-promise
    writeFile("log", request.url); // ! floating-promise
    Deno.writeTextFile("log", request.url); // ! floating-promise
    record("a").then(() => console.log("done")); // ! floating-promise
    record("b").finally(() => console.log("done")); // ! floating-promise
    fetch("https://example.com", { signal: request.signal }); // ! floating-promise
    Promise.all([record("c"), record("d")]); // ! floating-promise
    (async () => { // ! floating-promise
      await record("e");
    })();
    [1, 2].forEach(async (n) => { // ! floating-promise
      await record(String(n));
    });
    const never = record("f"); // ! floating-promise
    if (request.method === "PUT") record("g"); // ! floating-promise
    request.url && record("h"); // ! floating-promise
    return new Response("ok");
  },
};
`,
    "record.ts": `export async function record(what: string): Promise<void> {
  await Deno.writeTextFile("log", what);
}
`,
  }),
);

promises("is silent when it is awaited, returned, collected, or the program's start", () =>
  assertClean(`import { go } from "slipway";
async function save(what: string): Promise<void> {
  await Deno.writeTextFile("log", what);
}
function plain() {}
async function main() {
  await save("start");
}
export default {
  async fetch(request: Request, info: any) {
    await save("a");
    const pending = save("b");
    await pending;
    await Promise.all(["c", "d"].map(async (one) => await save(one)));
    info.go("save", () => save("e"));
    go("save", () => save("f"));
    plain();
    request.signal.addEventListener("abort", () => console.log("gone"));
    return save("g").then(() => new Response("ok"));
  },
};
await main();
main();
export function later() {
  void save("h");
}
`),
);
promises.run();

const background = suite("background-work");

background("fires for what outlives the request", () =>
  assertMarked(
    handler(
      `    save(request.url).catch(console.error); // ! background-work
    void save(request.url).catch(() => {}); // ! background-work
    quiet(request.url); // ! background-work
    setInterval(() => console.log(request.url), 1000); // ! background-work
    setTimeout(() => cleanUp(request.url), 60_000); // ! background-work
    setTimeout(async () => { // ! background-work
      await save(request.url);
    }, 1000);`,
      `async function save(what: string) {
  await Deno.writeTextFile("log", what);
}
async function quiet(what: string) {
  try {
    await save(what);
  } catch (error) {
    console.error(error);
  }
}
function cleanUp(what: string) {
  console.log(what);
}`,
    ),
  ),
);

background("is silent for waits, deadlines, timers that are cleared, and tasks", () =>
  assertClean(
    handler(
      `    await new Promise((resolve) => setTimeout(resolve, 100));
    await new Promise<void>((resolve) => setTimeout(() => resolve(), 100));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 5000);
    const timer = setTimeout(() => console.log("slow"), 1000);
    clearTimeout(timer);
    void request.body?.cancel().catch(() => {});
    info.go("save", async () => await Deno.writeTextFile("log", request.url));
    const stream = new ReadableStream({
      start(out) {
        this.timer = setInterval(() => out.enqueue("tick"), 1000);
      },
      cancel() {
        clearInterval(this.timer);
      },
    });
    console.log(stream);`,
      `setInterval(() => console.log("once for the whole process"), 60_000);
app.get("/callbacks", (req, res, next) => {
  Deno.readTextFile("page.html").then((page) => res.send(page)).catch(next);
});
declare const app: any;`,
    ),
  ),
);
background.run();

const signals = suite("swallowed-signal");

signals("fires for aborts that are thrown away and signals that nobody looks at", () =>
  assertMarked(`async function load(url: string, signal: AbortSignal) { // ! swallowed-signal
  await new Promise((resolve) => setTimeout(resolve, 100));
  return url;
}
export default {
  async fetch(request: Request) {
    let answer;
    try {
      answer = await fetch("https://example.com", { signal: request.signal });
    } catch {} // ! swallowed-signal
    while (true) { // ! swallowed-signal
      await load("a", AbortSignal.timeout(10));
    }
    return new Response(answer?.body);
  },
};
`),
);

signals("is silent when somebody looks", () =>
  assertClean(`async function load(url: string, signal: AbortSignal) {
  return await fetch(url, { signal });
}
async function other(url: string, _signal: AbortSignal) {
  return await load(url, AbortSignal.timeout(10));
}
export default {
  async fetch(request: Request) {
    try {
      return await load("https://example.com", request.signal);
    } catch (error) {
      if (request.signal.aborted) throw error;
      console.error(error);
    }
    while (!request.signal.aborted) await other("https://example.com", request.signal);
    while (true) {
      const answer = await other("https://example.com", request.signal);
      if (answer.ok) break;
    }
    try {
      JSON.parse(await request.text());
    } catch {}
    try {
      await fetch("https://example.com/ping", { signal: AbortSignal.timeout(100) });
    } catch {}
    return new Response("ok");
  },
};
`),
);
signals.run();

const limits = suite("unlimited-option");

limits("fires for none, 0 and Infinity, wherever options stand", () =>
  assertMarked(`import { serve } from "slipway/http";
const forever = "none";
const shared = { idleTimeout: 0 }; // ! unlimited-option
Deno.serve({ port: 8001, readTimeout: "none" }, () => new Response("a")); // ! unlimited-option
serve({ port: 8002, readHeaderTimeout: forever }, () => new Response("b")); // ! unlimited-option
serve({ port: 8003, maxConnections: Infinity, ...shared }, () => new Response("c")); // ! unlimited-option
export default {
  writeTimeout: 0, // ! unlimited-option
  maxHeaderBytes: Number.POSITIVE_INFINITY, // ! unlimited-option
  drainTimeout: "none", // ! unlimited-option
  readTimeout: "48h", // ! unlimited-option
  maxRequestsPerConnection: "none",
  limits(request: Request) {
    if (request.method === "PUT") return { maxBodyBytes: "none" }; // ! unlimited-option
    return { writeTimeout: "10m" };
  },
  fetch(request: Request, info: any) {
    info.setWriteTimeout("none"); // ! unlimited-option
    return new Response("d");
  },
};
`),
);

limits("is silent for bounds, for limits that may be 0, and for other people's options", () =>
  assertClean(`const pool = createPool({ idleTimeout: 0, maxConnections: Infinity });
export default {
  readTimeout: "2m",
  maxBodyBytes: "1GiB",
  minRate: 0,
  drainDelay: 0,
  drainIdle: "0s",
  maxConnections: "auto",
  maxRequestsPerConnection: "none",
  fetch(request: Request, info: any) {
    info.setReadTimeout("5m");
    info.setMinRate(0);
    return new Response(pool.get(request.url));
  },
};
declare function createPool(options: object): { get(key: string): string };
`),
);
limits.run();

const sync = suite("sync-call-in-handler");

sync("fires in handlers and in what they call", () =>
  assertMarked({
    "server.ts": `import * as fs from "node:fs";
import { execSync } from "child_process";
import { page } from "./page.ts";
Deno.serve((request) => {
  fs.writeFileSync("log", request.url); // ! sync-call-in-handler
  execSync("ls"); // ! sync-call-in-handler
  Deno.readTextFileSync("page.html"); // ! sync-call-in-handler
  return new Response(page("a"));
});
`,
    "page.ts": `import { readFileSync } from "fs";
export function page(name: string): string {
  return read(name);
}
function read(name: string): string {
  return readFileSync(name, "utf8"); // ! sync-call-in-handler
}
`,
  }),
);

sync("fires in the handlers of frameworks", () =>
  assertMarked(`import { readFileSync } from "node:fs";
import { Hono } from "hono";
import { defineEventHandler } from "h3";
const app = new Hono();
app.get("/", (c) => c.text(readFileSync("a", "utf8"))); // ! sync-call-in-handler
app.use(async (c, next) => {
  readFileSync("b"); // ! sync-call-in-handler
  await next();
});
export const other = defineEventHandler(() => readFileSync("c", "utf8")); // ! sync-call-in-handler
const listener = Deno.listen({ port: 1 });
for await (const conn of listener) {
  readFileSync("d"); // ! sync-call-in-handler
  conn.close();
}
export default app;
`),
);

sync("is silent at the start, in functions that only the start calls, and for asynchronous calls", () =>
  assertClean(`import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
const page = readFileSync("page.html", "utf8");
const config = load("config.json");
const cache = new Map<string, string>();
function load(name: string) {
  return JSON.parse(readFileSync(name, "utf8"));
}
class Fake {
  readFileSync() {}
}
export default {
  async fetch(request: Request) {
    new Fake().readFileSync();
    await readFile(config.file);
    return new Response(cache.get(request.url) ?? page);
  },
};
`),
);
sync.run();

const secrets = suite("secret-in-source");

// In two parts, so that nobody's scanner takes this file for a leak.
const aws = ["AKIA", "2E7Q4ZL8N1B6XW3D"].join("");
const github = ["ghp", "_", "a8Kd03jfLq92msPz7Yh4Vb6Nc1Xw5Te0Ru8Q"].join("");
const stripe = ["sk", "_live_", "4eC39HqLyjWDarjtT1zdp7dc"].join("");
const pem = ["-----BEGIN RSA", " PRIVATE KEY-----"].join("");

secrets("fires for well-known shapes anywhere, and for secrets given to names that say so", () =>
  assertMarked(`const client = connect("${aws}"); // ! secret-in-source
const headers = { authorization: "Bearer ${github}" }; // ! secret-in-source
export const stripe = "${stripe}"; // ! secret-in-source
const pem = \`${pem}\\nMIIEow\`; // ! secret-in-source
const joined = ["${pem}", "MIIEowIBAAKCAQEA"].join("\\n"); // ! secret-in-source
const added = "${pem}\\n" + "MIIEowIBAAKCAQEA"; // ! secret-in-source
const dbPassword = "tr0ub4dor&3"; // ! secret-in-source
const options = { apiKey: "9f8a7b6c5d4e3f2a1b0c" }; // ! secret-in-source
const secret = process.env.SESSION_SECRET ?? "h4rdc0ded-s3ssion-key"; // ! secret-in-source
const database = "postgres://shop:Xk29slPq@db.internal.net/shop"; // ! secret-in-source
declare function connect(key: string): unknown;
`),
);

secrets("is silent for the environment, placeholders, words and names of secrets", () =>
  assertClean(`const password = process.env.PASSWORD;
const token = Deno.env.get("API_TOKEN");
const apiKey = "your-api-key-here";
const secret = "changeme";
const example = { password: "acoolproject", token: "test", secret: "<secret>" };
const tokenHeader = "x-csrf-token2";
const passwordField = "password1";
const tokenUrl = "https://auth.example.com/oauth2/token";
const wrapped = \`${pem}\\n\${secret}\\n\`;
const isPem = (text: string) => text.startsWith("${pem}");
const documented = "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx";
const database = "postgres://postgres:postgres@localhost:5432/app";
const templated = \`postgres://\${example.password}:x@host/db\`;
const hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const id = "550e8400-e29b-41d4-a716-446655440000";
`),
);
secrets.run();

const admin = suite("admin-on-all-interfaces");

admin("fires for an admin port that everybody reaches", () =>
  assertMarked(`import { createServer } from "node:http";
import inspector from "node:inspector";
const metricsServer = createServer();
metricsServer.listen(9090, "0.0.0.0"); // ! admin-on-all-interfaces
inspector.open(9229, "0.0.0.0"); // ! admin-on-all-interfaces
Deno.serve({ port: 9091, hostname: "0.0.0.0" }, adminHandler); // ! admin-on-all-interfaces
Deno.serve({ port: 9092 }, adminHandler); // ! admin-on-all-interfaces
function adminHandler() {
  return new Response("ok");
}
export default {
  admin: "0.0.0.0:9090", // ! admin-on-all-interfaces
  adminInsecure: true, // ! admin-on-all-interfaces
  fetch: () => new Response("ok"),
};
`),
);

admin("is silent on loopback and Unix sockets", () =>
  assertClean(`import inspector from "node:inspector";
inspector.open(9229);
Deno.serve({ port: 9091, hostname: "127.0.0.1" }, adminHandler);
Deno.serve({ path: "/run/admin.sock" }, adminHandler);
Deno.serve({ port: 8080, hostname: "0.0.0.0" }, publicHandler);
function adminHandler() {
  return new Response("ok");
}
function publicHandler() {
  return new Response("ok");
}
export default {
  hostname: "0.0.0.0",
  admin: "127.0.0.1:9090",
  adminInsecure: false,
  fetch: () => new Response("ok"),
};
`),
);
admin.run();

const collections = suite("unbounded-collection");

collections("fires for what requests fill and nothing empties", () =>
  assertMarked({
    "server.ts": `import { sessions } from "./sessions.ts";
const cache = new Map<string, string>();
const seen = new Set<string>();
const log: string[] = [];
const hits: Record<string, number> = {};
export default {
  fetch(request: Request) {
    cache.set(request.url, "x"); // ! unbounded-collection
    seen.add(request.headers.get("authorization")!); // ! unbounded-collection
    log.push(request.url); // ! unbounded-collection
    hits[request.url] = (hits[request.url] ?? 0) + 1; // ! unbounded-collection
    sessions.set(request.url, 1); // ! unbounded-collection
    return Response.json([...log]);
  },
};
`,
    "sessions.ts": `export const sessions = new Map<string, number>();
`,
  }),
);

collections("fires for one that a factory keeps between requests", () =>
  assertMarked(`import { Hono } from "hono";
function limiter() {
  const hits = new Map<string, number>();
  return async (c: any, next: () => Promise<void>) => {
    hits.set(c.req.path, 1); // ! unbounded-collection
    await next();
  };
}
const app = new Hono();
app.use(limiter());
export default app;
`),
);

collections("fires for members of objects that live as long as the process", () =>
  assertMarked(`class Counter {
  #seen = new Set<string>();
  static all: string[] = [];
  note(who: string) {
    this.#seen.add(who); // ! unbounded-collection
    Counter.all.push(who); // ! unbounded-collection
  }
}
class Builder {
  parts: string[] = [];
  add(part: string) {
    this.parts.push(part);
    return this;
  }
}
const counter = new Counter();
export default {
  fetch(request: Request) {
    counter.note(request.url);
    return Response.json(new Builder().add(request.url).parts);
  },
};
`),
);

collections("is silent with a bound, a deletion, a closed set of keys, or a life of one request", () =>
  assertClean(`const cache = new Map<string, string>();
const clients = new Set<WebSocket>();
const recent: string[] = [];
const weak = new WeakMap<object, string>();
const byMethod = new Map<string, number>();
const routes = new Map<string, () => Response>();
routes.set("/", () => new Response("a"));
let counter: Record<string, number> = {};
setInterval(() => {
  counter = {};
}, 60_000);
export default {
  fetch(request: Request, info: any) {
    if (cache.size > 1000) cache.delete(cache.keys().next().value!);
    cache.set(request.url, "x");
    recent.push(request.url);
    if (recent.length > 100) recent.shift();
    weak.set(request, "x");
    byMethod.set(request.method, 1);
    counter[info.env.PROJECT_ID] = 1;
    cache.set("latest", request.url);
    counter[request.url] = 1;
    const mine = new Map<string, string>();
    mine.set(request.url, "x");
    const { socket } = Deno.upgradeWebSocket(request);
    clients.add(socket);
    socket.onclose = () => clients.delete(socket);
    return new Response("ok");
  },
};
`),
);
collections.run();

const headers = suite("forwarded-header");

headers("fires for each way to read what a client can write", () =>
  assertMarked(`import { getRequestHeader, getRequestIP } from "h3";
import { createServer } from "node:http";
const name = "X-Forwarded-For";
export default {
  fetch(request: Request) {
    const a = request.headers.get("x-forwarded-for"); // ! forwarded-header
    const b = request.headers.get("X-Real-IP"); // ! forwarded-header
    const c = request.headers.get(name); // ! forwarded-header
    return Response.json([a, b, c]);
  },
};
createServer((req, res) => {
  const d = req.headers["x-forwarded-for"]; // ! forwarded-header
  const { "x-forwarded-host": e } = req.headers; // ! forwarded-header
  res.end(d + String(e));
});
export const hono = (c: any) => c.req.header("x-forwarded-proto"); // ! forwarded-header
export const h3 = (event: any) => getRequestHeader(event, "x-forwarded-for"); // ! forwarded-header
export const ip = (event: any) => getRequestIP(event, { xForwardedFor: true }); // ! forwarded-header
export const express = (app: any) => app.set("trust proxy", true); // ! forwarded-header
`),
);

headers("is silent when it is written, or of a response", () =>
  assertClean(`export default {
  async fetch(request: Request, info: any) {
    const headers = new Headers(request.headers);
    headers.set("x-forwarded-for", info.remoteAddr.hostname);
    headers.delete("forwarded");
    const response = await fetch("https://example.com", { headers, signal: request.signal });
    console.log(response.headers.get("x-forwarded-host"), request.headers.get("x-request-id"));
    return new Response(response.body);
  },
};
`),
);
headers.run();

const others = suite("the other rules");

others("error-details-sent, code-from-input, guessable-token, slow-regexp, uncaught-swallowed", () =>
  assertMarked(
    `import { exec } from "node:child_process";
process.on("uncaughtException", (error) => console.error(error)); // ! uncaught-swallowed
const slow = /^(\\w+)+$/;
export default {
  async fetch(request: Request) {
    const { code } = await request.json();
    const sessionToken = Math.random().toString(36); // ! guessable-token
    try {
      eval(code); // ! code-from-input
      new Function("x", code)(1); // ! code-from-input
      exec("convert " + code); // ! code-from-input
      if (/^(a+)+$/.test(code)) return new Response(sessionToken); // ! slow-regexp
      if (slow.test(code)) return new Response("b");
    } catch (error) {
      return new Response((error as Error).stack, { status: 500 }); // ! error-details-sent
    }
    return new Response("ok");
  },
};
`.replace("+$/;", "+$/; // ! slow-regexp"),
  ),
);

others("are silent on what is near", () =>
  assertClean(`import { execFile } from "node:child_process";
process.on("uncaughtException", (error) => {
  console.error(error);
  process.exit(1);
});
const fine = /^[a-z]+(?:-[a-z]+)*$/;
export default {
  async fetch(request: Request) {
    const { code } = await request.json();
    const token = crypto.randomUUID();
    const jitter = Math.random() * 100;
    try {
      new Function("return 1")();
      execFile("convert", [code]);
      if (fine.test(code)) return new Response(token);
    } catch (error) {
      console.error((error as Error).stack, jitter);
      return new Response((error as Error).message, { status: 500 });
    }
    return new Response("ok");
  },
};
`),
);
others.run();
