/**
 * Tells when one of a set of files changed. Folders are watched rather than files, since most editors save by renaming
 * a new file over the old one, which a watch on the file itself would lose.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { errorCode } from "./errors.ts";

/** A save is several events, and "save all" several saves: they count as one when no more than this lies between. */
const quietMs = 40;
/** But a folder that never comes to rest must not put a restart off for ever. */
const patienceMs = 400;

export class SourceWatch {
  #folders = new Map<string, { watcher: FSWatcher; names: Set<string> }>();
  #timer: NodeJS.Timeout | undefined;
  #firstEvent = 0;
  readonly #onChange: () => void;
  readonly #onBlind: (code: string) => void;
  #blind = false;

  /** `onBlind`: the system gives no more watches, so some changes will not be seen. Told once. */
  constructor(onChange: () => void, onBlind: (code: string) => void = () => {}) {
    this.#onChange = onChange;
    this.#onBlind = onBlind;
  }

  /** Replaces the set of files. */
  files(paths: Iterable<string>): void {
    const wanted = new Map<string, Set<string>>();
    for (const path of paths) {
      const folder = dirname(path);
      let names = wanted.get(folder);
      if (names === undefined) wanted.set(folder, (names = new Set()));
      names.add(basename(path));
    }
    for (const [folder, { watcher }] of this.#folders) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const [folder, names] of wanted) {
      const known = this.#folders.get(folder);
      if (known === undefined) this.#watch(folder, names);
      else known.names = names;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.files([]);
  }

  #watch(folder: string, names: Set<string>): void {
    try {
      const entry = { watcher: watch(folder), names };
      entry.watcher.on("change", (_event, name) => {
        // Some systems do not say which file it was: then it may have been one of ours.
        if (name === null || name === undefined || entry.names.has(String(name))) this.#changed();
      });
      entry.watcher.on("error", () => {
        entry.watcher.close();
        this.#folders.delete(folder);
        this.#changed();
      });
      this.#folders.set(folder, entry);
    } catch (error) {
      // A folder that is gone needs none; whatever it is, the rest still works.
      const code = errorCode(error);
      if (code === "ENOENT" || this.#blind) return;
      this.#blind = true;
      this.#onBlind(code);
    }
  }

  #changed(): void {
    const now = performance.now();
    if (this.#timer === undefined) this.#firstEvent = now;
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(quietMs, this.#firstEvent + patienceMs - now));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#onChange();
    }, wait);
  }
}
