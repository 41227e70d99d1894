// @ts-nocheck: written for Deno, whose types are not installed here.
/**
 * A program as people write them for Deno, with nothing of ours in it: routes by URLPattern, files, environment, web
 * streams, a TCP server of its own beside the HTTP server, signals. test/deno/program.test.ts runs it under Deno and
 * under Slipway and expects the same answers.
 */
import menu from "./data/menu.json" with { type: "json" };

const started = Date.now();
const folder = await Deno.makeTempDir({ prefix: "guestbook-" });
const greeting = await Deno.readTextFile(new URL("./data/greeting.txt", import.meta.url));

// The side server: a line in, the same line in capitals out.
const side = Deno.listen({ hostname: "127.0.0.1", port: 0 });
(async () => {
  for await (const conn of side) shout(conn);
})();

async function shout(conn: Deno.Conn) {
  await conn.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TransformStream({ transform: (text, out) => out.enqueue(text.toUpperCase()) }))
    .pipeThrough(new TextEncoderStream())
    .pipeTo(conn.writable)
    .catch(() => {});
}

async function throughSideServer(text: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: side.addr.port });
  await conn.write(new TextEncoder().encode(text));
  await conn.closeWrite();
  const buffer = new Uint8Array(16);
  const decoder = new TextDecoder();
  let answer = "";
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    answer += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return answer;
}

type Groups = Record<string, string | undefined>;
const routes: [string, URLPattern, (request: Request, groups: Groups, info: Deno.ServeHandlerInfo) => unknown][] = [];
const route = (method: string, pathname: string, handler: (typeof routes)[0][2]) =>
  routes.push([method, new URLPattern({ pathname }), handler]);

