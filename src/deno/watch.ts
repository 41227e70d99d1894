/** `Deno.watchFs`, by node:fs's watch: what it tells of a name is looked up, to say what became of it. */
import { join, resolve } from "node:path";
import { NotFound } from "../runtime/errors.ts";
import { toDenoError } from "./file-errors.ts";

type Kind = "create" | "modify" | "remove";

interface FsEvent {
  readonly kind: Kind;
  readonly paths: string[];
  readonly flag: null;
}

const fs = () => process.getBuiltinModule("node:fs");

interface WatchOptions {
  recursive?: boolean;
  /** What is at or below these paths is not told of. */
  ignore?: string | string[];
}

/** Watches files and folders, and what is below them unless told otherwise. */
export function watchFs(paths: string | URL | (string | URL)[], options: WatchOptions = {}): FsWatcher {
  return new FsWatcher(Array.isArray(paths) ? paths : [paths], options);
}

class FsWatcher implements AsyncIterable<FsEvent>, Disposable {
  readonly #watchers: { close(): void }[] = [];
  /** What is there, as far as we know. */
  readonly #known = new Set<string>();
  readonly #events: FsEvent[] = [];
  /** Who waits for an event, and what holds the process for them: the watchers do not. */
  #waiting: { resolve(result: IteratorResult<FsEvent>): void; hold: NodeJS.Timeout }[] = [];
  #closed = false;
  readonly #ignored: readonly string[];

  constructor(paths: (string | URL)[], { recursive = true, ignore = [] }: WatchOptions) {
    this.#ignored = (Array.isArray(ignore) ? ignore : [ignore]).map((path) => resolve(path));
    for (const path of paths) {
      try {
        this.#watch(path, recursive);
      } catch (error) {
        this.close();
        throw toDenoError(error, "watch", [path]);
      }
    }
  }

  next(): Promise<IteratorResult<FsEvent>> {
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#closed) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#waiting.push({ resolve, hold: setInterval(() => {}, 2 ** 31 - 1) });
    });
  }
  return(value?: unknown): Promise<IteratorResult<FsEvent>> {
    this.close();
    return Promise.resolve({ value, done: true });
  }
  [Symbol.asyncIterator](): this {
    return this;
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.close();
    for (const { resolve, hold } of this.#waiting.splice(0)) {
      clearInterval(hold);
      resolve({ value: undefined, done: true });
    }
  }
  [Symbol.dispose](): void {
    this.close();
  }

  #watch(path: string | URL, recursive: boolean): void {
    const { realpathSync, statSync } = fs();
    let root: string;
    try {
      root = realpathSync.native(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new NotFound("No path was found.");
      throw error;
    }
    if (statSync(root).isDirectory()) this.#watchFolder(root, recursive);
    else this.#watchOne(root, () => this.#tell(root, "change"));
  }

  /** A folder and, one watcher each, those below it: Node's own recursion ends at the first link that leads nowhere. */
  #watchFolder(folder: string, recursive: boolean): void {
    if (this.#isIgnored(folder)) return;
    this.#watchOne(folder, (type, name) => {
      const path = name === null ? folder : join(folder, name);
      // What came into a new folder before it was watched is told of with it.
      if (this.#tell(path, type) === "create" && recursive) this.#watchBelow(path, true);
    });
    for (const found of fs().readdirSync(folder, { withFileTypes: true })) {
      this.#known.add(join(folder, found.name));
      if (recursive && found.isDirectory()) this.#watchFolder(join(folder, found.name), true);
    }
  }

  #watchBelow(path: string, isNew: boolean): void {
    try {
      if (!fs().lstatSync(path).isDirectory()) return;
      this.#watchFolder(path, true);
      for (const name of isNew ? fs().readdirSync(path) : []) {
        this.#known.delete(join(path, name));
        this.#tell(join(path, name), "rename");
      }
    } catch {
      // It is gone again.
    }
  }

  #watchOne(path: string, heard: (type: string, name: string | null) => void): void {
    const watcher = fs().watch(path, { persistent: false }, heard);
    // What is removed while it is watched ends no program, and its watcher has nothing more to say.
    watcher.on("error", () => watcher.close());
    this.#watchers.push(watcher);
  }

  #isIgnored(path: string): boolean {
    return this.#ignored.some((ignored) => path === ignored || path.startsWith(`${ignored}/`));
  }

  /** What became of a path, by whether it is there and was. */
  #tell(path: string, type: string): Kind | undefined {
    if (this.#isIgnored(path)) return undefined;
    const exists = fs().lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    const kind = !exists ? "remove" : type === "change" || this.#known.has(path) ? "modify" : "create";
    if (exists) this.#known.add(path);
    else this.#known.delete(path);
    this.#push({ kind, paths: [path], flag: null });
    return kind;
  }

  #push(event: FsEvent): void {
    if (this.#closed) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      this.#events.push(event);
      return;
    }
    clearInterval(waiting.hold);
    waiting.resolve({ value: event, done: false });
  }
}
