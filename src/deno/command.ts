/** `Deno.Command`: child processes, on top of node:child_process. */
import type { ChildProcess as NodeChild, SpawnOptions, StdioOptions } from "node:child_process";
import type { ReadableStream as NodeReadable } from "node:stream/web";
import { fileURLToPath } from "node:url";
import { NotADirectory, NotFound, PermissionDenied } from "../runtime/errors.ts";
import { isSignal } from "./signals.ts";

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
  /** On Windows: the arguments are not quoted. */
  windowsRawArguments?: boolean;
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
  output(): Promise<CommandOutput> {
    // What is wrong is thrown at once, as in Deno.
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
    if (this.#command === "") throw spawnError("", options);
    const { error, status, signal, stdout, stderr } = spawnSync(this.#command, argumentsOf(options), {
      ...nodeOptions(options),
      maxBuffer: Number.POSITIVE_INFINITY,
    });
    if (error !== undefined) throw spawnError(this.#command, options, true);
    return output(statusOf(status, signal), options, new Uint8Array(stdout ?? []), new Uint8Array(stderr ?? []));
  }
}

/** A running child. */
export class ChildProcess implements AsyncDisposable {
  readonly #pid: number;
  readonly #status: Promise<CommandStatus>;
  readonly #child: NodeChild;
  readonly #options: CommandOptions;
  #isCollected = false;
  #stdin: WritableStream<Uint8Array> | undefined;
  readonly #stdout: ReadableStream<Uint8Array> | undefined;
  readonly #stderr: ReadableStream<Uint8Array> | undefined;

