/** `--open`: the server's page in the browser of whoever sits here, by what the system has for it. */
import { spawn } from "node:child_process";
import { tell } from "../output.ts";

/** Says so where there is nothing to open, or nothing to open it with; never fails the server for it. */
export function openInBrowser(shown: readonly string[]): void {
  const url = shown.find((one) => /^https?:/.test(one))?.split(" ")[0];
  if (url === undefined) return tell("slipway: --open: there is no address of http or https to open\n");
  const [program, ...args] = opener(url);
  const failed = (why: string) => tell(`slipway: --open: ${program} ${why}: open ${url} yourself\n`);
  const child = spawn(program, args, { stdio: "ignore", detached: true });
  child.on("error", (error: NodeJS.ErrnoException) => {
    failed(error.code === "ENOENT" ? "is not there" : `cannot be started (${error.code})`);
  });
  child.on("exit", (code) => {
    if (code !== null && code !== 0) failed(`found no browser (exit code ${code})`);
  });
  child.unref();
}

function opener(url: string): readonly [string, ...string[]] {
  switch (process.platform) {
    case "darwin":
      return ["open", url];
    case "win32":
      // start is the shell's own; its first argument in quotes would be a title.
      return ["cmd", "/c", "start", '""', url.replaceAll("&", "^&")];
    default:
      return ["xdg-open", url];
  }
}
