/** Long text at a terminal goes through a pager, `$PAGER` or less; anything else is written as it is. */
import { spawnSync } from "node:child_process";
import { isTerminal } from "../../terminal/colors.ts";

/** Half of a screen is better read in place. */
export function page(text: string): void {
  const lines = text.split("\n").length;
  if (!isTerminal(1) || !isTerminal(0) || lines < (process.stdout.rows || 24)) return writeAll(text);
  const { PAGER: pager = "less -R", LESS, ...rest } = process.env;
  if (pager === "" || pager === "cat") return writeAll(text);
  // A person's own flags of less hold; a PAGER of "less" alone would show colours as their codes.
  const env = { ...rest, LESS: LESS ?? "-R" };
  const { status, error } = spawnSync(pager, { shell: true, input: text, stdio: ["pipe", "inherit", "inherit"], env });
  // 127: the shell found no such program.
  if (error !== undefined || status === 127) writeAll(text);
}

function writeAll(text: string): void {
  process.stdout.write(text);
}
