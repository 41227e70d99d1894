// serveDir over real connections: what is served, in which form and part, and above all what is not.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ServeDirOptions, serveDir, serveFile } from "../../src/static/mod.ts";
import { connect } from "../http/support/client.ts";
import { onlyHttp1 } from "../http/support/over-http2.ts";
import type { RawResponse } from "../http/support/responses.ts";
import { eventually, logged, start } from "../http/support/server.ts";
import { temporaryFolder } from "../support/process.ts";

const folder = temporaryFolder();
const root = join(folder, "public");
const past = new Date("2026-01-02T03:04:05Z");

/** Written long ago, so that its ETag is strong. */
function put(name: string, content: string | Uint8Array, when = past): void {
  const path = join(root, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, when, when);
}

const script = `const x = ${JSON.stringify("abcdefgh".repeat(400))};\n`;
const film = Uint8Array.from({ length: 3_000_001 }, (_, i) => (i * 7919) >> 3);
put("index.html", "<h1>front</h1>");
put("about.html", "<h1>about</h1>");
put("404.html", "<h1>nowhere</h1>");
put("empty.txt", "");
put("ten.txt", "0123456789");
put("film.mp4", film);
put("docs/index.html", "<h1>docs</h1>");
put("bare/file.bin", "x");
put("bare.html", "<h1>bare</h1>");
put("a b/ä&.txt", "odd");
put("app.js", script);
put("app.js.br", brotliCompressSync(script));
put("app.js.gz", gzipSync(script));
put("app.js.zst", zstdCompressSync(script));
put("stale.css", "a{}".repeat(500), new Date("2026-02-01T00:00:00Z"));
put("stale.css.gz", gzipSync("old"));
put("photo.png", "png");
put("photo.png.gz", gzipSync("png"));
put("assets/x-1a2b3c.js", "1");
put(".env", "SECRET=1");
put(".git/config", "[core]");
put("docs/.hidden/page.html", "hidden");
put(".well-known/security.txt", "Contact: x");
writeFileSync(join(folder, "secret.txt"), "outside");
mkdirSync(join(folder, "public-too"));
writeFileSync(join(folder, "public-too/file.txt"), "beside");
symlinkSync("../secret.txt", join(root, "out.txt"));
symlinkSync("..", join(root, "up"));
symlinkSync("../public-too", join(root, "beside"));
symlinkSync("ten.txt", join(root, "inside.txt"));
symlinkSync("loop", join(root, "loop"));
put("sly.css", "a{}");
symlinkSync("../secret.txt", join(root, "sly.css.br"));
execFileSync("mkfifo", [join(root, "pipe.txt")]);

function serving(options: ServeDirOptions = {}, url: string | URL = pathToFileURL(`${root}/`)) {
  return start((request) => serveDir(request, { fsRoot: url, ...options }));
}
const usual = serving();
test.after(() => usual[Symbol.dispose]());

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

