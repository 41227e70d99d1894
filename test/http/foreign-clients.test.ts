// Clients that we did not write: curl, undici, fetch, nc, and whatever sends over node:http.
import { execFile, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import * as undici from "undici";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";
import { start, turns } from "./support/server.ts";

const sha = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const has = (program: string): boolean => spawnSync(program, ["--help"]).error === undefined;
const folder = temporaryFolder();
const big = randomBytes(12_000_000);
const upload = join(folder, "upload");
writeFileSync(upload, big);

const server = start(async (request) => {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/hash":
      return new Response(sha(await request.bytes()));
    case "/echo":
      return new Response(request.body, { headers: { "x-method": request.method } });
    case "/big":
      return new Response(big);
    case "/stream":
      return new Response(
        new ReadableStream({
          async start(controller) {
            for (let i = 0; i < 10; i++) {
              controller.enqueue(new TextEncoder().encode(`${i}\n`));
              await turns(1);
            }
            controller.close();
          },
        }),
      );
    case "/early":
      return new Response("no", { status: 413 });
    case "/headers":
      return Response.json([...request.headers]);
    default:
      return new Response(`${request.method} ${url.pathname}${url.search}`);
  }
});
test.after(() => server.server.close());

/** Runs a program to its end, with bytes as its input. */
function run(program: string, args: readonly string[], input: string | Uint8Array = ""): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { encoding: "buffer", maxBuffer: 1 << 26, timeout: 30_000 },
      (error, stdout, stderr) => (error ? reject(new Error(`${error.message} ${stderr}`)) : resolve(stdout)),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

const curl = async (...args: string[]): Promise<string> =>
  (await run("curl", ["--silent", "--show-error", "--max-time", "20", ...args])).toString("latin1");

if (has("curl")) {
  test("curl: GET, HEAD, POST, several on one connection", async () => {
    const { url } = server;
    assert.is(await curl(`${url}/a?b`), "GET /a?b");
    assert.match(
      await curl("--head", `${url}/a`),
      /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*content-length: 7\r\n(?:.+\r\n)*\r\n$/,
    );
    assert.is(await curl("--data", "hello", `${url}/echo`), "hello");
    const counted = await curl("--write-out", "%{num_connects} ", `${url}/1`, `${url}/2`, `${url}/3`);
    assert.is(counted, "GET /11 GET /20 GET /30 ");
    assert.is(await curl("--http1.0", `${url}/stream`), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert.is(await curl("--no-buffer", `${url}/stream`), "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    assert.is(await curl("--request", "PROPFIND", `${url}/x`), "PROPFIND /x");
    assert.is(await curl("--request", "OPTIONS", "--request-target", "*", url), "OPTIONS /*");
  });

  test("curl: large uploads with a length, with Expect, in chunks; large downloads", async () => {
    const { url } = server;
    const expected = sha(big);
    assert.is(await curl("--data-binary", `@${upload}`, `${url}/hash`), expected);
    assert.is(await curl("--header", "Expect: 100-continue", "--upload-file", upload, `${url}/hash`), expected);
    assert.is(await curl("--header", "Transfer-Encoding: chunked", "--upload-file", upload, `${url}/hash`), expected);
    assert.is(await curl("--header", "Expect:", "--form", `file=@${upload}`, `${url}/a`), "POST /a");
    const down = join(folder, "down");
    await curl("--output", down, `${url}/big`);
    assert.is(sha(readFileSync(down)), expected);
    const echoed = join(folder, "echoed");
    await curl("--output", echoed, "--header", "Transfer-Encoding: chunked", "--upload-file", upload, `${url}/echo`);
    assert.is(sha(readFileSync(echoed)), expected);
  });

  test("curl: an early refusal of a large upload", async () => {
    for (const expect of ["Expect:", "Expect: 100-continue"]) {
      const status = await curl(
        "--header",
        expect,
        "--write-out",
        " %{http_code}",
        "--upload-file",
        upload,
        `${server.url}/early`,
      );
      assert.is(status, "no 413");
    }
  });

  test("curl: HTTP/2 prior knowledge and TLS are refused, not hung on", async () => {
    for (const args of [
      ["--http2-prior-knowledge", server.url],
      ["--insecure", server.url.replace("http", "https")],
    ]) {
      const error = await curl(...args).then(
        () => undefined,
        (reason: Error) => reason,
      );
      assert.instance(error, Error);
      assert.not.match(String(error), /timed out/i);
    }
  });
} else skip(test, "curl", "curl is not installed");

/** There are several programs of this name. */
const { stdout, stderr } = spawnSync("nc", ["-h"], { encoding: "utf8" });
if (/-q\b/.test(`${stdout}${stderr}`)) {
  test("nc: a request by hand, its input at its end", async () => {
    const output = await run(
      "nc",
      ["-q", "1", "127.0.0.1", String(server.port)],
      "GET /by-hand HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert.match(output.toString(), /GET \/by-handHTTP\/1\.1 200 OK[\s\S]*9\n\r\n0\r\n\r\n$/);
  });
} else skip(test, "nc", "no nc that knows -q is installed");

test("undici: pipelining, in both directions at once", async () => {
  const client = new undici.Client(server.url, { pipelining: 10 });
  try {
    const texts = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const { body } = await client.request({ path: `/${i}`, method: "GET" });
        return await body.text();
      }),
    );
    texts.forEach((text, i) => {
      assert.is(text, `GET /${i}`);
    });
    const { body } = await client.request({ path: "/echo", method: "POST", body: createReadStream(upload) });
    assert.is(sha(await body.bytes()), sha(big));
  } finally {
    await client.destroy();
  }
});

