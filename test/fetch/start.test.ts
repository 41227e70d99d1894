import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const mod = JSON.stringify(new URL("../../src/fetch/mod.ts", import.meta.url).href);

/** Runs a program in a Node of its own; its last line says what it found. */
function run(program: string): unknown {
  const prelude = `
    const { install, requestFrom, toLightResponse, responseBody } = await import(${mod});
    const loaded = () => process.moduleLoadList.some((module) => /deps\\/undici/.test(module));
  `;
  const output = execFileSync(process.execPath, ["--no-warnings", "--input-type=module", "--eval", prelude + program], {
    encoding: "utf8",
    timeout: 30_000,
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "");
}

test("nothing native is loaded by a server's daily work", () => {
  const found = run(`
    install();
    const seen = [];
    const response = new Response("hello", { status: 201, headers: { a: "1" } });
    seen.push(response instanceof Response, ({}) instanceof Response, response.headers.get("a"));
    Response.json({ a: 1 }).clone();
    Response.redirect("http://a.example/");
    const head = "GET /a HTTP/1.1\\r\\nHost: a.example\\r\\nAccept: */*";
    const request = requestFrom({ method: "GET", head, fieldsStart: 17, url: () => "http://a.example/a", hasBody: () => false, signal: () => new AbortController().signal });
    seen.push(request.headers.get("host"), request instanceof Request, [...request.headers].length);
    await new Request("http://a.example/", { method: "POST", body: "x" }).json().catch(() => {});
    await new Response(new Blob(["x"])).arrayBuffer();
    await new Response(new Blob(["x"]).stream()).text();
    await new Response(new URLSearchParams("a=1")).blob();
    console.log(JSON.stringify([...seen, loaded()]));
  `);
  assert.equal(found, [true, false, "1", "a.example", true, 2, false]);
});

test("fetch loads it, and its answers are Responses then", () => {
  const found = run(`
    install();
    const before = loaded();
    const response = await fetch("data:text/plain,hi");
    console.log(JSON.stringify([before, loaded(), response instanceof Response, new Response() instanceof response.constructor, await toLightResponse(response).text()]));
  `);
  assert.equal(found, [false, true, true, true, "hi"]);
});

test("a form is read by the host's parser, which gets loaded for it", () => {
  const found = run(`
    install();
    const before = loaded();
    const form = await new Response("a=1", { headers: { "content-type": "application/x-www-form-urlencoded" } }).formData();
    console.log(JSON.stringify([before, loaded(), form instanceof FormData, [...form]]));
  `);
  assert.equal(found, [false, true, true, [["a", "1"]]]);
});

test("a bundler's short names don't show", async () => {
  const { buildSync } = await import("esbuild");
  const entry = fileURLToPath(new URL("../../src/fetch/mod.ts", import.meta.url));
  // What loads koffi asks where it lies.
  const define = { "import.meta.url": JSON.stringify(import.meta.url) };
  const options = { bundle: true, minify: true, platform: "node", format: "cjs", write: false, define } as const;
  const code = buildSync({ entryPoints: [entry], ...options }).outputFiles[0].text;
  const program = `${code}; { const { Request, Response, Headers, fetch } = module.exports; console.log([Request, Response, Headers, fetch].map((x) => x.name).join(" ")); }`;
  const output = execFileSync(process.execPath, ["--input-type=commonjs"], {
    input: program,
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.is(output.trim(), "Request Response Headers fetch");
});

test("classes that somebody took first are known as the host's", () => {
  const found = run(`
    const Captured = Response;
    install();
    console.log(JSON.stringify([new Response() instanceof Captured, new Captured() instanceof Response, Captured === Response]));
  `);
  assert.equal(found, [true, true, false]);
});

test.run();
