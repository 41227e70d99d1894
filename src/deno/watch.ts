/** `Deno.watchFs`, by node:fs's watch: what it tells of a name is looked up to say what became of it. */
import { toDenoError } from "./file-errors.ts";

type Kind = "create" | "modify" | "remove";

interface FsEvent {
  readonly kind: Kind;
  readonly paths: string[];
}

interface Watching {
  close(): void;
}

/** Watches files and folders, and what is below them unless told otherwise. */
export function watchFs(paths: string | URL | (string | URL)[], options: { recursive?: boolean } = {}): FsWatcher {
  return new FsWatcher(Array.isArray(paths) ? paths : [paths], options.recursive ?? true);
}

class FsWatcher implements AsyncIterable<FsEvent>, Disposable {
  readonly #watchers: Watching[] = [];
  readonly #events: FsEvent[] = [];
  /** Who waits for an event, and what holds the process for them: the watchers do not. */
  #waiting: { resolve(result: IteratorResult<FsEvent>): void; hold: NodeJS.Timeout }[] = [];
  #closed = false;

  constructor(paths: (string | URL)[], recursive: boolean) {
    for (const path of paths) {
      try {
        this.#watchers.push(this.#watch(path, recursive));
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

  #watch(path: string | URL, recursive: boolean): Watching {
    const { lstatSync, realpathSync, watch } = process.getBuiltinModule("node:fs");
    const { dirname, join } = process.getBuiltinModule("node:path");
    const root = realpathSync.native(path);
    const base = lstatSync(root).isDirectory() ? root : dirname(root);
    // Of what is there an event is a change; of what was not, its making.
    const known = new Set<string>();
    const look = (target: string): Kind | undefined => {
      const exists = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
      const before = known.has(target);
      if (exists) known.add(target);
      else known.delete(target);
      return exists ? (before ? "modify" : "create") : "remove";
    };
    const watcher = watch(root, { recursive, persistent: false }, (type, name) => {
      const target = base === root ? (name === null ? root : join(base, name)) : root;
      const kind = look(target);
      if (kind !== undefined)
        this.#tell({ kind: type === "change" && kind === "create" ? "modify" : kind, paths: [target] });
    });
    // What is removed while it is watched ends no program.
    watcher.on("error", () => {});
    return watcher;
  }

  #tell(event: FsEvent): void {
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
