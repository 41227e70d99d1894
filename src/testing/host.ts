/** Runs a file of tests in a process of its own, and gives what happens in it, in order: see protocol.ts. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { BenchEvent } from "./bench/protocol.ts";
import { EVENTS_FD, JOB_FD, type Job, markerOf, type TestEvent } from "./protocol.ts";

/** What happens in a file. */
export type FileEvent =
  | TestEvent
  | BenchEvent
  | { readonly type: "output"; readonly bytes: Uint8Array }
  /** The process is gone. `how`: what it ended with, when it had not told that it was done. */
  | { readonly type: "gone"; readonly how: string | undefined };

/** How much longer than its own bound a test may hold up its process. */
const overTimeMs = 500;

export class HostedFile {
  /** Resolves once everything was told. */
  readonly finished: Promise<void>;
  readonly #process: ChildProcess;
  readonly #sink: (event: FileEvent) => void;
  readonly #outputs: readonly [Output, Output];
  /** Events that wait for the output before them. */
  readonly #events: (TestEvent | BenchEvent)[] = [];
  #given = 0;
  #ended = false;
  #killedFor: string | undefined;
  #overTime: NodeJS.Timeout | undefined;

  constructor(job: Job, sink: (event: FileEvent) => void) {
    const nonce = `slipway-${randomBytes(8).toString("hex")}`;
    this.#sink = sink;
    const child = start(nonce);
    this.#process = child;
    process.once("exit", this.#end);
    const [, stdout, stderr, events, jobs] = child.stdio as [null, Readable, Readable, Readable, Writable];
    const flush = () => this.#flush();
    this.#outputs = [new Output(stdout, nonce, flush), new Output(stderr, nonce, flush)];
    let rest = "";
    events.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#events.push(JSON.parse(line) as TestEvent | BenchEvent);
      this.#flush();
    });
    // It may be gone before it has read.
    jobs.on("error", () => {});
    jobs.end(JSON.stringify(job));
    this.finished = new Promise((resolve) => {
      child.on("error", (error) => this.#gone(error.message, resolve));
      child.on("exit", (code, signal) => {
        const how = signal === null ? `exit code ${code}` : signal;
        // What it told is with us or in the pipes; a process of its own that still writes is not waited for.
        const timer = setTimeout(() => this.#gone(how, resolve), 200);
        child.on("close", () => {
          clearTimeout(timer);
          this.#gone(how, resolve);
        });
      });
    });
  }

  readonly #end = (): void => this.kill();

  /** Ends the process. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #flush(): void {
    for (;;) {
      for (const output of this.#outputs) this.#show(output.take(this.#given));
      const [event] = this.#events;
      if (event === undefined || !this.#outputs.every((output) => output.reached > this.#given)) return;
      this.#events.shift();
      this.#given++;
      this.#watchTime(event);
      if (event.type === "end") this.#ended = true;
      this.#sink(event);
    }
  }

  #show(pieces: readonly Uint8Array[]): void {
    for (const bytes of pieces) this.#sink({ type: "output", bytes });
  }

  /** A loop without an await heeds no timer of its own process. */
  #watchTime(event: TestEvent | BenchEvent): void {
    if ("test" in event && event.test.parent !== undefined) return;
    clearTimeout(this.#overTime);
    if (event.type !== "wait" || !event.timeout) return;
    this.#overTime = setTimeout(() => {
      this.#killedFor = `Test timed out after ${event.timeout}ms, and did not let go of its process.`;
      this.kill();
    }, event.timeout + overTimeMs);
  }

  #gone(how: string, resolve: () => void): void {
    clearTimeout(this.#overTime);
    process.off("exit", this.#end);
    for (const output of this.#outputs) output.end();
    this.#flush();
    this.#sink({ type: "gone", how: this.#ended ? undefined : (this.#killedFor ?? how) });
    resolve();
  }
}

/** One output: what it says between the markers. */
class Output {
  /** The last marker that was read. */
  reached = 0;
  readonly #nonce: string;
  #rest: Buffer = Buffer.alloc(0);
  /** What was read, by the number of the marker before it. */
  #pieces: { readonly after: number; readonly bytes: Uint8Array }[] = [];

  constructor(stream: Readable, nonce: string, changed: () => void) {
    this.#nonce = nonce;
    stream.on("data", (bytes: Buffer) => {
      this.#read(bytes);
      changed();
    });
    stream.on("error", () => {});
    // A test may close its own.
    stream.on("end", () => {
      this.end();
      changed();
    });
  }

  end(): void {
    this.#put(this.#rest);
    this.#rest = Buffer.alloc(0);
    this.reached = Number.POSITIVE_INFINITY;
  }

  /** What came before marker `count + 1`. */
  take(count: number): Uint8Array[] {
    const taken = this.#pieces.filter(({ after }) => after <= count);
    if (taken.length > 0) this.#pieces = this.#pieces.filter(({ after }) => after > count);
    return taken.map(({ bytes }) => bytes);
  }

  #read(bytes: Buffer): void {
    let data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const marker = Buffer.from(markerOf(this.#nonce, this.reached + 1));
      const at = data.indexOf(marker);
      if (at < 0) {
        // The last bytes may be the beginning of a marker.
        const keep = beginning(data, marker);
        this.#put(data.subarray(0, data.length - keep));
        this.#rest = data.subarray(data.length - keep);
        return;
      }
      this.#put(data.subarray(0, at));
      this.reached++;
      data = data.subarray(at + marker.length);
    }
  }

  #put(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pieces.push({ after: this.reached, bytes });
  }
}

/** How many bytes at the end of `data` are the first of `marker`. */
function beginning(data: Buffer, marker: Buffer): number {
  for (let length = Math.min(marker.length - 1, data.length); length > 0; length--) {
    if (data.subarray(data.length - length).equals(marker.subarray(0, length))) return length;
  }
  return 0;
}

function start(nonce: string): ChildProcess {
  const sea = process.getBuiltinModule("node:sea").isSea();
  // The npm package holds the same files as JavaScript.
  const main = import.meta.url.endsWith(".ts") ? "../cli/main.ts" : "../cli/main.js";
  const script = sea ? [] : [...process.execArgv, fileURLToPath(new URL(main, import.meta.url))];
  const stdio: ("inherit" | "pipe")[] = ["inherit", "pipe", "pipe"];
  stdio[EVENTS_FD] = "pipe";
  stdio[JOB_FD] = "pipe";
  return spawn(process.execPath, [...script, "test"], {
    stdio,
    env: { ...process.env, SLIPWAY_TEST_CHILD: nonce },
  });
}