async function ask(
  path: string,
  fields: Record<string, string> = {},
  method = "GET",
  port = usual.port,
): Promise<RawResponse> {
  using client = await connect(port, "127.0.0.1");
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  client.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`);
  return await client.response(method);
}

test("a file: its bytes, type and validators", async () => {
  const answer = await ask("/ten.txt");
  assert.is(answer.status, 200);
  assert.is(answer.text(), "0123456789");
  assert.is(answer.header("content-type"), "text/plain; charset=utf-8");
  assert.is(answer.header("content-length"), "10");
  assert.is(answer.header("accept-ranges"), "bytes");
  assert.is(answer.header("cache-control"), "no-cache");
  assert.is(answer.header("last-modified"), "Fri, 02 Jan 2026 03:04:05 GMT");
  assert.is(answer.header("x-content-type-options"), "nosniff");
  assert.match(answer.header("etag") ?? "", /^"[\w-]+"$/);
  const large = await ask("/film.mp4");
  assert.is(large.header("content-type"), "video/mp4");
  assert.ok(Buffer.from(film).equals(large.body));
  assert.is((await ask("/empty.txt")).header("content-length"), "0");
  assert.is((await ask("/a%20b/%C3%A4&.txt?x=1")).text(), "odd");
});

test("HEAD says the same, without the bytes", async () => {
  const [get, head] = [await ask("/film.mp4"), await ask("/film.mp4", {}, "HEAD")];
  for (const name of ["content-length", "etag", "content-type", "accept-ranges"]) {
    assert.is(head.header(name), get.header(name), name);
  }
  assert.is(head.body.length, 0);
  assert.is((await ask("/nowhere", {}, "HEAD")).status, 404);
});

test("other methods are refused", async () => {
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]) {
    const answer = await ask("/ten.txt", { "content-length": "0" }, method);
    assert.is(answer.status, 405, method);
    assert.is(answer.header("allow"), "GET, HEAD");
  }
});

test("folders: their index, with a slash; no listing", async () => {
  assert.is((await ask("/")).text(), "<h1>front</h1>");
  assert.is((await ask("/docs/")).text(), "<h1>docs</h1>");
  const moved = await ask("/docs?a=b");
  assert.is(moved.status, 301);
  assert.is(moved.header("location"), "/docs/?a=b");
  assert.is((await ask("/bare/")).status, 404);
  assert.is((await ask("/bare")).status, 404);
  assert.is((await ask("/ten.txt/")).status, 404);
  using none = serving({ showIndex: false });
  assert.is((await ask("/", {}, "GET", none.port)).status, 404);
  assert.is((await ask("/docs", {}, "GET", none.port)).status, 404);
});

const attacks = [
  ...["/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt", "/docs/../../secret.txt"],
  ...["/..\\secret.txt", "/..%5csecret.txt", "/%252e%252e%252fsecret.txt", "/....//secret.txt", "/.%2e/secret.txt"],
  ...[
    "/%2e%2e%5csecret.txt",
    "/..;/secret.txt",
    "/ten.txt%00",
    "/ten.txt%00.html",
    "/%00",
    "//secret.txt",
    "//etc/passwd",
  ],
  ...["/%2fetc%2fpasswd", "/docs/..%2f..%2f..%2fetc/passwd", "/./../secret.txt", "/ten.txt/../../secret.txt"],
  ...["/public-too/file.txt", "/../public-too/file.txt", "/%2e%2e/public-too/file.txt"],
  // Overlong UTF-8 of a dot and a slash.
  ...["/%c0%ae%c0%ae/secret.txt", "/%c0%ae%c0%ae%c0%afsecret.txt", "/%e0%80%ae%e0%80%ae/secret.txt"],
  ...["/out.txt", "/up/secret.txt", "/up/public-too/file.txt", "/beside/file.txt", "/up/", "/beside/", "/loop"],
  ...["/pipe.txt", `/${"x".repeat(300)}`, `/${"a/".repeat(3000)}`, "/docs//index.html", "/docs/%2findex.html"],
  ...["/.env", "/%2eenv", "/.git/config", "/.git/", "/.git", "/docs/.hidden/page.html", "/docs/%2ehidden/page.html"],
  ...["/docs/.well-known/x", "/.well-known/../.env", "/.", "/..", "/docs/.."],
];
test("nothing outside of the folder, nothing hidden, nothing that is no file", async () => {
  for (const path of attacks) {
    const answer = await ask(path);
    const body = answer.text();
    assert.not.match(body, /outside|beside|SECRET|core|hidden|root:/, path);
    // Dot segments are the URL's own to resolve, and may lead to the front page or to a file's own name.
    const resolved = new URL(`http://x${path.replaceAll("\\", "/")}`).pathname;
    const known = ["/", "/docs/"].includes(resolved);
    assert.ok(
      known ? answer.status === 200 : answer.status === 404 || answer.status === 400,
      `${path}: ${answer.status}`,
    );
  }
  for (const path of ["/%", "/%zz", "/%c0%af", "/a%2"]) assert.is((await ask(path)).status, 400, path);
  assert.is((await ask("/inside.txt")).text(), "0123456789");
  assert.is((await ask("/.well-known/security.txt")).text(), "Contact: x");
  // The server has not lost a thread to the pipe, nor anything else.
  assert.is((await ask("/ten.txt")).status, 200);
});