route("GET", "/", () => new Response(greeting));
route("GET", "/hello/:name", (_, { name }) => `Hello, ${decodeURIComponent(name ?? "")}!`);
route("GET", "/menu", () => Response.json(menu));
route("GET", "/env", () => ({
  set: Deno.env.get("GUESTBOOK_MOOD"),
  unset: Deno.env.get("GUESTBOOK_NOTHING") ?? null,
  has: Deno.env.has("GUESTBOOK_MOOD"),
  args: Deno.args,
}));
route("GET", "/query", (request) => Object.fromEntries(new URL(request.url).searchParams));
route("GET", "/headers", (request) => {
  const { headers } = request;
  return {
    accept: headers.get("accept"),
    many: headers.get("x-many"),
    none: headers.get("x-none"),
    has: headers.has("HOST"),
  };
});
route(
  "POST",
  "/echo",
  (request) => new Response(request.body, { headers: { "x-type": request.headers.get("content-type") ?? "" } }),
);
route("POST", "/json", async (request) => {
  const { items } = await request.json();
  return { total: items.reduce((sum: number, item: number) => sum + item, 0) };
});
route("POST", "/form", async (request) => {
  const form = await request.formData();
  const file = form.get("file");
  return { name: form.get("name"), file: file instanceof File ? [file.name, file.type, await file.text()] : null };
});
route("POST", "/sha", async (request) => {
  const digest = await crypto.subtle.digest("SHA-256", await request.arrayBuffer());
  return new Uint8Array(digest).toHex();
});
route("GET", "/count/:to", (_, { to }) => {
  let next = 1;
  const numbers = new ReadableStream({
    pull(controller) {
      if (next > Number(to)) controller.close();
      else controller.enqueue(`${next++}\n`);
    },
  });
  return new Response(numbers.pipeThrough(new TextEncoderStream()), { headers: { "content-type": "text/plain" } });
});
route("GET", "/zipped", () => {
  const packed = new Blob([greeting.repeat(100)]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(packed.pipeThrough(new DecompressionStream("gzip")));
});
route("GET", "/events", () => {
  const events = ["one", "two", "three"].map((word) => `data: ${word}\n\n`);
  return new Response(ReadableStream.from(events).pipeThrough(new TextEncoderStream()), {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
  });
});
route("GET", "/shout/:text", async (_, { text }) => await throughSideServer(`${text}, and again ${text}`));
route("PUT", "/notes/:name", async (request, { name }) => {
  await Deno.writeTextFile(`${folder}/${name}.txt`, await request.text());
  const { size, isFile } = await Deno.stat(`${folder}/${name}.txt`);
  return Response.json({ size, isFile }, { status: 201, headers: { location: `/notes/${name}` } });
});
route("GET", "/notes/:name", async (_, { name }) => {
  try {
    return await Deno.readTextFile(`${folder}/${name}.txt`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Response(`no note ${name}`, { status: 404 });
    throw error;
  }
});
route("GET", "/notes", async () => {
  const names = [];
  for await (const { name, isFile } of Deno.readDir(folder)) names.push(`${name} ${isFile}`);
  return names.sort();
});
route("DELETE", "/notes/:name", async (_, { name }) => {
  await Deno.remove(`${folder}/${name}.txt`);
  return new Response(null, { status: 204 });
});
route("GET", "/broken", async () => await Deno.readTextFile(`${folder}/nothing-here`));
route("GET", "/thrown", () => {
  throw new TypeError("thrown on purpose");
});
route("GET", "/cookies", (request) => {
  const headers = new Headers({ "content-type": "text/plain;charset=UTF-8" });
  headers.append("set-cookie", "a=1; Path=/");
  headers.append("set-cookie", "b=2; HttpOnly");
  return new Response(request.headers.get("cookie"), { headers });
});
route("GET", "/redirect", (request) => Response.redirect(new URL("/menu", request.url), 303));
route("GET", "/bytes", () => new Response(new Uint8Array([0, 1, 2, 253, 254, 255])));
route("GET", "/empty", () => new Response());
route("GET", "/peer", (_request, _groups, { remoteAddr }) => [
  remoteAddr.hostname,
  remoteAddr.transport,
  typeof remoteAddr.port,
]);
route("GET", "/request", ({ method, url, bodyUsed, body, signal }) => {
  const { pathname, search, host } = new URL(url);
  return {
    method,
    pathname,
    search,
    host: /^127\.0\.0\.1:\d+$/.test(host),
    bodyUsed,
    body,
    aborted: signal.aborted,
  };
});
route("GET", "/system", async () => {
  const echo = await new Deno.Command("echo", { args: ["from", "a", "child"] }).output();
  const failed = await new Deno.Command("sh", { args: ["-c", "exit 3"] }).output();
  return {
    echo: [new TextDecoder().decode(echo.stdout), echo.success, echo.code],
    failed: [failed.success, failed.code, failed.signal],
    here: typeof Deno.cwd(),
    os: Deno.build.os,
    main: import.meta.main && Deno.mainModule === import.meta.url,
    up: Date.now() >= started,
  };
});
route("GET", "/errors", async () => {
  const attempts: Record<string, () => unknown> = {
    read: () => Deno.readFile(`${folder}/none`),
    readSync: () => Deno.readTextFileSync(`${folder}/none`),
    directory: () => Deno.readTextFile(folder),
    exists: () => Deno.mkdir(folder),
    open: () => Deno.open(`${folder}/none`),
    refused: () => Deno.connect({ hostname: "127.0.0.1", port: 1 }),
    taken: () => Deno.listen({ hostname: "127.0.0.1", port: side.addr.port }),
    command: () => new Deno.Command("no-such-program").outputSync(),
    key: () => Deno.env.get(""),
    signal: () => Deno.addSignalListener("SIGKILL", () => {}),
  };
  const found: Record<string, unknown> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      await attempt();
      found[name] = "nothing";
    } catch (error) {
      const kind =
        Object.keys(Deno.errors).find((key) => error.constructor === Deno.errors[key]) ?? error.constructor.name;
      found[name] = [kind, error.name, error.code ?? null, error instanceof Error];
    }
  }
  return found;
});

async function answer(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
  for (const [method, pattern, handler] of routes) {
    const match = method === request.method && pattern.exec(request.url);
    if (!match) continue;
    const result = await handler(request, match.pathname.groups, info);
    if (result instanceof Response) return result;
    return typeof result === "string" ? new Response(result) : Response.json(result);
  }
  return new Response(`no route for ${request.method} ${new URL(request.url).pathname}\n`, { status: 404 });
}

const server = Deno.serve(
  {
    port: 0,
    hostname: "127.0.0.1",
    onListen: ({ hostname, port, transport }) => console.log(`ready: ${transport} ${hostname} ${port}`),
    onError: (error) => new Response(`${error.name}: handled\n`, { status: 500, headers: { "x-error": error.name } }),
  },
  answer,
);

Deno.addSignalListener("SIGTERM", async () => {
  side.close();
  await server.shutdown();
});
await server.finished;
await Deno.remove(folder, { recursive: true });
console.log("bye");
