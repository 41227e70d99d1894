/** `Deno.Command`: child processes, on top of node:child_process. */
import type { ChildProcess as NodeChild, SpawnOptions, StdioOptions } from "node:child_process";
import type { ReadableStream as NodeReadable } from "node:stream/web";
import { fileURLToPath } from "node:url";
import { NotFound, PermissionDenied } from "../runtime/errors.ts";

type Stdio = "piped" | "inherit" | "null";

export interface CommandOptions {
  args?: readonly string[];
  cwd?: string | URL;
  clearEnv?: boolean;
  env?: Readonly<Record<string, string>>;
  uid?: number;
  gid?: number;
  /** Kills the child with SIGTERM. */
  signal?: AbortSignal;
  stdin?: Stdio;
  stdout?: Stdio;
  stderr?: Stdio;
  detached?: boolean;
}

export interface CommandStatus {
  readonly success: boolean;
  /** As a shell shows it: 128 and the signal's number for a child that a signal ended. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
}

export interface CommandOutput extends CommandStatus {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** A program to run, with its arguments and streams. */
export class Command {
  readonly #command: string;
  readonly #options: CommandOptions;

  constructor(command: string | URL, options: CommandOptions = {}) {
    this.#command = path(command);
    this.#options = options;
  }

  /** Starts it; what it reads and writes is ours unless told otherwise. */
  spawn(): ChildProcess {
    return new ChildProcess(this.#command, this.#options);
  }

  /** Runs it to its end and collects what it wrote. */
  async output(): Promise<CommandOutput> {
    if (this.#options.stdin === "piped") {
      throw new TypeError("Piped stdin is not supported for this function, use 'Deno.Command.spawn()' instead");
    }
    return new ChildProcess(this.#command, {
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...this.#options,
    }).output();
  }

  /** The same, while everything else waits. */
  outputSync(): CommandOutput {
    const options = { stdin: "null", stdout: "piped", stderr: "piped", ...this.#options } as const;
    if (options.stdin === "piped") {
      throw new TypeError("Piped stdin is not supported for this function, use 'Deno.Command.spawn()' instead");
    }
    const { spawnSync } = process.getBuiltinModule("node:child_process");
    const { error, status, signal, stdout, stderr } = spawnSync(this.#command, [...(options.args ?? [])], {
      ...nodeOptions(options),
      maxBuffer: Number.POSITIVE_INFINITY,
    });
    if (error !== undefined) throw spawnError(this.#command);
    return output(statusOf(status, signal), options, new Uint8Array(stdout ?? []), new Uint8Array(stderr ?? []));
  }
}

/** A running child. */
export class ChildProcess implements AsyncDisposable {
  readonly pid: number;
  readonly status: Promise<CommandStatus>;
  readonly #child: NodeChild;
  readonly #options: CommandOptions;
  #stdin: WritableStream<Uint8Array> | undefined;
  #stdout: ReadableStream<Uint8Array> | undefined;
  #stderr: ReadableStream<Uint8Array> | undefined;

