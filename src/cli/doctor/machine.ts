/** What the examination looks at: injected, so that a test can show it any machine. */
import { accessSync, constants, readFileSync, statfsSync } from "node:fs";
import { homedir, tmpdir, totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";

export interface Machine {
  readonly platform: string;
  /** A file's text, trimmed; undefined where it cannot be read. */
  read(path: string): string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number | undefined;
  readonly totalMemory: number;
  /** What V8 lets its heap grow to. */
  readonly heapLimit: number;
  readonly temp: { readonly path: string; readonly writable: boolean; readonly freeBytes: number };
  readonly home: string;
}

export function thisMachine(): Machine {
  return {
    platform: process.platform,
    read(path) {
      try {
        return readFileSync(path, "utf8").trim();
      } catch {
        return undefined;
      }
    },
    env: process.env,
    uid: process.getuid?.(),
    totalMemory: totalmem(),
    heapLimit: getHeapStatistics().heap_size_limit,
    temp: temporary(tmpdir()),
    home: homedir(),
  };
}

function temporary(path: string): Machine["temp"] {
  try {
    const { bavail, bsize } = statfsSync(path);
    accessSync(path, constants.W_OK);
    return { path, writable: true, freeBytes: bavail * bsize };
  } catch {
    return { path, writable: false, freeBytes: 0 };
  }
}