test("undici: a pool under load, some requests aborted", async () => {
  const pool = new undici.Pool(server.url, { connections: 20 });
  try {
    const outcomes = await Promise.all(
      Array.from({ length: 500 }, async (_, i) => {
        const controller = new AbortController();
        const request = pool.request({ path: i % 7 === 0 ? "/big" : "/x", method: "GET", signal: controller.signal });
        if (i % 7 === 0) setTimeout(() => controller.abort(), i % 50);
        return await request.then(
          async ({ body }) =>
            await body.text().then(
              () => "ok",
              () => "aborted",
            ),
          () => "aborted",
        );
      }),
    );
    assert.ok(outcomes.every((outcome, i) => outcome === "ok" || i % 7 === 0));
  } finally {
    await pool.destroy();
  }
});

test("fetch: streams in both directions", async () => {
  const body = new ReadableStream({
    async start(controller) {
      for (let i = 0; i < 5; i++) {
        controller.enqueue(new TextEncoder().encode(`part ${i};`));
        await turns(1);
      }
      controller.close();
    },
  });
  const response = await fetch(`${server.url}/echo`, { method: "PUT", body, duplex: "half" } as RequestInit);
  assert.is(response.headers.get("x-method"), "PUT");
  assert.is(await response.text(), "part 0;part 1;part 2;part 3;part 4;");
});

test("node:http: an agent that keeps alive, trailers sent, Expect", async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (options: http.RequestOptions, send: (request: http.ClientRequest) => void): Promise<string> =>
    new Promise((resolve, reject) => {
      const request = http.request({ host: "127.0.0.1", port: server.port, agent, ...options }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(text));
      });
      request.on("error", reject);
      send(request);
    });
  try {
    for (let i = 0; i < 20; i++) assert.is(await ask({ path: `/${i}` }, (request) => request.end()), `GET /${i}`);
    const trailed = await ask({ path: "/echo", method: "POST" }, (request) => {
      request.setHeader("trailer", "x-sum");
      request.write("with ");
      request.addTrailers({ "x-sum": "1" });
      request.end("trailers");
    });
    assert.is(trailed, "with trailers");
    const expected = await ask({ path: "/echo", method: "POST", headers: { expect: "100-continue" } }, (request) => {
      request.flushHeaders();
      request.on("continue", () => request.end("continued"));
    });
    assert.is(expected, "continued");
    assert.is(await ask({ path: "/after" }, (request) => request.end()), "GET /after");
  } finally {
    agent.destroy();
  }
});

test.run();