  /** @internal Use `Deno.Command`. */
  constructor(command: string, options: CommandOptions) {
    options.signal?.throwIfAborted();
    const { spawn } = process.getBuiltinModule("node:child_process");
    this.#options = options;
    if (command === "") throw spawnError("", options);
    const settings = nodeOptions(options);
    try {
      this.#child = spawn(command, argumentsOf(options), settings);
    } catch (error) {
      throw (error as NodeJS.ErrnoException).syscall === undefined ? error : spawnError(command, options);
    }
    // Node tells of a failed start later, Deno at once.
    this.#child.on("error", () => {});
    if (this.#child.pid === undefined) throw spawnError(command, options);
    this.#pid = this.#child.pid;
    // At once: when the child ends Node throws away what nobody has begun to read.
    this.#stdout = readable(this.#child.stdout);
    this.#stderr = readable(this.#child.stderr);
    this.#status = new Promise((resolve) => {
      this.#child.on("exit", (code, signal) => resolve(statusOf(code, signal)));
    });
    const abort = () => this.kill();
    options.signal?.addEventListener("abort", abort, { once: true });
    this.#status.then(() => options.signal?.removeEventListener("abort", abort));
  }

  get pid(): number {
    return this.#pid;
  }
  get status(): Promise<CommandStatus> {
    return this.#status;
  }
  get stdin(): WritableStream<Uint8Array> {
    const { stdin } = this.#child;
    if (stdin === null) throw new TypeError("Cannot get 'stdin': 'stdin' is not piped");
    return (this.#stdin ??= process.getBuiltinModule("node:stream").Writable.toWeb(stdin));
  }
  get stdout(): ReadableStream<Uint8Array> {
    return piped("stdout", this.#stdout);
  }
  get stderr(): ReadableStream<Uint8Array> {
    return piped("stderr", this.#stderr);
  }

  /** Waits for the end and collects what was written to the streams that are piped. */
  async output(): Promise<CommandOutput> {
    for (const name of ["stdout", "stderr"] as const) {
      if (this.#options[name] === "piped" && (this.#isCollected || this[name].locked)) {
        throw new TypeError(`Cannot collect output: '${name}' is locked`);
      }
    }
    this.#isCollected = true;
    const collect = (name: "stdout" | "stderr") =>
      this.#options[name] === "piped" ? collected(this[name]) : new Uint8Array();
    const [status, stdout, stderr] = await Promise.all([this.status, collect("stdout"), collect("stderr")]);
    return output(status, this.#options, stdout, stderr);
  }

  kill(signal: NodeJS.Signals | number = "SIGTERM"): void {
    if (typeof signal === "string" && !isSignal(signal)) throw new TypeError(`Invalid signal: ${signal}`);
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
  if (Array.isArray(second) && options.args !== undefined) {
    throw new TypeError("Passing 'args' in options is not allowed when args are passed as a separate argument");
  }
  return new Command(
    command,
    Array.isArray(second) ? { ...options, args: second } : (second as CommandOptions | undefined),
  );
}

/** Node's words for a stream. */
const stdioWords = { inherit: "inherit", piped: "pipe", null: "ignore" } as const;

/** They may be numbers and the like. */
function argumentsOf({ args = [] }: CommandOptions): string[] {
  return args.map(String);
}

function nodeOptions(options: CommandOptions): SpawnOptions {
  const stdio = (kind: Stdio = "inherit") => {
    if (!Object.hasOwn(stdioWords, kind)) {
      throw new TypeError(`unknown variant \`${kind}\`, expected one of \`inherit\`, \`piped\`, \`null\``);
    }
    return stdioWords[kind];
  };
  return {
    cwd: options.cwd === undefined ? undefined : path(options.cwd),
    env: { ...(options.clearEnv ? {} : process.env), ...options.env },
    uid: options.uid,
    gid: options.gid,
    detached: options.detached,
    windowsVerbatimArguments: options.windowsRawArguments,
    stdio: [stdio(options.stdin), stdio(options.stdout), stdio(options.stderr)] satisfies StdioOptions,
  };
}

/** What is left: a stream that was read to its end gives nothing more, where a body would refuse it. */
async function collected(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks = await Array.fromAsync(stream);
  return new Uint8Array(Buffer.concat(chunks));
}

function piped(name: string, stream: ReadableStream<Uint8Array> | undefined): ReadableStream<Uint8Array> {
  if (stream === undefined) throw new TypeError(`Cannot get '${name}': '${name}' is not piped`);
  return stream;
}

function readable(stream: NodeChild["stdout"]): ReadableStream<Uint8Array> | undefined {
  if (stream === null) return undefined;
  const web: NodeReadable<Uint8Array> = process.getBuiltinModule("node:stream").Readable.toWeb(stream);
  // Deno's stream has these of a body.
  for (const method of ["arrayBuffer", "bytes", "json", "text"] as const) {
    const value = () => new Response(web as unknown as BodyInit)[method]();
    Object.defineProperty(web, method, { value, writable: true, configurable: true });
  }
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

/** Node says only that it did not start: why is looked up, in the order in which the system would. */
function spawnError(command: string, options: CommandOptions, sync = false): Error {
  const { existsSync, statSync } = process.getBuiltinModule("node:fs");
  const failed = (Class: typeof NotFound, name: string, why: string, code: string) =>
    Object.assign(new Class(`Failed to spawn '${name}': ${why}`), { code });
  const found = command.includes("/") ? command : find(command, options);
  if (found === undefined) return failed(NotFound, command, "entity not found", "ENOENT");
  const cwd = options.cwd === undefined ? undefined : path(options.cwd);
  if (cwd !== undefined && !existsSync(cwd)) {
    return failed(NotFound, found, sync ? "No such file or directory (os error 2)" : `No such cwd '${cwd}'`, "ENOENT");
  }
  if (cwd !== undefined && !statSync(cwd).isDirectory()) {
    const why = sync ? "Not a directory (os error 20)" : `cwd is not a directory '${cwd}'`;
    return failed(sync ? NotADirectory : NotFound, found, why, sync ? "ENOTDIR" : "ENOENT");
  }
  return existsSync(found)
    ? failed(PermissionDenied, found, "Permission denied (os error 13)", "EACCES")
    : failed(NotFound, found, "No such file or directory (os error 2)", "ENOENT");
}

/** Where a name without a slash leads: the first of PATH that may be run. */
function find(command: string, { clearEnv, env }: CommandOptions): string | undefined {
  const { accessSync, constants, statSync } = process.getBuiltinModule("node:fs");
  const folders = env?.PATH ?? (clearEnv ? "/usr/bin:/bin" : (process.env.PATH ?? ""));
  return folders
    .split(":")
    .map((folder) => `${folder}/${command}`)
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return command !== "" && statSync(candidate).isFile();
      } catch {
        return false;
      }
    });
}

function path(value: string | URL): string {
  return typeof value === "string" ? value : fileURLToPath(value);
}
