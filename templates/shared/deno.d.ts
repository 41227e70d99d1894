/**
 * The namespace Deno, for an editor with nothing installed, beside slipway.d.ts: what works in Slipway of Deno's type file
 * (MIT, the Deno authors), without its comments. Deno's own page has these: https://docs.deno.com/api/deno
 */
declare namespace Deno {
  namespace errors {
    export class NotFound extends Error {}
    export class PermissionDenied extends Error {}
    export class ConnectionRefused extends Error {}
    export class ConnectionReset extends Error {}
    export class ConnectionAborted extends Error {}
    export class NotConnected extends Error {}
    export class AddrInUse extends Error {}
    export class AddrNotAvailable extends Error {}
    export class BrokenPipe extends Error {}
    export class AlreadyExists extends Error {}
    export class InvalidData extends Error {}
    export class TimedOut extends Error {}
    export class Interrupted extends Error {}
    export class WouldBlock extends Error {}
    export class WriteZero extends Error {}
    export class UnexpectedEof extends Error {}
    export class BadResource extends Error {}
    export class Http extends Error {}
    export class Busy extends Error {}
    export class NotSupported extends Error {}
    export class FilesystemLoop extends Error {}
    export class IsADirectory extends Error {}
    export class NetworkUnreachable extends Error {}
    export class NotADirectory extends Error {}
    export class NotCapable extends Error {}
    export {};
  }
  const pid: number;
  const ppid: number;
  interface MemoryUsage {
    rss: number;
    heapTotal: number;
    heapUsed: number;
    external: number;
  }
  function memoryUsage(): MemoryUsage;
  function hostname(): string;
  function loadavg(): number[];
  interface NetworkInterfaceInfo {
    name: string;
    family: "IPv4" | "IPv6";
    address: string;
    netmask: string;
    scopeid: number | null;
    cidr: string;
    mac: string;
  }
  function networkInterfaces(): NetworkInterfaceInfo[];
  function systemMemoryInfo(): SystemMemoryInfo;
  interface SystemMemoryInfo {
    total: number;
    free: number;
    available: number;
    buffers: number;
    cached: number;
    swapTotal: number;
    swapFree: number;
  }
  const noColor: boolean;
  function osRelease(): string;
  function osUptime(): number;
  type PermissionOptions = "inherit" | "none" | PermissionOptionsObject;
  interface PermissionOptionsObject {
    env?: "inherit" | boolean | string[];
    ffi?: "inherit" | boolean | Array<string | URL>;
    import?: "inherit" | boolean | Array<string>;
    net?: "inherit" | boolean | string[];
    read?: "inherit" | boolean | Array<string | URL>;
    run?: "inherit" | boolean | Array<string | URL>;
    sys?: "inherit" | boolean | string[];
    write?: "inherit" | boolean | Array<string | URL>;
  }
  interface TestContext {
    name: string;
    origin: string;
    parent?: TestContext;
    step(definition: TestStepDefinition): Promise<boolean>;
    step(
      name: string,
      fn: (t: TestContext) => void | Promise<void>,
    ): Promise<boolean>;
    step(fn: (t: TestContext) => void | Promise<void>): Promise<boolean>;
    assertSnapshot<T>(
      actual: T,
      options?: TestSnapshotOptions<T>,
    ): Promise<void>;
    assertSnapshot<T>(actual: T, message?: string): Promise<void>;
  }
  interface TestSnapshotOptions<T = unknown> {
    dir?: string;
    path?: string;
    name?: string;
    msg?: string;
    serializer?: (actual: T) => string;
  }
  interface TestStepDefinition {
    fn: (t: TestContext) => void | Promise<void>;
    name: string;
    ignore?: boolean;
    sanitizeOps?: boolean;
    sanitizeResources?: boolean;
    sanitizeExit?: boolean;
  }
  interface TestDefinition {
    fn: (t: TestContext) => void | Promise<void>;
    name: string;
    ignore?: boolean;
    only?: boolean;
    sanitizeOps?: boolean;
    sanitizeResources?: boolean;
    sanitizeExit?: boolean;
    permissions?: PermissionOptions;
    timeout?: number;
    retry?: number;
    repeats?: number;
  }
  const test: DenoTest;
  interface DenoTest {
    (t: TestDefinition): void;
    (name: string, fn: (t: TestContext) => void | Promise<void>): void;
    (fn: (t: TestContext) => void | Promise<void>): void;
    (
      name: string,
      options: Omit<TestDefinition, "fn" | "name">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    (
      options: Omit<TestDefinition, "fn" | "name">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    (
      options: Omit<TestDefinition, "fn">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    each: TestEach;
    ignore: TestIgnore;
    only: TestOnly;
    beforeAll(
      fn: () => void | Promise<void>,
    ): void;
    beforeEach(fn: () => void | Promise<void>): void;
    afterEach(fn: () => void | Promise<void>): void;
    afterAll(fn: () => void | Promise<void>): void;
    sanitizer(options: {
      ops?: boolean;
      resources?: boolean;
    }): void;
  }
  interface TestEach {
    <const T extends readonly unknown[]>(
      cases: readonly T[],
    ): {
      (
        name: string,
        fn: (...args: [...T]) => void | Promise<void>,
      ): void;
      (
        name: string,
        options: Omit<TestDefinition, "fn" | "name">,
        fn: (...args: [...T]) => void | Promise<void>,
      ): void;
    };
    <const T>(
      cases: readonly T[],
    ): {
      (
        name: string,
        fn: (value: T, t: TestContext) => void | Promise<void>,
      ): void;
      (
        name: string,
        options: Omit<TestDefinition, "fn" | "name">,
        fn: (value: T, t: TestContext) => void | Promise<void>,
      ): void;
    };
  }
  interface TestIgnore {
    (t: Omit<TestDefinition, "ignore">): void;
    (name: string, fn: (t: TestContext) => void | Promise<void>): void;
    (fn: (t: TestContext) => void | Promise<void>): void;
    (
      name: string,
      options: Omit<TestDefinition, "fn" | "name" | "ignore">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    (
      options: Omit<TestDefinition, "fn" | "name" | "ignore">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    (
      options: Omit<TestDefinition, "fn" | "ignore">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    each: TestEach;
  }
  interface TestOnly {
    (t: Omit<TestDefinition, "only">): void;
    (name: string, fn: (t: TestContext) => void | Promise<void>): void;
    (fn: (t: TestContext) => void | Promise<void>): void;
    (
      name: string,
      options: Omit<TestDefinition, "fn" | "name" | "only">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    (
      options: Omit<TestDefinition, "fn" | "name" | "only">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    (
      options: Omit<TestDefinition, "fn" | "only">,
      fn: (t: TestContext) => void | Promise<void>,
    ): void;
    each: TestEach;
  }
  interface BenchContext {
    name: string;
    origin: string;
    start(): void;
    end(): void;
  }
  interface BenchDefinition {
    fn: (b: BenchContext) => void | Promise<void>;
    name: string;
    ignore?: boolean;
    group?: string;
    baseline?: boolean;
    only?: boolean;
    n?: number;
    warmup?: number;
    sanitizeExit?: boolean;
    permissions?: PermissionOptions;
  }
  function bench(b: BenchDefinition): void;
  function bench(
    name: string,
    fn: (b: BenchContext) => void | Promise<void>,
  ): void;
  function bench(fn: (b: BenchContext) => void | Promise<void>): void;
  function bench(
    name: string,
    options: Omit<BenchDefinition, "fn" | "name">,
    fn: (b: BenchContext) => void | Promise<void>,
  ): void;
  function bench(
    options: Omit<BenchDefinition, "fn">,
    fn: (b: BenchContext) => void | Promise<void>,
  ): void;
  function bench(
    options: Omit<BenchDefinition, "fn" | "name">,
    fn: (b: BenchContext) => void | Promise<void>,
  ): void;
  function exit(code?: number): never;
  var exitCode: number;
  interface Env {
    get(key: string): string | undefined;
    set(key: string, value: string): void;
    delete(key: string): void;
    has(key: string): boolean;
    toObject(): { [index: string]: string };
  }
  const env: Env;
  function execPath(): string;
  function chdir(directory: string | URL): void;
  function cwd(): string;
  function link(oldpath: string, newpath: string): Promise<void>;
  function linkSync(oldpath: string, newpath: string): void;
  enum SeekMode {
    Start = 0,
    Current = 1,
    End = 2,
  }
  function open(
    path: string | URL,
    options?: OpenOptions,
  ): Promise<FsFile>;
  function openSync(path: string | URL, options?: OpenOptions): FsFile;
  function create(path: string | URL): Promise<FsFile>;
  function createSync(path: string | URL): FsFile;
  class FsFile implements Disposable {
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
    write(p: Uint8Array): Promise<number>;
    writeSync(p: Uint8Array): number;
    truncate(len?: number): Promise<void>;
    truncateSync(len?: number): void;
    read(p: Uint8Array): Promise<number | null>;
    readSync(p: Uint8Array): number | null;
    seek(offset: number | bigint, whence: SeekMode): Promise<number>;
    seekSync(offset: number | bigint, whence: SeekMode): number;
    stat(): Promise<FileInfo>;
    statSync(): FileInfo;
    sync(): Promise<void>;
    syncSync(): void;
    syncData(): Promise<void>;
    syncDataSync(): void;
    utime(atime: number | Date, mtime: number | Date): Promise<void>;
    utimeSync(atime: number | Date, mtime: number | Date): void;
    isTerminal(): boolean;
    setRaw(mode: boolean, options?: SetRawOptions): void;
    lock(exclusive?: boolean): Promise<void>;
    lockSync(exclusive?: boolean): void;
    tryLock(exclusive?: boolean): Promise<boolean>;
    tryLockSync(exclusive?: boolean): boolean;
    unlock(): Promise<void>;
    unlockSync(): void;
    close(): void;
    [Symbol.dispose](): void;
  }
  function consoleSize(): {
    columns: number;
    rows: number;
  };
  interface SetRawOptions {
    cbreak: boolean;
  }
  const stdin: {
    read(p: Uint8Array): Promise<number | null>;
    readSync(p: Uint8Array): number | null;
    close(): void;
    readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
    setRaw(mode: boolean, options?: SetRawOptions): void;
    isTerminal(): boolean;
  };
  const stdout: {
    write(p: Uint8Array): Promise<number>;
    writeSync(p: Uint8Array): number;
    close(): void;
    readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
    isTerminal(): boolean;
  };
  const stderr: {
    write(p: Uint8Array): Promise<number>;
    writeSync(p: Uint8Array): number;
    close(): void;
    readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
    isTerminal(): boolean;
  };
  interface OpenOptions {
    read?: boolean;
    write?: boolean;
    append?: boolean;
    truncate?: boolean;
    create?: boolean;
    createNew?: boolean;
    mode?: number;
  }
  interface ReadFileOptions {
    signal?: AbortSignal;
  }
  interface MkdirOptions {
    recursive?: boolean;
    mode?: number;
  }
  function mkdir(
    path: string | URL,
    options?: MkdirOptions,
  ): Promise<void>;
  function mkdirSync(path: string | URL, options?: MkdirOptions): void;
  interface MakeTempOptions {
    dir?: string;
    prefix?: string;
    suffix?: string;
  }
  function makeTempDir(options?: MakeTempOptions): Promise<string>;
  function makeTempDirSync(options?: MakeTempOptions): string;
  function makeTempFile(options?: MakeTempOptions): Promise<string>;
  function makeTempFileSync(options?: MakeTempOptions): string;
  function chmod(path: string | URL, mode: number): Promise<void>;
  function chmodSync(path: string | URL, mode: number): void;
  function chown(
    path: string | URL,
    uid: number | null,
    gid: number | null,
  ): Promise<void>;
  function chownSync(
    path: string | URL,
    uid: number | null,
    gid: number | null,
  ): void;
  interface RemoveOptions {
    recursive?: boolean;
  }
  function remove(
    path: string | URL,
    options?: RemoveOptions,
  ): Promise<void>;
  function removeSync(path: string | URL, options?: RemoveOptions): void;
  function renameSync(
    oldpath: string | URL,
    newpath: string | URL,
  ): void;
  function rename(
    oldpath: string | URL,
    newpath: string | URL,
  ): Promise<void>;
  function readTextFile(
    path: string | URL,
    options?: ReadFileOptions,
  ): Promise<string>;
  function readTextFileSync(path: string | URL): string;
  function readFile(
    path: string | URL,
    options?: ReadFileOptions,
  ): Promise<Uint8Array<ArrayBuffer>>;
  function readFileSync(path: string | URL): Uint8Array<ArrayBuffer>;
  interface FileInfo {
    isFile: boolean;
    isDirectory: boolean;
    isSymlink: boolean;
    size: number;
    mtime: Date | null;
    atime: Date | null;
    birthtime: Date | null;
    ctime: Date | null;
    dev: number;
    ino: number | null;
    mode: number | null;
    nlink: number | null;
    uid: number | null;
    gid: number | null;
    rdev: number | null;
    blksize: number | null;
    blocks: number | null;
    isBlockDevice: boolean | null;
    isCharDevice: boolean | null;
    isFifo: boolean | null;
    isSocket: boolean | null;
  }
  function realPath(path: string | URL): Promise<string>;
  function realPathSync(path: string | URL): string;
  interface DirEntry {
    name: string;
    isFile: boolean;
    isDirectory: boolean;
    isSymlink: boolean;
  }
  function readDir(path: string | URL): AsyncIterable<DirEntry>;
  function readDirSync(path: string | URL): IteratorObject<DirEntry>;
  function copyFile(
    fromPath: string | URL,
    toPath: string | URL,
  ): Promise<void>;
  function copyFileSync(
    fromPath: string | URL,
    toPath: string | URL,
  ): void;
  function readLink(path: string | URL): Promise<string>;
  function readLinkSync(path: string | URL): string;
  function lstat(path: string | URL): Promise<FileInfo>;
  function lstatSync(path: string | URL): FileInfo;
  function stat(path: string | URL): Promise<FileInfo>;
  function statSync(path: string | URL): FileInfo;
  interface WriteFileOptions {
    append?: boolean;
    create?: boolean;
    createNew?: boolean;
    mode?: number;
    signal?: AbortSignal;
  }
  function writeFile(
    path: string | URL,
    data: Uint8Array | ReadableStream<Uint8Array>,
    options?: WriteFileOptions,
  ): Promise<void>;
  function writeFileSync(
    path: string | URL,
    data: Uint8Array,
    options?: WriteFileOptions,
  ): void;
  function writeTextFile(
    path: string | URL,
    data: string | ReadableStream<string>,
    options?: WriteFileOptions,
  ): Promise<void>;
  function writeTextFileSync(
    path: string | URL,
    data: string,
    options?: WriteFileOptions,
  ): void;
  function truncate(name: string, len?: number): Promise<void>;
  function truncateSync(name: string, len?: number): void;
  type FsEventFlag = "rescan";
  interface FsEvent {
    kind:
      | "any"
      | "access"
      | "create"
      | "modify"
      | "rename"
      | "remove"
      | "other";
    paths: string[];
    flag?: FsEventFlag;
  }
  interface FsWatcher extends AsyncIterable<FsEvent>, Disposable {
    close(): void;
    return?(value?: any): Promise<IteratorResult<FsEvent>>;
    [Symbol.asyncIterator](): AsyncIterableIterator<FsEvent>;
  }
  function watchFs(
    paths: string | string[],
    options?: { recursive?: boolean; ignore?: string | string[] },
  ): FsWatcher;
  type Signal =
    | "SIGABRT"
    | "SIGALRM"
    | "SIGBREAK"
    | "SIGBUS"
    | "SIGCHLD"
    | "SIGCONT"
    | "SIGEMT"
    | "SIGFPE"
    | "SIGHUP"
    | "SIGILL"
    | "SIGINFO"
    | "SIGINT"
    | "SIGIO"
    | "SIGPOLL"
    | "SIGUNUSED"
    | "SIGKILL"
    | "SIGPIPE"
    | "SIGPROF"
    | "SIGPWR"
    | "SIGQUIT"
    | "SIGSEGV"
    | "SIGSTKFLT"
    | "SIGSTOP"
    | "SIGSYS"
    | "SIGTERM"
    | "SIGTRAP"
    | "SIGTSTP"
    | "SIGTTIN"
    | "SIGTTOU"
    | "SIGURG"
    | "SIGUSR1"
    | "SIGUSR2"
    | "SIGVTALRM"
    | "SIGWINCH"
    | "SIGXCPU"
    | "SIGXFSZ";
  function addSignalListener(signal: Signal, handler: () => void): void;
  function removeSignalListener(
    signal: Signal,
    handler: () => void,
  ): void;
  class Command {
    constructor(command: string | URL, options?: CommandOptions);
    output(): Promise<CommandOutput>;
    outputSync(): CommandOutput;
    spawn(): ChildProcess;
  }
  class ChildProcess implements AsyncDisposable {
    get stdin(): WritableStream<Uint8Array<ArrayBufferLike>>;
    get stdout(): SubprocessReadableStream;
    get stderr(): SubprocessReadableStream;
    readonly pid: number;
    readonly status: Promise<CommandStatus>;
    output(): Promise<CommandOutput>;
    kill(signo?: Signal | number): void;
    ref(): void;
    unref(): void;
    [Symbol.asyncDispose](): Promise<void>;
  }
  interface SubprocessReadableStream
    extends ReadableStream<Uint8Array<ArrayBuffer>> {
    arrayBuffer(): Promise<ArrayBuffer>;
    bytes(): Promise<Uint8Array<ArrayBuffer>>;
    json(): Promise<any>;
    text(): Promise<string>;
  }
  interface CommandOptions {
    args?: string[];
    cwd?: string | URL;
    clearEnv?: boolean;
    env?: Record<string, string>;
    uid?: number;
    gid?: number;
    signal?: AbortSignal;
    stdin?: "piped" | "inherit" | "null";
    stdout?: "piped" | "inherit" | "null";
    stderr?: "piped" | "inherit" | "null";
    windowsRawArguments?: boolean;
    detached?: boolean;
  }
  interface CommandStatus {
    success: boolean;
    code: number;
    signal: Signal | null;
  }
  interface CommandOutput extends CommandStatus {
    readonly stdout: Uint8Array<ArrayBuffer>;
    readonly stderr: Uint8Array<ArrayBuffer>;
  }
  function spawn(
    command: string | URL,
    options?: CommandOptions,
  ): ChildProcess;
  function spawn(
    command: string | URL,
    args: string[],
    options?: Omit<CommandOptions, "args">,
  ): ChildProcess;
  function spawnAndWait(
    command: string | URL,
    options?: CommandOptions,
  ): Promise<CommandOutput>;
  function spawnAndWait(
    command: string | URL,
    args: string[],
    options?: Omit<CommandOptions, "args">,
  ): Promise<CommandOutput>;
  function spawnAndWaitSync(
    command: string | URL,
    options?: CommandOptions,
  ): CommandOutput;
  function spawnAndWaitSync(
    command: string | URL,
    args: string[],
    options?: Omit<CommandOptions, "args">,
  ): CommandOutput;
  interface InspectOptions {
    colors?: boolean;
    compact?: boolean;
    depth?: number;
    breakLength?: number;
    escapeSequences?: boolean;
    iterableLimit?: number;
    showProxy?: boolean;
    sorted?: boolean;
    trailingComma?: boolean;
    getters?: boolean;
    showHidden?: boolean;
    strAbbreviateSize?: number;
  }
  function inspect(value: unknown, options?: InspectOptions): string;
  type PermissionState = "granted" | "denied" | "prompt";
  interface RunPermissionDescriptor {
    name: "run";
    command?: string | URL;
  }
  interface ReadPermissionDescriptor {
    name: "read";
    path?: string | URL;
  }
  interface WritePermissionDescriptor {
    name: "write";
    path?: string | URL;
  }
  interface NetPermissionDescriptor {
    name: "net";
    host?: string;
  }
  interface EnvPermissionDescriptor {
    name: "env";
    variable?: string;
  }
  interface SysPermissionDescriptor {
    name: "sys";
    kind?:
      | "loadavg"
      | "hostname"
      | "systemMemoryInfo"
      | "networkInterfaces"
      | "osRelease"
      | "osUptime"
      | "uid"
      | "gid"
      | "username"
      | "cpus"
      | "homedir"
      | "statfs"
      | "getPriority"
      | "setPriority"
      | "ca"
      | "umask";
  }
  interface FfiPermissionDescriptor {
    name: "ffi";
    path?: string | URL;
  }
  interface ImportPermissionDescriptor {
    name: "import";
    host?: string;
  }
  type PermissionDescriptor =
    | RunPermissionDescriptor
    | ReadPermissionDescriptor
    | WritePermissionDescriptor
    | NetPermissionDescriptor
    | EnvPermissionDescriptor
    | SysPermissionDescriptor
    | FfiPermissionDescriptor
    | ImportPermissionDescriptor;
  interface PermissionStatusEventMap {
    change: Event;
  }
  class PermissionStatus extends EventTarget {
    onchange: ((this: PermissionStatus, ev: Event) => any) | null;
    readonly state: PermissionState;
    readonly partial: boolean;
    addEventListener<K extends keyof PermissionStatusEventMap>(
      type: K,
      listener: (
        this: PermissionStatus,
        ev: PermissionStatusEventMap[K],
      ) => any,
      options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener(
      type: string,
      listener: EventListenerOrEventListenerObject,
      options?: boolean | AddEventListenerOptions,
    ): void;
    removeEventListener<K extends keyof PermissionStatusEventMap>(
      type: K,
      listener: (
        this: PermissionStatus,
        ev: PermissionStatusEventMap[K],
      ) => any,
      options?: boolean | EventListenerOptions,
    ): void;
    removeEventListener(
      type: string,
      listener: EventListenerOrEventListenerObject,
      options?: boolean | EventListenerOptions,
    ): void;
  }
  class Permissions {
    query(desc: PermissionDescriptor): Promise<PermissionStatus>;
    querySync(desc: PermissionDescriptor): PermissionStatus;
    revoke(desc: PermissionDescriptor): Promise<PermissionStatus>;
    revokeSync(desc: PermissionDescriptor): PermissionStatus;
    request(desc: PermissionDescriptor): Promise<PermissionStatus>;
    requestSync(desc: PermissionDescriptor): PermissionStatus;
  }
  const permissions: Permissions;
  const build: {
    target: string;
    arch: "x86_64" | "aarch64";
    os:
      | "darwin"
      | "linux"
      | "android"
      | "windows"
      | "freebsd"
      | "netbsd"
      | "aix"
      | "solaris"
      | "illumos";
    standalone: boolean;
    vendor: string;
    env?: string;
  };
  const version: {
    deno: string;
    v8: string;
    typescript: string;
  };
  const args: string[];
  const mainModule: string;
  interface SymlinkOptions {
    type: "file" | "dir" | "junction";
  }
  function symlink(
    oldpath: string | URL,
    newpath: string | URL,
    options?: SymlinkOptions,
  ): Promise<void>;
  function symlinkSync(
    oldpath: string | URL,
    newpath: string | URL,
    options?: SymlinkOptions,
  ): void;
  function utimeSync(
    path: string | URL,
    atime: number | Date,
    mtime: number | Date,
  ): void;
  function utime(
    path: string | URL,
    atime: number | Date,
    mtime: number | Date,
  ): Promise<void>;
  function umask(mask?: number): number;
  function kill(pid: number, signo?: Signal | number): void;
  type RecordType =
    | "A"
    | "AAAA"
    | "ANAME"
    | "CAA"
    | "CNAME"
    | "MX"
    | "NAPTR"
    | "NS"
    | "PTR"
    | "SOA"
    | "SRV"
    | "TXT";
  interface ResolveDnsOptions {
    nameServer?: {
      ipAddr: string;
      port?: number;
    };
    signal?: AbortSignal;
  }
  interface CaaRecord {
    critical: boolean;
    tag: string;
    value: string;
  }
  interface MxRecord {
    preference: number;
    exchange: string;
  }
  interface NaptrRecord {
    order: number;
    preference: number;
    flags: string;
    services: string;
    regexp: string;
    replacement: string;
  }
  interface SoaRecord {
    mname: string;
    rname: string;
    serial: number;
    refresh: number;
    retry: number;
    expire: number;
    minimum: number;
  }
  interface SrvRecord {
    priority: number;
    weight: number;
    port: number;
    target: string;
  }
  function resolveDns(
    query: string,
    recordType: "A" | "AAAA" | "ANAME" | "CNAME" | "NS" | "PTR",
    options?: ResolveDnsOptions,
  ): Promise<string[]>;
  function resolveDns(
    query: string,
    recordType: "CAA",
    options?: ResolveDnsOptions,
  ): Promise<CaaRecord[]>;
  function resolveDns(
    query: string,
    recordType: "MX",
    options?: ResolveDnsOptions,
  ): Promise<MxRecord[]>;
  function resolveDns(
    query: string,
    recordType: "NAPTR",
    options?: ResolveDnsOptions,
  ): Promise<NaptrRecord[]>;
  function resolveDns(
    query: string,
    recordType: "SOA",
    options?: ResolveDnsOptions,
  ): Promise<SoaRecord[]>;
  function resolveDns(
    query: string,
    recordType: "SRV",
    options?: ResolveDnsOptions,
  ): Promise<SrvRecord[]>;
  function resolveDns(
    query: string,
    recordType: "TXT",
    options?: ResolveDnsOptions,
  ): Promise<string[][]>;
  function resolveDns(
    query: string,
    recordType: RecordType,
    options?: ResolveDnsOptions,
  ): Promise<
    | string[]
    | CaaRecord[]
    | MxRecord[]
    | NaptrRecord[]
    | SoaRecord[]
    | SrvRecord[]
    | string[][]
  >;
  function refTimer(id: number | object): void;
  function unrefTimer(id: number | object): void;
  function uid(): number | null;
  function gid(): number | null;
  const brand: unique symbol;
  class HttpClient implements Disposable {
    close(): void;
    [Symbol.dispose](): void;
  }
  interface CreateHttpClientOptions {
    caCerts?: string[];
    proxy?: Proxy;
    poolMaxIdlePerHost?: number;
    poolIdleTimeout?: number | false;
    http1?: boolean;
    http2?: boolean;
    allowHost?: boolean;
    localAddress?: string;
    http2MaxHeaderListSize?: number;
  }
  type Proxy = {
    transport?: "http" | "https" | "socks5";
    url: string;
    basicAuth?: BasicAuth;
  } | {
    transport: "tcp";
    hostname: string;
    port: number;
  } | {
    transport: "unix";
    path: string;
  } | {
    transport: "vsock";
    cid: number;
    port: number;
  };
  interface BasicAuth {
    username: string;
    password: string;
  }
  function createHttpClient(
    options:
      | CreateHttpClientOptions
      | (CreateHttpClientOptions & TlsCertifiedKeyPem),
  ): HttpClient;
  interface ListenOptions {
    port?: number;
    hostname?: string;
    tcpBacklog?: number;
  }
  interface TlsCertifiedKeyPem {
    keyFormat?: "pem";
    key: string;
    cert: string;
  }
  interface MulticastV4Membership {
    leave: () => Promise<void>;
    setLoopback: (loopback: boolean) => Promise<void>;
    setTTL: (ttl: number) => Promise<void>;
  }
  interface MulticastV6Membership {
    leave: () => Promise<void>;
    setLoopback: (loopback: boolean) => Promise<void>;
  }
  interface DatagramConn
    extends AsyncIterable<[Uint8Array<ArrayBuffer>, Addr]> {
    joinMulticastV4(
      address: string,
      networkInterface: string,
    ): Promise<MulticastV4Membership>;
    joinMulticastV6(
      address: string,
      networkInterface: number,
    ): Promise<MulticastV6Membership>;
    receive(p?: Uint8Array): Promise<[Uint8Array<ArrayBuffer>, Addr]>;
    send(p: Uint8Array, addr: Addr): Promise<number>;
    close(): void;
    readonly addr: Addr;
    [Symbol.asyncIterator](): AsyncIterableIterator<
      [Uint8Array<ArrayBuffer>, Addr]
    >;
  }
  interface UdpListenOptions extends ListenOptions {
    reuseAddress?: boolean;
    loopback?: boolean;
  }
  function listenDatagram(
    options: UdpListenOptions & { transport: "udp" },
  ): DatagramConn;
  interface UnixListenDatagramOptions {
    path?: string;
  }
  function listenDatagram(
    options: UnixListenDatagramOptions & { transport: "unixpacket" },
  ): DatagramConn;
}
