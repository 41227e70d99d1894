/** `Deno.makeTempDir` and `Deno.makeTempFile`, each with its Sync form: a name that nobody had, made for this user only. */
import { withDenoErrors } from "./file-errors.ts";

export interface TempOptions {
  /** @default the system's folder for such files: TMPDIR, else /tmp */
  dir?: string;
  prefix?: string;
  suffix?: string;
}

type Make = (path: string) => void;

const directory: Make = (path) => process.getBuiltinModule("node:fs").mkdirSync(path, { mode: 0o700 });
const file: Make = (path) => {
  const { closeSync, openSync } = process.getBuiltinModule("node:fs");
  closeSync(openSync(path, "wx", 0o600));
};

/** By Deno's names, with Deno's errors. One system call or two: not worth a thread of the pool. */
export const temporary: object = {
  makeTempDirSync: withDenoErrors("makeTempDir", (options?: TempOptions) => make(directory, options)),
  makeTempDir: withDenoErrors("makeTempDir", async (options?: TempOptions) => make(directory, options)),
  makeTempFileSync: withDenoErrors("makeTempFile", (options?: TempOptions) => make(file, options)),
  makeTempFile: withDenoErrors("makeTempFile", async (options?: TempOptions) => make(file, options)),
};

function make(create: Make, { dir, prefix = "", suffix = "" }: TempOptions = {}): string {
  const [wrong] = /[\0-\x1f\x7f-\x9f<>:"/\\|?*]/.exec(prefix + suffix) ?? [];
  if (wrong !== undefined) throw new Error(`Invalid character in prefix or suffix: ${JSON.stringify(wrong)}`);
  const folder = dir ?? process.getBuiltinModule("node:os").tmpdir();
  for (;;) {
    const random = crypto.getRandomValues(new Uint8Array(8)).toHex();
    const path = `${folder}/${prefix}${random}${suffix}`;
    try {
      create(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
