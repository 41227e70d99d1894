// time limit: 240 s
// The live page in a browser that others wrote: what moves, what keys and buttons do, who can read it (axe-core), and how
// it looks upon a server that drains, goes, and comes again.
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Browser, chromium, launch, type Page } from "../support/chromium.ts";
import { endProcesses, fromSource, type Server, startServer, temporaryFolder } from "../support/process.ts";
import { skip } from "../support/skip.ts";

const program = `
export default {
  fetch(request, info) {
    const { pathname } = new URL(request.url);
    if (pathname === "/wait") return new Promise((done) => request.signal.addEventListener("abort", () => done()));
    if (pathname === "/task") info.go("<b>evil</b> task", () => new Promise(() => {}));
    return new Response("x", { status: pathname === "/no" ? 404 : 200 });
  },
  ready: { database: () => true },
  drainIdle: "20ms",
};`;

const STATE = `document.getElementById("status").dataset.state`;
const tile = (i: number): string => `document.querySelectorAll(".tile dd:not(.more)")[${i}].textContent`;
const row = (list: string, name: string): string =>
  `[...document.querySelectorAll("#list-${list} tbody tr")].find((row) => row.firstChild.textContent === ${JSON.stringify(name)})`;

async function serving(file: string, ...flags: string[]): Promise<{ server: Server; admin: number }> {
  const server = await startServer([...fromSource, "run", file, "--host", "127.0.0.1", "--port", "0", ...flags]);
  const admin = Number((await server.saw(/^Admin port on http:\/\/127\.0\.0\.1:(\d+)\/$/m))[1]);
  return { server, admin };
}

const ask = (port: number, path: string) => get({ port, host: "127.0.0.1", path, agent: false }, (answer) => answer.resume()).on("error", () => {}); // biome-ignore format: one line

let axe: string | undefined;

/** What axe-core finds, by its rules and where. */
async function findings(page: Page): Promise<string[]> {
  axe ??= readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  if (!(await page.evaluate<boolean>(`typeof axe === "object"`))) await page.evaluate(`{${axe}\n}; 0`);
  return page.evaluate<string[]>(`axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + " " + target + ": " + failureSummary)))`);
}

