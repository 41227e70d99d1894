/**
 * The members of `Deno`, each made when it is first touched. The list is Deno 2.9's own (`Object.keys(Deno)`), and a
 * test holds the two against each other.
 */
import { createHttpClient, HttpClient } from "../client/http-client.ts";
import * as net from "../net/mod.ts";
import { errors } from "../runtime/errors.ts";
import * as tls from "../tls/mod.ts";
import { upgradeWebSocket } from "../websocket/mod.ts";
import * as command from "./command.ts";
import { environment } from "./environment.ts";
import { files } from "./files.ts";
import * as file from "./fs-file.ts";
import { inspect } from "./inspect.ts";
import { pathOperations } from "./paths.ts";
import { PermissionStatus, Permissions, permissions } from "./permissions.ts";
import * as program from "./program.ts";
import { serve } from "./serve.ts";
import * as signals from "./signals.ts";
import { stderr, stdin, stdout } from "./standard-streams.ts";
import * as system from "./system.ts";
import { temporary } from "./temporary.ts";
import { unsupported, unsupportedMembers, unsupportedUnstable } from "./unsupported.ts";
import { watchFs } from "./watch.ts";

/** What this thread's has not: a web worker has no main module. */
export const absentMembers = new Set<string>();

/** A fresh namespace. */
export function makeNamespace(): object {
  const namespace = {
    serve,
    listen: denoListen("listen", net.listen),
    connect: net.connect,
    listenDatagram: net.listenDatagram,
    listenTls: denoListen("listenTls", tls.listenTls),
    connectTls: tls.connectTls,
    startTls: tls.startTls,
    createHttpClient,
    HttpClient,
    upgradeWebSocket,
    errors,
    env: environment,
    ...files,
    ...pathOperations(),
    ...temporary,
    watchFs,
    open: file.open,
    openSync: file.openSync,
    create: file.create,
    createSync: file.createSync,
    FsFile: file.FsFile,
    SeekMode: file.SeekMode,
    exit: program.exit,
    pid: process.pid,
    cwd: program.cwd,
    execPath: () => process.execPath,
    memoryUsage: program.memoryUsage,
    cpuUsage: () => process.cpuUsage(),
    inspect,
    consoleSize: program.consoleSize,
    isatty: program.isatty,
    Permissions,
    PermissionStatus,
    Command: command.Command,
    ChildProcess: command.ChildProcess,
    spawn: command.spawn,
    spawnAndWait: command.spawnAndWait,
    spawnAndWaitSync: command.spawnAndWaitSync,
    addSignalListener: signals.addSignalListener,
    removeSignalListener: signals.removeSignalListener,
    kill: signals.kill,
    hostname: system.hostname,
    osRelease: system.osRelease,
    osUptime: system.osUptime,
    loadavg: system.loadavg,
    systemMemoryInfo: system.systemMemoryInfo,
    networkInterfaces: system.networkInterfaces,
    resolveDns: system.resolveDns,
    uid: () => process.getuid?.() ?? null,
    gid: () => process.getgid?.() ?? null,
    umask: (mask?: number) => (mask === undefined ? process.umask() : process.umask(mask)),
    refTimer: (timer: unknown) => program.holdTimer(timer, true),
    unrefTimer: (timer: unknown) => program.holdTimer(timer, false),
    // As under `deno run`: only `deno test` and `deno bench` look at what is registered.
    test: program.registersNothing(),
    bench: program.registersNothing(),
    get ppid() {
      return process.ppid;
    },
    get exitCode() {
      return program.exitCode();
    },
    set exitCode(code: unknown) {
      program.setExitCode(code);
    },
  };
  // As in Deno, a loop over the members finds all but this one.
  Object.defineProperty(namespace, "exitCode", { enumerable: false });
  lazy(namespace, "args", program.args);
  lazy(namespace, "mainModule", program.mainModule);
  lazy(namespace, "build", program.build);
  lazy(namespace, "version", program.version);
  lazy(namespace, "noColor", () => Boolean(process.env.NO_COLOR));
  lazy(namespace, "permissions", permissions);
  lazy(namespace, "stdin", stdin);
  lazy(namespace, "stdout", stdout);
  lazy(namespace, "stderr", stderr);
  for (const [name, instead] of Object.entries(unsupportedMembers)) {
    lazy(namespace, name, () => unsupported(name, instead));
  }
  for (const [name, instead] of Object.entries(unsupportedUnstable)) {
    lazy(namespace, name, () => unsupported(name, instead), false);
  }
  for (const name of absentMembers) Reflect.deleteProperty(namespace, name);
  return namespace;
}

/** Deno's listeners let one caller wait at a time, where ours take any number of them. */
function denoListen<O, L extends { alone: boolean }>(name: string, open: (options: O) => L): (options: O) => L {
  const call = (options: O): L => {
    const listener = open(options);
    listener.alone = true;
    return listener;
  };
  return Object.defineProperty(call, "name", { value: name });
}

function lazy(namespace: object, name: string, make: () => unknown, enumerable = true): void {
  const define = (value: unknown): unknown => {
    Object.defineProperty(namespace, name, { value, writable: true, enumerable, configurable: true });
    return value;
  };
  Object.defineProperty(namespace, name, { get: () => define(make()), set: define, enumerable, configurable: true });
}
