/**
 * `slipway run --watch`: restarts on save without ever refusing a connection.
 *
 * This process owns the listening socket and never runs the program: children do, one a version, and inherit the
 * socket. A new child starts beside the old one; once it accepts, the old one is told to stop accepting and to finish
 * what it has. A version that does not build, or fails as it starts, changes nothing: the old one goes on, and the
 * next save heals it. While no version runs, connections wait in the kernel's queue.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bundle, BundleError, bundle, render } from "../bundle/mod.ts";
import type { Listener } from "../net/mod.ts";
import { type Level, type Resolved, resolve } from "../options/resolve.ts";
import { addressAsked, chooseAddresses, type ListenAddress } from "./address.ts";
import type { RunMode } from "./dev/mode.ts";
import { noticeDrain } from "./drain-notice.ts";
import { die, errorText } from "./errors.ts";
import { onHangup } from "./hangup.ts";
import { shownName } from "./names.ts";
import { tell } from "./output.ts";
import { openAddress } from "./serving.ts";
import { environmentLevel } from "./settings.ts";
import { SourceWatch } from "./source-watch.ts";
import { sameAddress, type ToChild, type ToParent } from "./watch-protocol.ts";

/** How much longer than its own bound a version may take to finish what it has; with no bound, it may. */
const behindMs = 3_000;
/** How long it may take to say that it accepts no more. */
const answerMs = 2000;

export interface WatchSettings {
  readonly entry: string;
  readonly flags: Level;
  readonly args: readonly string[];
  readonly mode: RunMode;
  /** In the browser, once it serves. */
  readonly open: boolean;
}

/** Runs until a signal ends it. */
export async function watch(settings: WatchSettings): Promise<void> {
  const supervisor = new Supervisor(settings);
  supervisor.endOnSignals();
  await supervisor.restart();
}

interface OpenAddress {
  readonly address: ListenAddress;
  readonly listener: Listener;
}

