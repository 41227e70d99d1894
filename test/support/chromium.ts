/** Chromium without a window, driven over its DevTools protocol (by a pipe): for tests, and for photographs of pages. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";

const run = promisify(execFile);
const LIMIT_MS = 60_000;

/** The program's name; undefined when there is none here. */
export const chromium: string | undefined = await (async () => {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    const here = await run(name, ["--version"]).then(() => true, () => false); // biome-ignore format: one line
    if (here) return name;
  }
})();

type Result = Readonly<Record<string, unknown>>;
interface Message extends Result {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Result;
  readonly result?: Result;
  readonly error?: { readonly message: string };
}

export interface Page {
  /** What the page has complained about: errors, warnings, violations of its policy. */
  readonly complaints: readonly string[];
  send(method: string, params?: Result): Promise<Result>;
  /** The value of an expression in the page; a promise is waited for. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until the expression is true. */
  until(expression: string): Promise<void>;
  /** Presses a key, as a person does. */
  press(key: string): Promise<void>;
  /** `size` in CSS pixels; `factor` of those of the screen to one of them. */
  resize(size: { width: number; height: number; factor?: number; mobile?: boolean }): Promise<void>;
  goto(url: string): Promise<void>;
}

export interface Browser extends AsyncDisposable {
  /** A tab of its own. */
  open(url: string): Promise<Page>;
}

export async function launch(program: string): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), "slipway-browser-"));
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"];
  // In a group of its own, which ends with it.
  const child = spawn(program, [...args, `--user-data-dir=${folder}`, "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, HOME: folder },
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const [, , , out, back] = child.stdio as unknown as [unknown, unknown, unknown, Writable, Readable];
  const calls = new Map<number, { resolve(result: Result): void; reject(error: Error): void }>();
  const sessions = new Map<string, (method: string, params: Result) => void>();
  const gone = (): void => {
    for (const { reject } of calls.values()) reject(new Error("Chromium has ended"));
    calls.clear();
  };
  child.on("error", gone).on("exit", gone);
  out.on("error", gone);
  let ids = 0;
  let text = "";
  back.setEncoding("utf8");
  back.on("data", (chunk: string) => {
    text += chunk;
    const messages = text.split("\0");
    text = messages.pop() ?? "";
    for (const message of messages) read(JSON.parse(message) as Message);
  });
  const read = ({ id, method, params = {}, result = {}, error, sessionId }: Message): void => {
    if (id === undefined) return sessions.get(sessionId as string)?.(method ?? "", params);
    const call = calls.get(id);
    calls.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error.message));
  };
  const send = (method: string, params: Result = {}, sessionId?: string): Promise<Result> => {
    const id = ++ids;
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const limit = setTimeout(() => reject(new Error(`Chromium does not answer to ${method}`)), LIMIT_MS);
    calls.set(id, { resolve, reject });
    out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return promise.finally(() => clearTimeout(limit));
  };
  return {
    async open(url) {
      const { targetId } = await send("Target.createTarget", { url: "about:blank" });
      const { sessionId } = (await send("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string };
      const page = new Tab((method, params) => send(method, params, sessionId));
      sessions.set(sessionId, (method, params) => page.told(method, params));
      for (const domain of ["Page", "Runtime", "Log"]) await page.send(`${domain}.enable`);
      await page.goto(url);
      return page;
    },
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

class Tab implements Page {
  readonly complaints: string[] = [];
  readonly send: Page["send"];
  #loaded: (() => void) | undefined;

  constructor(send: Page["send"]) {
    this.send = send;
  }

  told(method: string, params: Result): void {
    if (method === "Page.loadEventFired") this.#loaded?.();
    if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params.exceptionDetails));
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(String(params.type))) {
      this.complaints.push(JSON.stringify(params.args));
    }
    const { level, text } = (params.entry ?? {}) as { level?: string; text?: string };
    if (method === "Log.entryAdded" && (level === "error" || level === "warning")) this.complaints.push(String(text));
  }

  async goto(url: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#loaded = resolve;
    await this.send("Page.navigate", { url });
    await promise;
  }

  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result: { value: T }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  async until(expression: string): Promise<void> {
    for (const end = Date.now() + LIMIT_MS / 2; !(await this.evaluate<boolean>(`Boolean(${expression})`)); ) {
      if (Date.now() > end) throw new Error(`waited in vain for ${expression}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async press(key: string): Promise<void> {
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, text: key.length === 1 ? key : undefined });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
  }

  async resize(size: { width: number; height: number; factor?: number; mobile?: boolean }): Promise<void> {
    const { width, height, factor = 1, mobile = false } = size;
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: factor, mobile });
  }
}