onlyHttp1(test)("targets in their other forms", async () => {
  assert.is((await ask("http://x/ten.txt")).text(), "0123456789");
  for (const target of [
    "http://x/../secret.txt",
    "http://x/%2e%2e/secret.txt",
    "http://x/..%2fsecret.txt",
    "http://x//etc/passwd",
  ]) {
    assert.is((await ask(target)).status, 404, target);
  }
  for (const target of ["secret.txt", "../secret.txt", "file:///etc/passwd"]) {
    await logged(async () => assert.ok([400, 404].includes((await ask(target)).status), target));
  }
  await logged(async () => assert.is((await ask("/ten.txt?/../../secret.txt#x")).status, 400));
});

test("clients that leave in the middle, or never read: descriptors and memory are given back", async () => {
  put("large.bin", "");
  truncateSync(join(root, "large.bin"), 400_000_000);
  const large = () => readdirSync("/proc/self/fd").filter((fd) => linkOf(fd).endsWith("/large.bin")).length;
  const before = process.memoryUsage.rss();
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect(usual.port, "127.0.0.1")));
  for (const client of clients) {
    client.write("GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.saw("content-length: 400000000");
    client.socket.pause();
  }
  assert.is(large(), 8);
  assert.ok(process.memoryUsage.rss() - before < 150_000_000, "what nobody reads is not read from the disk");
  for (const client of clients) client.socket.destroy();
  await eventually(() => large() === 0, "all are closed");
});

test("generated paths never leave the folder", async () => {
  const pieces = [
    "..",
    ".",
    "%2e",
    "%2e%2e",
    "/",
    "%2f",
    "\\",
    "%5c",
    "up",
    "docs",
    "secret.txt",
    "%00",
    ";",
    "%252e",
    "public-too",
    "file.txt",
    "x",
  ];
  let seed = Number(process.env["SLIPWAY_SEED"] ?? Date.now() % 100_000);
  const from = seed;
  const next = (below: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let i = 0; i < 1500; i++) {
    let path = "/";
    for (let n = 1 + next(8); n > 0; n--) path += pieces[next(pieces.length)] + (next(3) === 0 ? "" : "/");
    const answer = await serveDir(new Request(`http://x${path}`), { fsRoot: root });
    assert.not.match(await answer.text(), /outside|beside/, `${path}, seed ${from}`);
  }
});

test("a redirect never leads to another host", async () => {
  mkdirSync(join(root, "evil.example"), { recursive: true });
  put("evil.example/index.html", "x");
  for (const path of ["//evil.example", "/%2fevil.example", "/\\evil.example", "/.//evil.example"]) {
    const answer = await ask(path);
    const location = answer.header("location");
    assert.ok(location === null || /^\/[^/\\]/.test(location), `${path}: ${location}`);
  }
  assert.is((await ask("/evil.example?//x")).header("location"), "/evil.example/?//x");
});

test("links out of the folder are followed where that is asked for", async () => {
  using follows = serving({ followSymlinks: true });
  assert.is((await ask("/out.txt", {}, "GET", follows.port)).text(), "outside");
  using shows = serving({ showDotfiles: true });
  assert.is((await ask("/.env", {}, "GET", shows.port)).text(), "SECRET=1");
  assert.is((await ask("/up/secret.txt", {}, "GET", shows.port)).status, 404);
});

test("a root that is a link, and led elsewhere by a new release", async () => {
  for (const release of ["r1", "r2"]) {
    mkdirSync(join(folder, release));
    writeFileSync(join(folder, release, "v.txt"), release);
  }
  const current = join(folder, "current");
  symlinkSync("r1", current);
  using site = serving({}, current);
  assert.is((await ask("/v.txt", {}, "GET", site.port)).text(), "r1");
  symlinkSync("r2", `${current}.new`);
  renameSync(`${current}.new`, current);
  assert.is((await ask("/v.txt", {}, "GET", site.port)).text(), "r2");
});

