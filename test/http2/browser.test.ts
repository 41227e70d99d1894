// A browser that others wrote: it loads a page of a hundred pictures, and holds a compressed WebSocket, over HTTP/2 (where
// that is RFC 8441) and over HTTP/1.1, by TLS as browsers want it.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { upgradeWebSocket } from "../../src/websocket/mod.ts";
import { start } from "../http/support/server.ts";
import { skip } from "../support/skip.ts";
import { identity } from "../support/tls.ts";

const run = promisify(execFile);
const PICTURES = 100;
const page = `<!doctype html><title>x</title>
${Array.from({ length: PICTURES }, (_, i) => `<img src="/${i}.svg">`).join("")}
<script>
addEventListener("load", async () => {
  const said = { };
  try {
    said.loaded = [...document.images].filter(({ naturalWidth }) => naturalWidth > 0).length;
    said.protocols = [...new Set(performance.getEntriesByType("resource").map((one) => one.nextHopProtocol))];
    const socket = new WebSocket("wss://" + location.host + "/socket", ["chat"]);
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject("no socket"); });
    said.protocol = socket.protocol;
    said.compressed = socket.extensions.startsWith("permessage-deflate");
    said.echoes = 0;
    for (const text of ["short", "long ".repeat(100000), "\\u00e9\\ud83d\\ude00"]) {
      const echo = new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data); });
      socket.send(text);
      if (await echo === text) said.echoes++;
    }
    const closed = new Promise((resolve) => { socket.onclose = ({ code, wasClean }) => resolve([code, wasClean]); });
    socket.close(4001, "enough");
    said.closed = await closed;
  } catch (error) { said.error = String(error); }
  fetch("/said", { method: "POST", body: JSON.stringify(said) });
});
</script>`;

const chromium = await (async () => {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    if (await run(name, ["--version"]).then(() => true, () => false)) return name; // biome-ignore format: one line
  }
})();

for (const [name, flags, version, method] of [
  ["HTTP/2", [], "h2", undefined],
  ["HTTP/1.1", ["--disable-http2"], "http/1.1", "101"],
] as const) {
  const title = `Chromium over ${name}: ${PICTURES} pictures and a compressed WebSocket`;
  if (chromium === undefined) {
    skip(test, title, "there is no chromium here");
    continue;
  }
  test(title, async () => {
    const asked: (string | undefined)[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    using server = start(
      async (request, info) => {
        const { pathname } = new URL(request.url);
        if (pathname.endsWith(".svg")) {
          const body = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>';
          return new Response(body, { headers: { "content-type": "image/svg+xml" } });
        }
        if (pathname === "/said") {
          await request.json().then(resolve, reject);
          return new Response();
        }
        if (pathname !== "/socket") return new Response(page, { headers: { "content-type": "text/html" } });
        asked.push(info.tls?.protocol, request.headers.has("sec-websocket-key") ? "101" : undefined);
        const { socket, response } = upgradeWebSocket(request, { protocol: "chat" });
        socket.onmessage = ({ data }) => socket.send(data);
        return response;
      },
      { ...identity },
    );
    const folder = mkdtempSync(join(tmpdir(), "slipway-browser-"));
    try {
      const args = ["--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", ...flags];
      const env = { ...process.env, HOME: folder };
      const url = `https://127.0.0.1:${server.port}/`;
      // In a group of its own, which ends with it.
      const options = { stdio: "ignore", detached: true, env } as const;
      const browser = spawn(chromium, [...args, `--user-data-dir=${folder}`, url], options);
      const limit = setTimeout(() => reject(new Error("the browser says nothing")), 60_000);
      browser.on("error", reject).on("exit", (code) => reject(new Error(`the browser ended with ${code}`)));
      const ended = new Promise((done) => browser.once("close", done));
      let said: unknown;
      try {
        said = await promise;
      } finally {
        clearTimeout(limit);
        if (browser.pid !== undefined) process.kill(-browser.pid, "SIGKILL");
        await ended;
      }
      assert.equal(said, {
        loaded: PICTURES,
        protocols: [version],
        protocol: "chat",
        compressed: true,
        echoes: 3,
        closed: [4001, true],
      });
      assert.equal(asked, [version, method]);
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  });
}

test.run();
