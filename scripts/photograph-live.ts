/**
 * Photographs of the live page, docs/img/live-*.png: a server that idles, one at work, one under attack by `slipway
 * check`, and one that drains; each on a desk and on a phone, light and dark. Takes three minutes, Chromium, and
 * dist/slipway (npm run build).
 *
 *   node scripts/photograph-live.ts [--quick]     --quick: seconds of each instead of a minute, to see that it works
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, launch, type Page } from "../test/support/chromium.ts";
import { withPalette } from "./png-palette.ts";

const repository = resolve(import.meta.dirname, "..");
const images = join(repository, "docs", "img");
const slipway = join(repository, "dist", "slipway");
const minute = process.argv.includes("--quick") ? 8_000 : 58_000;

/** A shop, as far as the page can see: most answers at once, some later, a few that fail, and mail behind them. */
const program = `
export default {
  async fetch(request: Request, info: { go(name: string, task: () => unknown): unknown }): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/report") await wait(60_000);
    if (pathname === "/order") info.go("send mail", sendMail);
    if (pathname === "/cart" || pathname === "/order") await wait(4 + Math.random() ** 4 * 120);
    if (pathname === "/old") return new Response("gone\\n", { status: 404 });
    if (pathname === "/broken") return new Response("failed\\n", { status: 500 });
    await request.text();
    return Response.json({ path: pathname, items: Array.from({ length: 40 }, (_, i) => ({ id: i, price: i * 3 })) });
  },
  ready: { database: () => true, search: () => true },
};
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));
const sendMail = () => wait(3_000 + Math.random() ** 3 * 40_000);
`;

const FLAGS = "--port 0 --host 127.0.0.1 --admin 127.0.0.1:0 --tls self-signed --parallel 2 --trace-tasks".split(" ");
const VIEWS = [
  { name: "desk", width: 1280, height: 900, whole: true },
  { name: "phone", width: 390, height: 844, factor: 2, mobile: true },
];

async function photograph(page: Page, state: string): Promise<void> {
  for (const { name, whole = false, ...size } of VIEWS) {
    await page.resize(size);
    for (const theme of ["light", "dark"]) {
      await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
      await pass(400);
      const { data } = await page.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
      const file = join(images, `live-${state}-${name}-${theme}.png`);
      writeFileSync(file, withPalette(Buffer.from(String(data), "base64")));
      console.log(`${file.slice(repository.length + 1)}  ${(statSync(file).size / 1000).toFixed(0)} kB`);
    }
  }
}

interface Started {
  readonly child: ChildProcess;
  /** Waits for output that matches; gives the group in it. */
  saw(pattern: RegExp): Promise<string>;
}

function start([command, ...args]: readonly string[], more: readonly string[] = []): Started {
  const child = spawn(command, [...args, ...more], {
    cwd: folder,
    env: { ...process.env, HOME: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let text = "";
  const looks = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      for (const look of looks) look();
    });
  }
  return {
    child,
    saw: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        };
        looks.add(look);
        look();
        child.once("exit", () => reject(new Error(`${command} ended: ${text}`)));
      }),
  };
}

/** Some dozens of clients, more and fewer of them as time passes. */
class Load {
  rate = 1;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 40, rejectUnauthorized: false });
  readonly #url: string;
  #stopped = false;

  constructor(url: string) {
    this.#url = url;
    for (let i = 0; i < 40; i++) void this.#client(i);
  }

  stop(): void {
    this.#stopped = true;
    this.#agent.destroy();
  }

  async #client(i: number): Promise<void> {
    await pass(i * 40);
    while (!this.#stopped) {
      const tide = 1 + 0.5 * Math.sin(Date.now() / 9_000) + 0.3 * Math.sin(Date.now() / 3_700);
      await pass((20 + Math.random() * 60) / tide / this.rate);
      const chance = Math.random();
      const path =
        chance < 0.004 ? "order" : chance < 0.2 ? "cart" : chance < 0.24 ? "old" : chance < 0.25 ? "broken" : "item";
      await this.#ask(path);
    }
  }

  #ask(path: string): Promise<void> {
    return new Promise((done) => {
      const headers = Math.random() < 0.01 ? { connection: "close" } : {};
      const request = get(`${this.#url}${path}`, { agent: this.#agent, headers }, (response) => {
        response.resume().on("close", () => done());
      });
      request.on("error", () => done());
    });
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

if (chromium === undefined) throw new Error("there is no chromium here");
mkdirSync(images, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "shop-"));
const children: ChildProcess[] = [];
try {
  writeFileSync(join(folder, "shop.ts"), program);
  const server = start([slipway, "run", "shop.ts", ...FLAGS]);
  const admin = await server.saw(/^Admin port on (http:\/\/127\.0\.0\.1:\d+\/)/m);
  const url = await server.saw(/^Listening on (https:\/\/127\.0\.0\.1:\d+\/)/m);
  await using browser = await launch(chromium);
  const page = await browser.open(admin);
  await page.until(`document.getElementById("status").dataset.state === "live"`);
  await pass(minute);
  await photograph(page, "idle");
  // As whoever looks after it does.
  await (await fetch(`${admin}readyz`)).text();
  const load = new Load(url);
  await pass(minute);
  await photograph(page, "load");
  const check = start([slipway, "check", url]);
  await pass(minute / 2);
  await photograph(page, "attack");
  check.child.kill();
  load.rate = 0.2;
  for (let i = 0; i < 7; i++) get(`${url}report`, { rejectUnauthorized: false }).on("error", () => {});
  await pass(1000);
  server.child.kill("SIGTERM");
  await page.until(`document.getElementById("status").dataset.state === "draining"`);
  load.stop();
  await pass(4000);
  await photograph(page, "draining");
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