test("ranges", async () => {
  const part = async (range: string, path = "/ten.txt", more = {}) => ask(path, { range, ...more });
  const good: Record<string, [string, string]> = {
    "bytes=0-3": ["0123", "0-3"],
    "bytes=4-": ["456789", "4-9"],
    "bytes=-3": ["789", "7-9"],
    "bytes=-99": ["0123456789", "0-9"],
    "bytes=9-99999999999999999999999": ["9", "9-9"],
    "BYTES=0-0": ["0", "0-0"],
  };
  for (const [range, [text, said]] of Object.entries(good)) {
    const answer = await part(range);
    assert.is(answer.status, 206, range);
    assert.is(answer.text(), text);
    assert.is(answer.header("content-range"), `bytes ${said}/10`);
    assert.is(answer.header("content-length"), `${text.length}`);
  }
  for (const range of ["bytes=10-", "bytes=99-100", "bytes=-0"]) {
    const answer = await part(range);
    assert.is(answer.status, 416, range);
    assert.is(answer.header("content-range"), "bytes */10");
  }
  // No range, or several: all of it.
  for (const range of [
    "bytes=5-4",
    "bytes=a-b",
    "bytes=",
    "bytes=-",
    "lines=0-1",
    "bytes=0-1,3-4",
    "bytes=0-0, -1",
    "0-1",
  ]) {
    const answer = await part(range);
    assert.is(answer.status, 200, range);
    assert.is(answer.text(), "0123456789");
  }
  assert.is((await ask("/ten.txt", { range: "bytes=0-3" }, "HEAD")).status, 200);
  assert.is((await part("bytes=0-", "/empty.txt")).status, 416);
  // Through sendfile, and at its edges.
  for (const [from, to] of [
    [0, 0],
    [65_535, 65_537],
    [1_000_000, 2_999_999],
    [2_999_990, 3_000_000],
  ]) {
    const answer = await part(`bytes=${from}-${to}`, "/film.mp4");
    assert.ok(Buffer.from(film.subarray(from, to + 1)).equals(answer.body), `${from}-${to}`);
  }
});

test("conditional requests", async () => {
  const { header } = await ask("/ten.txt");
  const etag = header("etag") ?? "";
  const date = header("last-modified") ?? "";
  const later = "Sat, 03 Jan 2026 00:00:00 GMT";
  const earlier = "Thu, 01 Jan 2026 00:00:00 GMT";
  const expected: [Record<string, string>, number][] = [
    [{ "if-none-match": etag }, 304],
    [{ "if-none-match": `W/${etag}` }, 304],
    [{ "if-none-match": `"x", ${etag}` }, 304],
    [{ "if-none-match": "*" }, 304],
    [{ "if-none-match": '"x"' }, 200],
    [{ "if-none-match": '"x"', "if-modified-since": later }, 200],
    [{ "if-modified-since": date }, 304],
    [{ "if-modified-since": later }, 304],
    [{ "if-modified-since": earlier }, 200],
    [{ "if-modified-since": "yesterday" }, 200],
    [{ "if-modified-since": "Friday, 02-Jan-26 03:04:05 GMT" }, 304],
    [{ "if-modified-since": "Fri Jan  2 03:04:05 2026" }, 304],
    [{ "if-match": etag }, 200],
    [{ "if-match": `W/${etag}` }, 412],
    [{ "if-match": "*" }, 200],
    [{ "if-match": '"x"' }, 412],
    [{ "if-unmodified-since": earlier }, 412],
    [{ "if-unmodified-since": date }, 200],
    [{ "if-match": etag, "if-unmodified-since": earlier }, 200],
    [{ "if-match": etag, "if-none-match": etag }, 304],
    [{ range: "bytes=0-1", "if-range": etag }, 206],
    [{ range: "bytes=0-1", "if-range": `W/${etag}` }, 200],
    [{ range: "bytes=0-1", "if-range": '"x"' }, 200],
    [{ range: "bytes=0-1", "if-range": date }, 206],
    [{ range: "bytes=0-1", "if-range": later }, 200],
    [{ range: "bytes=0-1", "if-range": "nonsense" }, 200],
    [{ range: "bytes=0-1", "if-none-match": etag }, 304],
    [{ range: "bytes=0-1", "if-match": '"x"' }, 412],
  ];
  for (const [fields, status] of expected) {
    const answer = await ask("/ten.txt", fields);
    assert.is(answer.status, status, JSON.stringify(fields));
    if (status === 304) assert.is(answer.header("etag"), etag);
    if (status === 304) assert.is(answer.body.length, 0);
  }
});

