/** `alert`, `confirm` and `prompt`: they ask the person at the terminal, and nobody where there is none. */
import { readSync, writeSync } from "node:fs";
import { isatty } from "./program.ts";

export function alert(message: unknown = "Alert"): void {
  if (isAsked()) answerTo(`${message} [Enter] `);
}

export function confirm(message: unknown = "Confirm"): boolean {
  return isAsked() && /^y$/i.test(answerTo(`${message} [y/N] `) ?? "");
}

/** Null at the end of input. An empty answer is the default, which Deno has in the line already. */
export function prompt(message: unknown = "Prompt", byDefault: unknown = ""): string | null {
  if (!isAsked()) return null;
  const answer = answerTo(byDefault === "" ? `${message} ` : `${message} [${byDefault}] `);
  return answer === "" ? String(byDefault) : answer;
}

function isAsked(): boolean {
  return isatty(0);
}

/** A process with which we share the terminal may have made it non-blocking: it is asked again so often. */
const AGAIN_MS = 20;

/** The next line of standard input. All else waits for it, which is what these are for. */
function answerTo(question: string): string | null {
  writeSync(1, question);
  const bytes: number[] = [];
  const byte = new Uint8Array(1);
  for (;;) {
    let count: number;
    try {
      // A byte at a time: what is behind the line is the program's.
      count = readSync(0, byte);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      continue;
    }
    if (count === 0 && bytes.length === 0) return null;
    if (count === 0 || byte[0] === 0x0a) return Buffer.from(bytes).toString().replace(/\r$/, "");
    bytes.push(byte[0]);
  }
}