if (chromium === undefined) {
  skip(test, "the live page in Chromium", "there is no chromium here");
} else {
  const name = chromium;
  let browser: Browser;
  test.before(async () => {
    browser = await launch(name);
  });
  test.after(async () => {
    await browser[Symbol.asyncDispose]();
    await endProcesses();
  });

  test("it shows what the server does, stands still, and is for everybody", async () => {
    const file = join(temporaryFolder(), "server.ts");
    writeFileSync(file, program);
    const { server, admin } = await serving(file, "--admin", "127.0.0.1:0", "--parallel", "2", "--trace-tasks");
    const page = await browser.open(`http://127.0.0.1:${admin}/`);
    await page.resize({ width: 1280, height: 900 });
    await page.until(`${STATE} === "live"`);
    ask(server.port, "/task");
    const load = setInterval(() => {
      ask(server.port, "/");
      ask(server.port, "/no");
    }, 40);
    try {
      await page.until(`Number(${tile(0)}) > 5`);
      await page.until(`/ [µm]?s$/.test(${tile(1)})`);
      // Text of programs is text.
      await page.until(row("tasks", "<b>evil</b> task"));
      assert.match(await page.evaluate(`${row("tasks", "<b>evil</b> task")}.lastChild.textContent`), "server.ts:6");
      assert.is(await page.evaluate(`document.querySelectorAll("#list-workers tbody tr").length`), 2);
      assert.is(await page.evaluate(`${row("checks", "database")}.lastChild.textContent`), "not asked yet");
      assert.is(await page.evaluate(`document.querySelectorAll(".plot canvas").length`), 8);
      // Something is drawn: not all of a chart has the colour of its corner.
      const drawn = `(() => { const canvas = document.querySelector("#chart-requests canvas");
        const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        return new Set(pixels).size; })()`;
      assert.ok((await page.evaluate<number>(drawn)) > 10);
      const label = await page.evaluate<string>(
        `document.querySelector("#chart-requests .plot").getAttribute("aria-label")`,
      );
      assert.match(label, /^Requests, chart\. Now: answered \d/);
      assert.equal(await findings(page), []);

      await page.press("p");
      assert.is(await page.evaluate(STATE), "paused");
      const texts = `document.getElementById("tiles").textContent`;
      const before = await page.evaluate<string>(texts);
      const since = Date.now();
      await new Promise((done) => setTimeout(done, 1500));
      assert.is(await page.evaluate(texts), before, `paused for ${Date.now() - since} ms`);
      await page.evaluate(`document.getElementById("pause").click()`);
      await page.until(`${STATE} === "live" && ${texts} !== ${JSON.stringify(before)}`);

      await page.press("3");
      assert.is(await page.evaluate(`document.querySelector("input[name=window]:checked").value`), "900");
      await page.until(`document.querySelector("#list-handshakes thead") !== null`);
      await page.press("d");
      const dark = await page.evaluate<string>(`getComputedStyle(document.documentElement).backgroundColor`);
      await page.press("t");
      await page.until(`document.querySelectorAll("#chart-requests tbody tr").length > 0`);
      assert.equal(await findings(page), [], "dark, as tables");
      await page.press("?");
      assert.ok(await page.evaluate(`document.getElementById("shortcuts").open`));
      assert.equal(await findings(page), [], "with the list of keys");
      await page.evaluate(`document.querySelector("#shortcuts button").click()`);
      for (const view of ["tables", "charts"]) {
        await page.resize({ width: 360, height: 740, mobile: true });
        await page.until(`document.body.dataset.view === "${view}" && innerWidth === 360`);
        assert.is(await page.evaluate(`document.documentElement.scrollWidth`), 360, view);
        assert.equal(await findings(page), [], `a phone, as ${view}`);
        await page.press("t");
      }
      // How it is to look is kept.
      await page.goto(`http://127.0.0.1:${admin}/`);
      await page.until(`${STATE} === "live"`);
      assert.is(await page.evaluate(`document.querySelector("input[name=window]:checked").value`), "900");
      assert.is(await page.evaluate(`getComputedStyle(document.documentElement).backgroundColor`), dark);
      await page.send("Emulation.setEmulatedMedia", {
        features: [{ name: "prefers-reduced-motion", value: "reduce" }],
      });
      assert.is(await page.evaluate(`document.getAnimations().length`), 0);
      assert.equal(page.complaints, []);
    } finally {
      clearInterval(load);
    }
    await server.stop("SIGKILL");
  });

  test("a drain, a server that is gone, and its next start", async () => {
    const file = join(temporaryFolder(), "server.ts");
    writeFileSync(file, program);
    const { server, admin } = await serving(file, "--admin", "127.0.0.1:0");
    const page = await browser.open(`http://127.0.0.1:${admin}/`);
    await page.until(`${STATE} === "live"`);
    const held = ask(server.port, "/wait");
    await page.until(`/^1 active/.test(document.querySelectorAll(".more")[2].textContent)`);
    server.child.kill("SIGTERM");
    await page.until(`${STATE} === "draining"`);
    assert.match(
      await page.evaluate(`document.getElementById("notice").innerText`),
      /^Draining for .*1 request at work/,
    );
    assert.is(await page.evaluate(`document.getElementById("notice-progress").max`), 30_000);
    assert.equal(await findings(page), []);
    held.destroy();
    await page.until(`${STATE} === "lost"`);
    assert.match(
      await page.evaluate(`document.getElementById("notice").innerText`),
      /^Disconnected since \d\d:\d\d:\d\d\./,
    );
    await server.finished;
    const again = await serving(file, "--admin", `127.0.0.1:${admin}`);
    await page.until(`${STATE} === "live"`);
    assert.ok(await page.evaluate(`document.getElementById("notice").hidden`));
    await page.press("t");
    // The table has what was before, too.
    await page.until(`document.querySelectorAll("#chart-memory tbody tr").length > 1`);
    assert.is(
      await page.evaluate(`document.querySelectorAll("#facts dd")[2].textContent`),
      String(again.server.child.pid),
    );
    assert.equal(
      page.complaints.filter((text) => !text.includes("net::ERR_")),
      [],
    );
    await again.server.stop("SIGKILL");
  });
}

test.run();