  /** @internal Use `Deno.Command`. */
  constructor(command: string, options: CommandOptions) {
    options.signal?.throwIfAborted();
    const { spawn } = process.getBuiltinModule("node:child_process");
    this.#options = options;
    this.#child = spawn(command, [...(options.args ?? [])], nodeOptions(options));
    // Node tells of a failed start later, Deno at once.
    this.#child.on("error", () => {});
    if (this.#child.pid === undefined) throw spawnError(command);
    this.pid = this.#child.pid;
    this.status = new Promise((resolve) => {
      this.#child.on("exit", (code, signal) => resolve(statusOf(code, signal)));
    });
    const abort = () => this.kill();
    options.signal?.addEventListener("abort", abort, { once: true });
    this.status.then(() => options.signal?.removeEventListener("abort", abort));
  }

  get stdin(): WritableStream<Uint8Array> {
    const { stdin } = this.#child;
    if (stdin === null) throw new TypeError("Cannot get 'stdin': 'stdin' is not piped");
    return (this.#stdin ??= process.getBuiltinModule("node:stream").Writable.toWeb(stdin));
  }
  get stdout(): ReadableStream<Uint8Array> {
    return (this.#stdout ??= readable("stdout", this.#child.stdout));
  }
  get stderr(): ReadableStream<Uint8Array> {
    return (this.#stderr ??= readable("stderr", this.#child.stderr));
  }

  /** Waits for the end and collects what was written to the streams that are piped. */
  async output(): Promise<CommandOutput> {
    const collect = (piped: boolean, stream: () => ReadableStream<Uint8Array>) =>
      piped ? new Response(stream() as BodyInit).bytes() : new Uint8Array();
    const [status, stdout, stderr] = await Promise.all([
      this.status,
      collect(this.#options.stdout === "piped", () => this.stdout),
      collect(this.#options.stderr === "piped", () => this.stderr),
    ]);
    return output(status, this.#options, stdout, stderr);
  }

  kill(signal: NodeJS.Signals | number = "SIGTERM"): void {
    if (!this.#child.kill(signal)) throw new TypeError("Child process has already terminated");
  }
  ref(): void {
    this.#child.ref();
  }
  unref(): void {
    this.#child.unref();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.status;
  }
}

type Shorthand<T> = (
  command: string | URL,
  argsOrOptions?: readonly string[] | CommandOptions,
  options?: CommandOptions,
) => T;

/** `Deno.spawn("git", ["status"])`, `Deno.spawnAndWait`, `Deno.spawnAndWaitSync`: a Command and its method in one. */
export const spawn: Shorthand<ChildProcess> = (...args) => commandOf(...args).spawn();
export const spawnAndWait: Shorthand<Promise<CommandOutput>> = (...args) => commandOf(...args).output();
export const spawnAndWaitSync: Shorthand<CommandOutput> = (...args) => commandOf(...args).outputSync();

function commandOf(
  command: string | URL,
  second?: readonly string[] | CommandOptions,
  options: CommandOptions = {},
): Command {
  return new Command(
    command,
    Array.isArray(second) ? { ...options, args: second } : (second as CommandOptions | undefined),
  );
}

function nodeOptions(options: CommandOptions): SpawnOptions {
  const stdio = (kind: Stdio = "inherit") => (kind === "piped" ? "pipe" : kind === "null" ? "ignore" : "inherit");
  return {
    cwd: options.cwd === undefined ? undefined : path(options.cwd),
    env: { ...(options.clearEnv ? {} : process.env), ...options.env },
    uid: options.uid,
    gid: options.gid,
    detached: options.detached,
    stdio: [stdio(options.stdin), stdio(options.stdout), stdio(options.stderr)] satisfies StdioOptions,
  };
}

function readable(name: string, stream: NodeChild["stdout"]): ReadableStream<Uint8Array> {
  if (stream === null) throw new TypeError(`Cannot get '${name}': '${name}' is not piped`);
  const web: NodeReadable<Uint8Array> = process.getBuiltinModule("node:stream").Readable.toWeb(stream);
  return web as unknown as ReadableStream<Uint8Array>;
}

function output(status: CommandStatus, options: CommandOptions, stdout: Uint8Array, stderr: Uint8Array): CommandOutput {
  const stream = (name: "stdout" | "stderr", bytes: Uint8Array) => {
    if (options[name] !== "piped") throw new TypeError(`Cannot get '${name}': '${name}' is not piped`);
    return bytes;
  };
  return {
    ...status,
    get stdout() {
      return stream("stdout", stdout);
    },
    get stderr() {
      return stream("stderr", stderr);
    },
  };
}

function statusOf(code: number | null, signal: NodeJS.Signals | null): CommandStatus {
  const { signals } = process.getBuiltinModule("node:os").constants;
  const shown = signal === null ? (code ?? 0) : 128 + signals[signal];
  return { success: shown === 0, code: shown, signal };
}

function spawnError(command: string): Error {
  const exists = command.includes("/") && process.getBuiltinModule("node:fs").existsSync(command);
  return exists
    ? new PermissionDenied(`Failed to spawn '${command}': permission denied`)
    : Object.assign(new NotFound(`Failed to spawn '${command}': entity not found`), { code: "ENOENT" });
}

function path(value: string | URL): string {
  return typeof value === "string" ? value : fileURLToPath(value);
}