test("what was written just now has a weak ETag: it may be written again within its clock's tick", async () => {
  put("new.txt", "one", new Date());
  const first = await ask("/new.txt");
  assert.match(first.header("etag") ?? "", /^W\/"/);
  assert.is((await ask("/new.txt", { "if-none-match": first.header("etag") ?? "" })).status, 304);
  assert.is((await ask("/new.txt", { range: "bytes=0-0", "if-range": first.header("etag") ?? "" })).status, 200);
  put("new.txt", "two!", new Date());
  assert.is((await ask("/new.txt", { "if-none-match": first.header("etag") ?? "" })).status, 200);
});

test("compressed siblings, by what the client likes", async () => {
  const cases: [string, string | null][] = [
    ["gzip", "gzip"],
    ["br", "br"],
    ["gzip, br, zstd", "zstd"],
    ["gzip;q=1, br;q=0.5", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["*", "zstd"],
    ["identity", null],
    ["gzip;q=0.2, identity;q=0.8", null],
    ["", null],
    ["nonsense", null],
  ];
  const etags = new Set<string | null>();
  for (const [accepted, coding] of cases) {
    const answer = await ask("/app.js", { "accept-encoding": accepted });
    assert.is(answer.header("content-encoding"), coding, accepted);
    assert.is(answer.header("content-type"), "text/javascript; charset=utf-8");
    assert.is(answer.header("vary"), "Accept-Encoding");
    etags.add(answer.header("etag"));
    if (coding === null) assert.is(answer.text(), script);
  }
  assert.is(etags.size, 4, "each form has its own");
  assert.is(await (await fetch(`${usual.url}/app.js`)).text(), script, "which a client of its own decodes");
  const br = await ask("/app.js", { "accept-encoding": "br" });
  const rest = await ask("/app.js", {
    "accept-encoding": "br",
    range: "bytes=5-",
    "if-range": br.header("etag") ?? "",
  });
  assert.is(rest.status, 206);
  assert.ok(br.body.subarray(5).equals(rest.body));
  assert.is((await ask("/stale.css", { "accept-encoding": "gzip" })).header("content-encoding"), null);
  assert.is((await ask("/stale.css", { "accept-encoding": "gzip" })).header("vary"), "Accept-Encoding");
  assert.is(
    (await ask("/sly.css", { "accept-encoding": "br" })).text(),
    "a{}",
    "a link out of the folder is no sibling",
  );
  const photo = await ask("/photo.png", { "accept-encoding": "gzip" });
  assert.is(photo.header("content-encoding"), null);
  assert.is(photo.header("vary"), null);
  using without = serving({ precompressed: false });
  assert.is((await ask("/app.js", { "accept-encoding": "br" }, "GET", without.port)).header("content-encoding"), null);
});

test("a page for what is not there", async () => {
  const page = { accept: "text/html,application/xhtml+xml" };
  using app = serving({ fallback: "index.html", immutable: /^\/assets\// });
  const get = (path: string, fields = {}) => ask(path, fields, "GET", app.port);
  assert.is((await get("/users/7", page)).text(), "<h1>front</h1>");
  assert.is((await get("/users/7", page)).header("vary"), "accept, Accept-Encoding");
  assert.is((await get("/users/7")).status, 404);
  assert.is((await get("/assets/old.js", { accept: "*/*" })).status, 404);
  assert.is((await get("/.env", page)).status, 404);
  assert.is((await get("/assets/x-1a2b3c.js")).header("cache-control"), "public, max-age=31536000, immutable");
  assert.is((await get("/app.js")).header("cache-control"), "no-cache");
  using site = serving({
    notFound: "/404.html",
    cleanUrls: true,
    urlRoot: "/site/",
    enableCors: true,
    headers: ["x-a: b"],
  });
  const asked = (path: string, fields = {}) => ask(path, fields, "GET", site.port);
  const none = await asked("/site/x", page);
  assert.is(none.status, 404);
  assert.is(none.text(), "<h1>nowhere</h1>");
  assert.is(none.header("etag"), null);
  assert.is((await asked("/site/about")).text(), "<h1>about</h1>");
  assert.is((await asked("/site/bare")).text(), "<h1>bare</h1>", "beside a folder that has no index");
  assert.is((await asked("/site")).header("location"), "/site/");
  assert.is((await asked("/site/docs")).header("location"), "/site/docs/");
  assert.is((await asked("/sites/ten.txt")).status, 404);
  assert.is((await asked("/ten.txt")).status, 404);
  assert.is((await asked("/site/ten.txt")).header("access-control-allow-origin"), "*");
  assert.is((await asked("/site/ten.txt")).header("x-a"), "b");
});

test("a file that may not be read, or ends while it is sent", async () => {
  put("closed.txt", "x");
  chmodSync(join(root, "closed.txt"), 0);
  assert.is((await ask("/closed.txt")).status, process.getuid?.() === 0 ? 200 : 403);
  put("shrinks.bin", "");
  truncateSync(join(root, "shrinks.bin"), 300_000_000);
  await logged(async () => {
    using client = await connect(usual.port, "127.0.0.1");
    client.write("GET /shrinks.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.saw("content-length: 300000000");
    client.socket.pause();
    truncateSync(join(root, "shrinks.bin"), 10);
    client.socket.resume();
    await client.until(() => client.over, "the cut");
    assert.ok(client.bytes.length < 300_000_000);
  });
  unlinkSync(join(root, "shrinks.bin"));
  assert.is((await ask("/shrinks.bin")).status, 404);
});

test("without a server: the stream is the part, and gives its descriptor back", async () => {
  const open = () => readdirSync("/proc/self/fd").length;
  const before = open();
  for (let i = 0; i < 50; i++) {
    const request = new Request("http://x/film.mp4", { headers: { range: "bytes=100-99999" } });
    const answer = await serveDir(request, { fsRoot: root });
    if (i % 2 === 0) assert.ok(Buffer.from(film.subarray(100, 100_000)).equals(Buffer.from(await answer.bytes())));
    else await answer.body?.cancel();
    await serveDir(new Request("http://x/app.js", { method: "HEAD" }), { fsRoot: root });
    await serveDir(new Request("http://x/out.txt"), { fsRoot: root });
  }
  await eventually(() => open() <= before + 2, "the descriptors are closed");
});

test("serveFile, whatever the path says", async () => {
  const answer = await serveFile(
    new Request("http://x/anything", { headers: { range: "bytes=1-2" } }),
    join(root, "ten.txt"),
  );
  assert.is(answer.status, 206);
  assert.is(await answer.text(), "12");
  assert.is((await serveFile(new Request("http://x/"), join(root, "docs"))).status, 404);
});

test("mistakes in options say so", async () => {
  const ask = (options: object) => serveDir(new Request("http://x/"), options);
  const fails = async (options: object, said: RegExp) => {
    try {
      await ask(options);
    } catch (error) {
      return assert.match((error as Error).message, said);
    }
    assert.unreachable(String(said));
  };
  await fails({ root: "x" }, /^serveDir: 'root' is no option: it takes headers, /);
  await fails({ showDirListing: true }, /no listings/);
  await fails({ immutable: /x/g }, /RegExp without/);
  await fails({ fsRoot: join(folder, "none") }, /^serveDir: there is no folder .*none \(fsRoot\)/);
  await fails({ fsRoot: root, headers: ["x"] }, /"x" is no field/);
});

test.after(() => rmSync(root, { recursive: true, force: true }));
test.run();