class Supervisor {
  readonly #entry: string;
  readonly #flags: Level;
  readonly #args: readonly string[];
  readonly #mode: RunMode;
  #openBrowser: boolean;
  readonly #sources = new SourceWatch(
    () => void this.restart(),
    (code) => {
      const raise = "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl";
      say(`slipway: not every folder can be watched (${code}), so not every save will be seen: ${raise}`);
    },
  );
  #open: readonly OpenAddress[] = [];
  readonly #children = new Set<Child>();
  #serving: Child | undefined;
  #starting: Child | undefined;
  #built: Bundle | undefined;
  #shown: string | undefined;
  /** What versions have announced, once. */
  #announced: readonly string[] = [];
  #busy = false;
  #again = false;
  #ending = false;

  constructor({ entry, flags, args, mode, open }: WatchSettings) {
    this.#entry = entry;
    this.#flags = flags;
    this.#args = args;
    this.#mode = mode;
    this.#openBrowser = open;
  }

  /** Builds and starts the newest version. Calls while one is under way are folded into one more round. */
  async restart(): Promise<void> {
    if (this.#ending) return;
    this.#again = true;
    // A version that is still starting is out of date already.
    this.#starting?.kill();
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#again && !this.#ending) {
        this.#again = false;
        await this.#round();
      }
    } catch (error) {
      // Before anything was ever served, an address that cannot be had is an answer, not a thing to wait for.
      if (this.#built === undefined) die(error, "slipway");
      say(errorText(error, "slipway"));
    } finally {
      this.#busy = false;
    }
  }

  async #round(): Promise<void> {
    const built = await this.#build();
    if (built === undefined || this.#again) return;
    // Saving without a change, or touching, needs no new version, unless the last one died.
    if (this.#serving !== undefined && this.#built !== undefined && sameProgram(built, this.#built)) return;
    if (this.#open.length === 0) await this.#openExpected();
    // A child may want an address that is not open yet: each round opens one more, so this ends.
    for (;;) {
      if (this.#mode.inspect !== undefined) await this.#serving?.closeInspector();
      const child = this.#spawn(built);
      const outcome = await child.started;
      this.#starting = undefined;
      if (outcome.type === "want" && !this.#again && !this.#ending) {
        if (await this.#openWanted(outcome.address)) continue;
        return;
      }
      if (outcome.type === "ready") await this.#promote(child, built, outcome);
      else if (outcome.type === "gone" && !this.#again && !this.#ending) this.#failed(outcome.code);
      return;
    }
  }

  async #build(): Promise<Bundle | undefined> {
    try {
      const built = await bundle(this.#entry);
      this.#sources.files([this.#entry, ...built.inputs, ...projectFiles(this.#entry)]);
      for (const warning of built.warnings) say(`warning: ${warning}`);
      return built;
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      // What is broken must be watched too: it may be a file that no good version had.
      const broken = error.problems.flatMap(({ file }) =>
        file === undefined ? [] : [resolveBeside(this.#entry, file)],
      );
      this.#sources.files([this.#entry, ...(this.#built?.inputs ?? []), ...broken, ...projectFiles(this.#entry)]);
      say(render(error));
      this.#sayWaiting();
      return undefined;
    }
  }

  /** The addresses that the program will most likely want: no child has to be started just to ask. */
  async #openExpected(): Promise<void> {
    const resolved = this.#options();
    const asked = addressAsked(resolved);
    try {
      for (const address of chooseAddresses(resolved)) await this.#openAddress(address);
    } catch (error) {
      // If nobody asked for it, the file may name another: then the default's being taken is no matter.
      if (asked) throw error;
    }
  }

  /** What is known before the file is. */
  #options(): Resolved {
    return resolve([this.#flags, environmentLevel()]);
  }

  async #openWanted(address: ListenAddress): Promise<boolean> {
    try {
      await this.#openAddress(address);
      return true;
    } catch (error) {
      if (this.#built === undefined) throw error;
      say(errorText(error, "slipway"));
      this.#sayWaiting();
      return false;
    }
  }

  async #openAddress(address: ListenAddress): Promise<void> {
    this.#open = [...this.#open, { address, listener: await openAddress(address) }];
  }

  #spawn(built: Bundle): Child {
    const load: ToChild = {
      type: "load",
      bundle: built,
      entry: this.#entry,
      file: shownName(this.#entry),
      flags: this.#flags,
      args: this.#args,
      mode: this.#mode,
      announced: this.#announced,
    };
    const child = new Child(this.#open, load, (address) => {
      void this.#openWanted(address).then((opened) => (opened ? this.restart() : undefined));
    });
    this.#starting = child;
    this.#children.add(child);
    void child.gone.then((code) => {
      this.#children.delete(child);
      if (this.#serving !== child) return;
      this.#serving = undefined;
      if (this.#ending) return;
      say(`slipway: ${shownName(this.#entry)} ended with ${code}; waiting for a change (connections wait as well)`);
    });
    return child;
  }

  async #promote(child: Child, built: Bundle, ready: ToParent & { type: "ready" }): Promise<void> {
    const { shown, addresses, lines = [] } = ready;
    child.drainTimeout = ready.drainTimeout ?? this.#options().settings.drainTimeout;
    const before = this.#serving;
    const first = this.#built === undefined;
    this.#serving = child;
    this.#built = built;
    this.#announced = ready.announced;
    // A version that is stuck in a loop does not answer: nobody waits for it for long.
    await Promise.race([before?.drain(), new Promise((resolve) => setTimeout(resolve, answerMs).unref())]);
    if (addresses !== undefined) this.#closeAllBut(addresses);
    if (shown !== undefined && shown.join() !== this.#shown) {
      this.#shown = shown.join();
      for (const line of lines) say(line);
      if (this.#openBrowser) (await import("./dev/open.ts")).openInBrowser(shown);
      this.#openBrowser = false;
    } else if (!first) {
      say(`slipway: restarted ${shownName(this.#entry)}`);
    }
  }

  /** The version before listened elsewhere: nobody will answer there any more. */
  #closeAllBut(addresses: readonly ListenAddress[]): void {
    const wanted = (open: OpenAddress) => addresses.some((address) => sameAddress(open.address, address));
    for (const open of this.#open) if (!wanted(open)) open.listener.close();
    this.#open = this.#open.filter(wanted);
  }

  #failed(code: string): void {
    if (this.#mode.inspect !== undefined) this.#serving?.openInspector();
    say(`slipway: ${shownName(this.#entry)} did not start (${code})`);
    this.#sayWaiting();
  }

  #sayWaiting(): void {
    say(
      this.#serving === undefined
        ? "slipway: waiting for a change"
        : "slipway: the version before goes on serving; waiting for a change",
    );
  }

  /** A signal drains the children and ends with 0; a second one ends everything at once. */
  endOnSignals(): void {
    const end = (code: number) => {
      if (this.#ending) {
        for (const child of this.#children) child.kill();
        process.exit(code);
      }
      this.#ending = true;
      if (code === 130) noticeDrain("slipway");
      this.#sources.close();
      for (const { listener } of this.#open) listener.close();
      for (const child of this.#children) {
        if (child === this.#starting) child.kill();
        else void child.drain();
      }
      void Promise.all([...this.#children].map((child) => child.gone)).then((codes) => {
        // One had to cut something.
        process.exit(codes.includes("exit code 1") ? 1 : 0);
      });
    };
    process.on("SIGINT", () => end(130));
    process.on("SIGTERM", () => end(143));
    // A wish that the version that serves knows, where it reads files again: without TLS there are none.
    onHangup(
      () => this.#serving?.hangup(),
      () => end(129),
    );
    // What is asked for are the program's tasks.
    process.on("SIGUSR1", () => this.#serving?.signal("SIGUSR1"));
    // Its default would end us; what it asks for elsewhere (src/supervisor/restart.ts), a save does here.
    process.on("SIGUSR2", () => say("slipway: SIGUSR2: no restart: run --watch restarts on save"));
    process.on("exit", () => {
      for (const child of this.#children) child.kill();
    });
  }
}

type Outcome = ToParent | { readonly type: "gone"; readonly code: string };

/** One version of the program in a process of its own. */
class Child {
  /** How the start went. */
  readonly started: Promise<Outcome>;
  /** Resolves with how it ended, once it has. */
  readonly gone: Promise<string>;
  readonly #process: ChildProcess;
  readonly #stopped = Promise.withResolvers<void>();
  #inspectorClosed = Promise.withResolvers<void>();
  #draining = false;
  /** How long it may take to finish, in milliseconds. */
  drainTimeout = Number.POSITIVE_INFINITY;

  /** `onLateWant`: a program that already served opens one more listener. */
  constructor(open: readonly OpenAddress[], load: ToChild, onLateWant: (address: ListenAddress) => void) {
    const sea = process.getBuiltinModule("node:sea").isSea();
    // The npm package holds the same files as JavaScript.
    const main = import.meta.url.endsWith(".ts") ? "main.ts" : "main.js";
    const script = sea ? [] : [fileURLToPath(new URL(main, import.meta.url))];
    const child = spawn(process.execPath, [...(sea ? [] : process.execArgv), ...script, "run"], {
      stdio: ["inherit", "inherit", "inherit", "ipc", ...open.map(({ listener }) => listener.fd)],
      serialization: "advanced",
      env: { ...process.env, SLIPWAY_WATCH_CHILD: JSON.stringify(open.map(({ address }) => address)) },
    });
    this.#process = child;
    this.gone = new Promise((resolve) => {
      child.on("error", (error) => resolve(error.message));
      child.on("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : signal));
    });
    this.started = new Promise((resolve) => {
      let began = false;
      child.on("message", (message: ToParent) => {
        if (message.type === "stopped") this.#stopped.resolve();
        else if (message.type === "inspectorClosed") this.#inspectorClosed.resolve();
        else if (began && message.type === "want") onLateWant(message.address);
        else resolve(message);
        began = true;
      });
      void this.gone.then((code) => {
        resolve({ type: "gone", code });
        this.#stopped.resolve();
      });
    });
    child.send(load, () => {});
  }

  /** Stop accepting, finish, exit; by force when that takes too long. Resolves once it accepts no more. */
  drain(): Promise<void> {
    if (this.#draining) return this.#stopped.promise;
    this.#draining = true;
    const message: ToChild = { type: "drain" };
    if (this.#process.connected) this.#process.send(message, () => {});
    if (Number.isFinite(this.drainTimeout)) {
      const limit = setTimeout(() => this.kill(), this.drainTimeout + behindMs);
      void this.gone.then(() => clearTimeout(limit));
    }
    return this.#stopped.promise;
  }

  /** Its port is wanted. One that stands at a breakpoint does not answer, and serves nobody either. */
  async closeInspector(): Promise<void> {
    if (!this.#process.connected) return;
    this.#inspectorClosed = Promise.withResolvers<void>();
    this.#process.send({ type: "closeInspector" } satisfies ToChild, () => {});
    const limit = setTimeout(() => this.kill(), answerMs);
    await Promise.race([this.#inspectorClosed.promise, this.gone]);
    clearTimeout(limit);
  }

  openInspector(): void {
    if (this.#process.connected) this.#process.send({ type: "openInspector" } satisfies ToChild, () => {});
  }

  /** As a message: the signal's own effect is the end. */
  hangup(): void {
    if (this.#process.connected) this.#process.send({ type: "hangup" } satisfies ToChild, () => {});
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

function sameProgram(a: Bundle, b: Bundle): boolean {
  return a.code === b.code && a.map === b.map && a.root === b.root;
}

/** What else decides on what is built, beside the entry and above it, whether it is there yet or not. */
function projectFiles(entry: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    folders.push(folder);
    // A project's own folder is the last.
    const isProject = ["deno.json", "deno.jsonc", "package.json", ".git"].some((name) =>
      existsSync(join(folder, name)),
    );
    if (isProject || folder === dirname(folder)) break;
  }
  // Where no folder is a project's, none above the entry's can be meant.
  const last = folders[folders.length - 1];
  const meant = last === dirname(last) ? folders.slice(0, 1) : folders;
  return meant.flatMap((folder) =>
    ["deno.json", "deno.jsonc", "package.json", "tsconfig.json"].map((name) => join(folder, name)),
  );
}

/** The bundler names files relative to the entry's folder. */
function resolveBeside(entry: string, file: string): string {
  return fileURLToPath(new URL(file, `file://${entry}`));
}

function say(line: string): void {
  tell(`${line}\n`);
}
