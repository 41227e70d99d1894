/** The file of a Unix socket. */
import { lstatSync, unlinkSync } from "node:fs";
import { resolve } from "node:path";

export interface SocketFile {
  /** Removes the file, unless another has taken its place since. */
  remove(): void;
}

let handedOn = false;

/** From here on no file is removed: the sockets, and with them the files, are another process's. */
export function handOnSocketFiles(): void {
  handedOn = true;
}

let shared = false;

/** The sockets are another process's as well, which accepts when this one does not any more: a child of `run --watch`. */
export function shareSockets(): void {
  shared = true;
}

/** Whether another process goes on with our sockets, and with the connections that wait in their queues. */
export function socketsLiveOn(): boolean {
  return handedOn || shared;
}

/** The file that bind(2) has just made. It is removed at close, as Go and Deno do. */
export function socketFile(relative: string): SocketFile {
  // Absolute from here on: the file is found again even if the working directory changes.
  const path = resolve(relative);
  const made = lstatSync(path, { throwIfNoEntry: false });
  return {
    remove() {
      if (handedOn) return;
      try {
        const now = lstatSync(path);
        if (made !== undefined && now.ino === made.ino && now.dev === made.dev) unlinkSync(path);
      } catch {
        // It is gone already, or no longer ours to remove.
      }
    },
  };
}
